use super::*;

/// A host, a task, its child and its grandchild.
fn family() -> State {
    let mut state = with_host();
    for (n, parent) in [(1, None), (2, Some(1)), (3, Some(2))] {
        let event = state.start_task(UnixMillis(10), started(n, parent, Some(1000))).unwrap();
        state.apply(UnixMillis(10), &event);
    }
    state
}

fn apply(state: &mut State, at: u64, events: Vec<Event>) {
    for event in events {
        state.apply(UnixMillis(at), &event);
    }
}

#[test]
fn a_kill_takes_the_whole_subtree_and_nothing_else() {
    let mut state = family();
    let other = state.start_task(UnixMillis(10), started(9, None, None)).unwrap();
    state.apply(UnixMillis(10), &other);
    let kill = state.kill(&Selector::Task(task_id(2)), &USER, None);
    apply(&mut state, 11, kill);
    let live = |n| state.is_live(&task_id(n), UnixMillis(11));
    assert_eq!([1, 2, 3, 9].map(live), [true, false, false, true]);
}

#[test]
fn a_kill_of_all_is_one_record_for_each_tree() {
    let state = family();
    let kill = state.kill(&Selector::All, &USER, Some("lunch"));
    assert_eq!(
        kill,
        [Event::TaskKilled { task: task_id(1), by: USER, why: Some("lunch".to_owned()) }]
    );
}

#[test]
fn a_kill_by_label_or_owner_takes_what_fits() {
    let mut state = family();
    let kill = state.kill(&Selector::Label("job".into(), "0".into()), &USER, None);
    apply(&mut state, 11, kill);
    assert!(state.is_live(&task_id(1), UnixMillis(11)));
    assert!(!state.is_live(&task_id(3), UnixMillis(11)), "it is below the one that fits");
    assert!(state.kill(&Selector::Owner(Owner::User { uid: 1 }), &USER, None).is_empty());
    assert_eq!(state.kill(&Selector::Owner(USER), &USER, None).len(), 1);
}

#[test]
fn a_token_dies_with_any_task_above_its_own() {
    let mut state = family();
    let event = state.mint(UnixMillis(10), minted("a", 3, 500)).unwrap();
    state.apply(UnixMillis(10), &event);
    assert!(state.is_active("a", UnixMillis(499)));
    assert!(!state.is_active("a", UnixMillis(500)), "it expires");
    let kill = state.kill(&Selector::Task(task_id(1)), &USER, None);
    apply(&mut state, 11, kill);
    assert!(!state.is_active("a", UnixMillis(11)));
}

#[test]
fn a_token_never_outlives_its_task() {
    let state = family();
    let Event::TokenMinted(minted) = state.mint(UnixMillis(10), minted("a", 1, 9000)).unwrap()
    else {
        panic!("not minted")
    };
    assert_eq!(minted.expires, UnixMillis(1000));
}

#[test]
fn a_revoked_token_is_dead_and_its_neighbour_is_not() {
    let mut state = family();
    for jti in ["a", "b"] {
        let event = state.mint(UnixMillis(10), minted(jti, 1, 500)).unwrap();
        state.apply(UnixMillis(10), &event);
    }
    state.apply(UnixMillis(11), &Event::TokenRevoked { jti: "a".to_owned(), by: USER });
    let active = |jti| state.is_active(jti, UnixMillis(11));
    assert_eq!([active("a"), active("b")], [false, true]);
}

#[test]
fn nothing_is_minted_leased_or_started_for_a_task_that_has_ended() {
    let mut state = family();
    let end = state.end(&task_id(1), TaskEnd::Done).unwrap();
    let token = state.mint(UnixMillis(10), minted("a", 1, 500)).unwrap();
    state.apply(UnixMillis(10), &token);
    state.apply(UnixMillis(11), &end);
    let now = UnixMillis(12);
    let gone = |n| Err(NotNow::NotLive(task_id(n)));
    assert_eq!(state.mint(now, minted("b", 1, 500)), gone(1));
    assert_eq!(state.intend(now, intended(1, 2)), gone(2));
    assert_eq!(state.start_task(now, started(4, Some(3), Some(500))), gone(3));
    assert_eq!(state.end(&task_id(1), TaskEnd::Done), None, "it has ended already");
}

#[test]
fn a_deadline_ends_a_task_even_before_anybody_says_so() {
    let state = family();
    let now = UnixMillis(1000);
    assert_eq!(state.act(now, &task_id(1)), Err(NotNow::NotLive(task_id(1))));
    assert_eq!(state.overdue(now).len(), 3);
    assert!(state.overdue(UnixMillis(999)).is_empty());
}

#[test]
fn a_child_may_not_outlive_its_parent_nor_be_without_a_deadline_when_that_has_one() {
    let state = family();
    for deadline in [Some(1001), None] {
        let child = state.start_task(UnixMillis(10), started(4, Some(1), deadline));
        assert_eq!(child, Err(NotNow::Outlives(task_id(1))));
    }
    state.start_task(UnixMillis(10), started(4, Some(1), Some(1000))).unwrap();
}

#[test]
fn a_tree_has_a_bottom() {
    let mut state = with_host();
    for n in 0..=u8::try_from(MAX_DEPTH).unwrap() {
        let parent = n.checked_sub(1);
        let event = state.start_task(UnixMillis(10), started(n, parent, None)).unwrap();
        state.apply(UnixMillis(10), &event);
    }
    let below = started(100, Some(u8::try_from(MAX_DEPTH).unwrap()), None);
    assert_eq!(state.start_task(UnixMillis(10), below), Err(NotNow::TooDeep));
}

#[test]
fn a_lease_is_revoked_until_it_is_gone_and_its_task_is_kept_as_long() {
    let mut state = family();
    let event = state.intend(UnixMillis(10), intended(1, 3)).unwrap();
    state.apply(UnixMillis(10), &event);
    assert!(state.to_revoke().is_empty());
    let kill = state.kill(&Selector::Task(task_id(1)), &USER, None);
    apply(&mut state, 11, kill);
    assert_eq!(state.to_revoke(), [lease_id(1)]);
    // The upstream's answer was on its way when the task was killed.
    let granted = Event::LeaseGranted { lease: lease_id(1), expires: None, handle: None };
    state.apply(UnixMillis(12), &granted);
    assert_eq!(state.to_revoke(), [lease_id(1)], "a late grant does not make it live");
    let retry = Event::LeaseRetrying { lease: lease_id(1), attempts: 3, error: "down".into() };
    state.apply(UnixMillis(13), &retry);
    assert_eq!(state.leases().next().unwrap().1.phase, LeasePhase::Revoking { attempts: 3 });
    assert!(state.task(&task_id(1)).is_some(), "its parent is kept with it");
    state.apply(UnixMillis(14), &Event::LeaseRevoked { lease: lease_id(1) });
    assert_eq!((state.leases().count(), state.tasks().count()), (0, 0), "all is forgotten");
}

#[test]
fn a_lease_that_nobody_can_revoke_is_kept_until_it_ends_by_itself() {
    let mut state = family();
    let event = state.intend(UnixMillis(10), intended(1, 3)).unwrap();
    state.apply(UnixMillis(10), &event);
    let kill = state.kill(&Selector::All, &USER, None);
    apply(&mut state, 11, kill);
    let lapsing =
        |expires| Event::LeaseLapsing { lease: lease_id(1), expires: UnixMillis(expires) };
    apply(&mut state, 12, vec![lapsing(400), lapsing(500)]);
    assert!(state.to_revoke().is_empty(), "there is nothing more to try");
    let other = Event::LeaseRevoked { lease: lease_id(9) };
    state.apply(UnixMillis(499), &other);
    assert_eq!((state.leases().count(), state.tasks().count()), (1, 3), "it may still be used");
    state.apply(UnixMillis(500), &other);
    assert_eq!((state.leases().count(), state.tasks().count()), (0, 0));
}

#[test]
fn a_lease_that_was_intended_for_an_ended_task_is_revoked_all_the_same() {
    let mut state = family();
    let intend = state.intend(UnixMillis(10), intended(1, 1)).unwrap();
    let token = state.mint(UnixMillis(10), minted("a", 1, 500)).unwrap();
    state.apply(UnixMillis(10), &token);
    let kill = state.kill(&Selector::All, &USER, None);
    apply(&mut state, 11, kill);
    state.apply(UnixMillis(11), &intend);
    assert_eq!(state.to_revoke(), [lease_id(1)]);
}

#[test]
fn a_process_that_is_gone_takes_its_tasks_along() {
    let mut state = family();
    let lost = state.end_host(&host_id(1), HostEnd::Lost).unwrap();
    state.apply(UnixMillis(11), &lost);
    assert_eq!((state.tasks().count(), state.hosts().count()), (0, 0));
    assert_eq!(state.end_host(&host_id(1), HostEnd::Lost), None);
    let late = state.start_task(UnixMillis(12), started(5, None, None));
    assert_eq!(late, Err(NotNow::NoHost(host_id(1))), "a fenced process starts nothing");
}

#[test]
fn a_clock_that_steps_back_stops_everything_that_hangs_on_time() {
    let mut state = family();
    state.apply(UnixMillis(50_000), &Event::TaskEnded { task: task_id(3), how: TaskEnd::Done });
    let early = UnixMillis(40_000);
    let stepped = NotNow::SteppedBack(std::time::Duration::from_secs(10));
    assert_eq!(state.start_task(early, started(7, None, None)), Err(stepped.clone()));
    assert_eq!(state.mint(early, minted("a", 1, 99_000)), Err(stepped));
    assert_eq!(state.kill(&Selector::All, &USER, None).len(), 1, "a kill needs no clock");
}

#[test]
fn expired_tokens_are_forgotten() {
    let mut state = family();
    let event = state.mint(UnixMillis(10), minted("a", 1, 500)).unwrap();
    state.apply(UnixMillis(10), &event);
    state.apply(UnixMillis(500), &Event::LeaseRevoked { lease: lease_id(9) });
    assert_eq!(state.tokens().count(), 0);
}

#[test]
fn a_killed_task_is_kept_until_its_calls_have_ended_or_its_process_has() {
    let call = |n| CallId::from_random([n; RANDOM_BYTES]);
    let begun = |n| {
        Event::CallStarted(CallStarted {
            task: task_id(1),
            call: call(n),
            host: host_id(1),
            tool: "t".to_owned(),
            digest: "sha256:00".to_owned(),
            function: None,
        })
    };
    let ended = |n| Event::CallEnded {
        task: task_id(1),
        call: call(n),
        outcome: "killed".to_owned(),
        exit_code: 137,
        limit: None,
    };
    let mut state = with_host();
    state.apply(UnixMillis(1), &Event::TaskStarted(started(1, None, None)));
    state.apply(UnixMillis(2), &begun(1));
    state.apply(UnixMillis(2), &begun(2));
    for event in state.kill(&Selector::All, &USER, None) {
        state.apply(UnixMillis(3), &event);
    }
    assert_eq!(state.task(&task_id(1)).map(|task| task.calls.len()), Some(2));
    state.apply(UnixMillis(4), &ended(1));
    assert_eq!(state.task(&task_id(1)).map(|task| task.calls.len()), Some(1));

    let mut fenced = state.clone();
    fenced.apply(UnixMillis(5), &Event::HostEnded { host: host_id(1), how: HostEnd::Fenced });
    assert_eq!(fenced.task(&task_id(1)), None);
    state.apply(UnixMillis(5), &ended(2));
    assert_eq!(state.task(&task_id(1)), None);
}
