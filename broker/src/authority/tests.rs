#![expect(clippy::unwrap_used, reason = "a test may fail")]

use super::*;
use crate::clock::ManualClock;
use crate::event::{Owner, Refused as NotAllowed};
use crate::grant::{CredentialGrant, CredentialKind, CredentialName, Placement, Scope};
use crate::id::{CallId, RANDOM_BYTES};
use crate::keys::KeyFiles;
use crate::ledger::{AppendError, Cause, Head, MemoryLedger, ReadError, Record, Snapshot, Turn};
use crate::ledger::{Settings, SqliteLedger, Subscription};
use crate::state::Selector;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const OPERATOR: Owner = Owner::User { uid: 0 };
const AGENT: Owner = Owner::User { uid: 1000 };

/// A ledger, a clock, and a writer of its own.
struct Machine {
    ledger: Arc<dyn Ledger>,
    clock: Arc<ManualClock>,
}

impl Machine {
    fn new() -> Self {
        Self::on(Arc::new(MemoryLedger::default()))
    }

    fn on(ledger: Arc<dyn Ledger>) -> Self {
        Self { ledger, clock: Arc::new(ManualClock::new(NOW)) }
    }

    fn authority(&self) -> Arc<Authority> {
        Arc::new(Authority::open(self.ledger.clone(), self.clock.clone()).unwrap())
    }

    async fn kill(&self, selector: Selector) -> Result<Receipt, KillError> {
        let why = Some("it went astray".to_owned());
        kill(self.ledger.clone(), self.clock.clone(), Kill { selector, by: OPERATOR, why }).await
    }

    fn records(&self) -> Vec<Event> {
        let records = self.ledger.read(1, usize::MAX).unwrap();
        records.iter().map(|record| record.decode().unwrap()).collect()
    }

    /// The words of the records.
    fn story(&self) -> Vec<String> {
        let records = self.ledger.read(1, usize::MAX).unwrap();
        records.iter().map(|record| record.event().to_owned()).collect()
    }
}

fn task(n: u8) -> TaskId {
    TaskId::from_random([n; RANDOM_BYTES])
}

fn host(n: u8) -> HostId {
    HostId::from_random([n; RANDOM_BYTES])
}

fn call(n: u8) -> CallId {
    CallId::from_random([n; RANDOM_BYTES])
}

fn run(n: u8) -> Run {
    run_in(n, Process::current().unwrap())
}

fn run_in(n: u8, process: Process) -> Run {
    Run {
        process,
        task: Some(TaskStarted {
            task: task(n),
            parent: None,
            host: Some(host(n)),
            owner: AGENT,
            labels: [("job".to_owned(), n.to_string())].into(),
            deadline: None,
            grant: serde_json::json!({"limits": {"instances": 1}}),
        }),
        call: CallStarted {
            task: task(n),
            call: call(n),
            host: host(n),
            tool: "sitegen".to_owned(),
            digest: "sha256:00".to_owned(),
            function: None,
        },
    }
}

fn end(n: u8, outcome: &str) -> RunEnd {
    RunEnd {
        notes: Vec::new(),
        call: Event::CallEnded {
            task: task(n),
            call: call(n),
            outcome: outcome.to_owned(),
            exit_code: 0,
            limit: None,
        },
        task: Some((task(n), TaskEnd::Done)),
        leases: Vec::new(),
    }
}

fn ask(n: u8, target: &str) -> AskDecided {
    AskDecided { task: task(n), what: "http".to_owned(), target: target.to_owned(), refused: None }
}

fn refusal(n: u8, target: &str) -> AskDecided {
    let refused = NotAllowed { code: "D0101".to_owned(), reason: "not granted".to_owned() };
    AskDecided { refused: Some(refused), ..ask(n, target) }
}

fn minted(n: u8, jti: &str) -> TokenMinted {
    TokenMinted {
        task: task(n),
        jti: jti.to_owned(),
        audience: "https://api.test".to_owned(),
        expires: UnixMillis(NOW.0 + 60_000),
        kid: "k".to_owned(),
        status: None,
    }
}

/// A process that does nothing until it is ended.
fn deaf() -> (Child, Process) {
    let child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let process = Process::of_child(child.id()).unwrap();
    (child, process)
}

#[tokio::test]
async fn a_run_tells_its_story() {
    let machine = Machine::new();
    let authority = machine.authority();
    let _watch = authority.start_run(run(1)).await.unwrap();
    authority
        .admit(vec![refusal(1, "GET https://b.test/")], ask(1, "GET https://a.test/"))
        .await
        .unwrap();
    let late = RunEnd { notes: vec![refusal(1, "GET https://c.test/")], ..end(1, "exited") };
    authority.end_run(host(1), late).await.unwrap();
    let story = [
        "host.started",
        "task.started",
        "call.started",
        "ask.decided",
        "ask.decided",
        "ask.decided",
        "call.ended",
        "task.ended",
        "host.ended",
    ];
    assert_eq!(machine.story(), story);
    let view = View::open(machine.ledger.clone()).unwrap();
    assert_eq!((view.state().tasks().count(), view.state().hosts().count()), (0, 0));
}

#[tokio::test]
async fn a_kill_from_elsewhere_reaches_the_task_and_waits_until_its_call_has_ended() {
    let machine = Machine::new();
    let (here, there) = (machine.authority(), machine.authority());
    let mut watch = here.start_run(run(1)).await.unwrap();
    let mut other = there.start_run(run(2)).await.unwrap();
    here.mint(minted(1, "good")).await.unwrap();
    let following = {
        let here = here.clone();
        tokio::spawn(async move { here.follow().await })
    };

    let waiting = tokio::spawn({
        let machine = Machine { ledger: machine.ledger.clone(), clock: machine.clock.clone() };
        async move { machine.kill(Selector::Task(task(1))).await }
    });
    let stop = Stop::Killed { by: OPERATOR, why: Some("it went astray".to_owned()) };
    assert_eq!(watch.stopped().await, stop);
    assert!(!waiting.is_finished(), "its call has not ended");

    let refused = Refused::NotNow(NotNow::NotLive(task(1)));
    assert_eq!(here.admit(vec![], ask(1, "GET https://a.test/")).await, Err(refused.clone()));
    assert_eq!(here.mint(minted(1, "late")).await, Err(refused));
    here.end_run(host(1), end(1, "killed")).await.unwrap();

    let receipt = waiting.await.unwrap().unwrap();
    assert!(receipt.is_complete());
    assert_eq!(receipt.tasks, [task(1)].into());
    assert_eq!((receipt.calls, receipt.tokens), (1, 1));
    assert_eq!(receipt.processes, [(host(1), Cut::Acknowledged)].into());

    // The other task lives on.
    there.admit(vec![], ask(2, "GET https://a.test/")).await.unwrap();
    assert!(tokio::time::timeout(Duration::ZERO, other.stopped()).await.is_err());
    following.abort();
}

#[tokio::test]
async fn a_process_that_does_not_answer_is_ended_and_another_is_left_alone() {
    let machine = Machine::new();
    let (mut child, process) = deaf();
    let (mut bystander, theirs) = deaf();
    let authority = machine.authority();
    authority.start_run(run_in(1, process)).await.unwrap();
    authority.start_run(run_in(2, theirs.clone())).await.unwrap();

    let receipt = machine.kill(Selector::Label("job".to_owned(), "1".to_owned())).await.unwrap();
    assert_eq!(receipt.processes, [(host(1), Cut::Fenced)].into());
    assert!(receipt.is_complete());
    assert!(child.wait().unwrap().code().is_none(), "it was ended by a signal");
    let view = View::open(machine.ledger.clone()).unwrap();
    assert_eq!(view.state().hosts().map(|(id, _)| id.clone()).collect::<Vec<_>>(), [host(2)]);
    assert_eq!(theirs.standing(), Standing::Alive);
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[tokio::test]
async fn a_process_that_is_out_of_sight_makes_the_receipt_incomplete() {
    let machine = Machine::new();
    let here = Process::current().unwrap();
    let elsewhere = Process { namespace: here.namespace + 1, ..here };
    machine.authority().start_run(run_in(1, elsewhere)).await.unwrap();
    let receipt = machine.kill(Selector::All).await.unwrap();
    assert_eq!(receipt.processes, [(host(1), Cut::OutOfReach)].into());
    assert!(receipt.durable && !receipt.is_complete());
}

#[tokio::test]
async fn a_process_that_is_gone_is_not_waited_for_and_ends_its_tasks() {
    let machine = Machine::new();
    let (mut child, process) = deaf();
    machine.authority().start_run(run_in(1, process)).await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let started = tokio::time::Instant::now();
    let receipt = machine.kill(Selector::All).await.unwrap();
    assert!(started.elapsed() < crate::token::LEASE, "nobody waits for the dead");
    assert_eq!(receipt.processes, [(host(1), Cut::Fenced)].into());
}

#[tokio::test]
async fn the_next_process_to_come_up_declares_the_dead_lost() {
    let machine = Machine::new();
    let (mut child, process) = deaf();
    machine.authority().start_run(run_in(1, process)).await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    machine.authority().start_run(run(2)).await.unwrap();
    let lost = Event::HostEnded { host: host(1), how: HostEnd::Lost };
    assert!(machine.records().contains(&lost));
    assert!(View::open(machine.ledger.clone()).unwrap().state().task(&task(1)).is_none());
}

#[tokio::test]
async fn what_is_not_live_cannot_be_killed_and_nothing_is_recorded() {
    let machine = Machine::new();
    let error = machine.kill(Selector::Task(task(9))).await.unwrap_err();
    assert_eq!(error, KillError::NotLive(task(9)));
    assert!(machine.kill(Selector::All).await.unwrap().tasks.is_empty());
    assert!(machine.story().is_empty());
}

#[tokio::test]
async fn a_clock_that_steps_back_stops_everything_but_a_kill() {
    let machine = Machine::new();
    let authority = machine.authority();
    let _watch = authority.start_run(run(1)).await.unwrap();
    machine.clock.set(UnixMillis(NOW.0 - 10_000));
    let stepped = |done: Result<(), Refused>| {
        assert!(matches!(done, Err(Refused::NotNow(NotNow::SteppedBack(_)))), "{done:?}");
    };
    stepped(authority.admit(vec![], ask(1, "GET https://a.test/")).await);
    stepped(authority.mint(minted(1, "a")).await.map(drop));
    stepped(authority.start_run(run(2)).await.map(drop));
    let killing = tokio::spawn({
        let machine = Machine { ledger: machine.ledger.clone(), clock: machine.clock.clone() };
        async move { machine.kill(Selector::All).await }
    });
    authority.end_run(host(1), end(1, "killed")).await.unwrap();
    assert!(killing.await.unwrap().unwrap().durable);
}

/// A ledger whose disk can be full.
struct Disk {
    ledger: MemoryLedger,
    full: AtomicBool,
}

impl Ledger for Disk {
    fn turn(&self) -> Result<Box<dyn Turn + '_>, AppendError> {
        if self.full.load(Ordering::SeqCst) {
            return Err(Cause::Full.into());
        }
        self.ledger.turn()
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        self.ledger.read(from, limit)
    }

    fn head(&self) -> Result<Head, ReadError> {
        self.ledger.head()
    }

    fn subscribe(&self, from: u64) -> Subscription {
        self.ledger.subscribe(from)
    }

    fn poke(&self) {
        self.ledger.poke();
    }

    fn store_snapshot(&self, head: Head, bytes: &[u8]) -> Result<(), AppendError> {
        self.ledger.store_snapshot(head, bytes)
    }

    fn latest_snapshot(&self) -> Result<Option<Snapshot>, ReadError> {
        self.ledger.latest_snapshot()
    }
}

#[tokio::test]
async fn a_full_disk_stops_everything_but_a_kill_which_says_that_it_is_not_durable() {
    let disk = Arc::new(Disk { ledger: MemoryLedger::default(), full: AtomicBool::new(false) });
    let machine = Machine::on(disk.clone());
    let (mut child, process) = deaf();
    let authority = machine.authority();
    authority.start_run(run_in(1, process)).await.unwrap();
    disk.full.store(true, Ordering::SeqCst);

    let full = |done: Result<(), Refused>| {
        assert_eq!(done, Err(Refused::Ledger(WriteError::Unavailable(Cause::Full))));
    };
    full(authority.start_run(run(2)).await.map(drop));
    full(authority.admit(vec![], ask(1, "GET https://a.test/")).await);
    full(authority.mint(minted(1, "a")).await.map(drop));

    let receipt = machine.kill(Selector::All).await.unwrap();
    assert!(!receipt.durable && !receipt.is_complete());
    assert!(receipt.undurable.unwrap().contains("the disk that holds the ledger is full"));
    assert_eq!((receipt.tasks, receipt.calls), ([task(1)].into(), 1));
    assert_eq!(receipt.processes, [(host(1), Cut::Fenced)].into());
    assert!(child.wait().unwrap().code().is_none(), "it was ended by a signal");

    // Once there is room again, what was killed stays dead.
    disk.full.store(false, Ordering::SeqCst);
    machine.authority().start_run(run(3)).await.unwrap();
    let refused = Err(Refused::NotNow(NotNow::NotLive(task(1))));
    assert_eq!(authority.admit(vec![], ask(1, "GET https://a.test/")).await, refused);
}

/// A guest chooses the method of a request, and both the target and the reason of its refusal repeat it.
#[tokio::test]
async fn a_decision_that_is_too_long_takes_no_other_with_it() {
    let machine = Machine::new();
    let authority = machine.authority();
    let _watch = authority.start_run(run(1)).await.unwrap();
    let long = "\u{1}".repeat(300_000);
    let mut refused = refusal(1, &format!("{long} https://a.test/"));
    refused.refused.as_mut().unwrap().reason.clone_from(&long);
    let notes = vec![refusal(1, "GET https://b.test/"), refused];
    authority.admit(notes.clone(), ask(1, "GET https://a.test/")).await.unwrap();
    authority.note(notes.clone()).await.unwrap();
    authority.end_run(host(1), RunEnd { notes, ..end(1, "exited") }).await.unwrap();
    let asked = |event: &Event| match event {
        Event::AskDecided(asked) => Some(asked.target.clone()),
        _ => None,
    };
    let targets: Vec<String> = machine.records().iter().filter_map(asked).collect();
    assert_eq!(targets.len(), 7, "each decision has its record");
    assert!(targets[1].contains("… (300016 bytes, sha256:"), "and says what it was of");
}

#[tokio::test]
async fn a_ledger_that_cannot_be_read_any_more_does_not_stop_a_kill_halfway() {
    let folder = tempfile::tempdir().unwrap();
    let (path, anchor) = (folder.path().join("ledger.db"), folder.path().join("anchor"));
    let open = || Arc::new(SqliteLedger::open(&path, &anchor, Settings::default()).unwrap());
    let machine = Machine::on(open());
    let killer = Machine::on(open());
    let (mut child, process) = deaf();
    machine.authority().start_run(run_in(1, process)).await.unwrap();
    let killing = tokio::spawn(async move { killer.kill(Selector::All).await });
    while machine.story().last().unwrap() != "task.killed" {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    std::fs::rename(&path, folder.path().join("aside")).unwrap();
    let receipt = killing.await.unwrap().unwrap();
    assert!(receipt.durable);
    assert_eq!(receipt.processes, [(host(1), Cut::Fenced)].into());
    assert!(child.wait().unwrap().code().is_none(), "it was ended by a signal");
}

/// Whatever is under way when the kill is recorded, nothing is allowed after it.
#[tokio::test]
async fn nothing_is_allowed_after_a_kill_was_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let (path, anchor) = (folder.path().join("ledger.db"), folder.path().join("anchor"));
        SqliteLedger::open(&path, &anchor, Settings::default()).unwrap()
    };
    for round in 1..=20 {
        let machine = Machine::on(Arc::new(open()));
        let killer = Machine::on(Arc::new(open()));
        let authority = machine.authority();
        let mut watch = authority.start_run(run(round)).await.unwrap();
        let senders: Vec<_> = (0..8)
            .map(|n| {
                let authority = authority.clone();
                tokio::spawn(async move {
                    let target = format!("GET https://a.test/{n}");
                    let mut sent = 0;
                    while authority.admit(vec![], ask(round, &target)).await.is_ok() {
                        authority.mint(minted(round, &format!("{round}-{n}-{sent}"))).await.ok();
                        sent += 1;
                    }
                    sent
                })
            })
            .collect();
        let killing = tokio::spawn(async move { killer.kill(Selector::Task(task(round))).await });
        let mut sent = 0;
        for sender in senders {
            sent += sender.await.unwrap();
        }
        assert!(matches!(watch.stopped().await, Stop::Killed { .. }));
        authority.end_run(host(round), end(round, "killed")).await.unwrap();
        assert!(killing.await.unwrap().unwrap().is_complete());

        let story = machine.records();
        let killed = |event: &Event| matches!(event, Event::TaskKilled { task: id, .. } if *id == task(round));
        let place = story.iter().position(killed).unwrap();
        let allowed = |event: &&Event| match event {
            Event::AskDecided(asked) => asked.task == task(round),
            Event::TokenMinted(minted) => minted.task == task(round),
            _ => false,
        };
        assert_eq!(story[place..].iter().filter(allowed).count(), 0);
        let before = story[..place].iter().filter(allowed);
        assert!(before.filter(|event| matches!(event, Event::AskDecided(_))).count() >= sent);
    }
}

#[tokio::test]
async fn a_ledger_that_lost_what_was_seen_stops_the_tasks() {
    let folder = tempfile::tempdir().unwrap();
    let (path, anchor) = (folder.path().join("ledger.db"), folder.path().join("anchor"));
    let ledger = SqliteLedger::open(&path, &anchor, Settings::default()).unwrap();
    let machine = Machine::on(Arc::new(ledger));
    let authority = machine.authority();
    let _watch = authority.start_run(run(1)).await.unwrap();
    std::fs::rename(&path, folder.path().join("aside")).unwrap();
    let refused = authority.admit(vec![], ask(1, "GET https://a.test/")).await;
    assert_eq!(refused, Err(Refused::Ledger(WriteError::Unavailable(Cause::Replaced))));
}

#[tokio::test]
async fn a_task_waits_for_calls_from_any_process_until_it_is_ended() {
    let machine = Machine::new();
    let authority = machine.authority();
    let deadline = Some(UnixMillis(NOW.0 + 60_000));
    let waiting = TaskStarted { host: None, deadline, ..run(1).task.unwrap() };
    authority.start_task(waiting.clone()).await.unwrap();
    let child = TaskStarted { task: task(2), parent: Some(task(1)), ..waiting };
    authority.start_task(child).await.unwrap();
    let (_, ancestry) = authority.task(task(2)).await.unwrap();
    assert_eq!(ancestry, [task(2), task(1)]);

    let in_child = Run { task: None, call: CallStarted { task: task(2), ..run(2).call }, ..run(2) };
    let mut watch = machine.authority().start_run(in_child.clone()).await.unwrap();
    let ended = RunEnd { task: None, ..end(2, "exited") };
    authority.end_run(host(2), ended).await.unwrap();
    assert!(tokio::time::timeout(Duration::ZERO, watch.stopped()).await.is_err());
    assert_eq!(authority.task(task(2)).await.unwrap().0.calls.len(), 0);

    assert!(authority.end_task(task(1)).await.unwrap());
    let refused = Refused::NotNow(NotNow::NotLive(task(2)));
    assert_eq!(authority.start_run(in_child).await.unwrap_err(), refused);
    assert!(!authority.end_task(task(1)).await.unwrap());
}

#[tokio::test]
async fn a_task_whose_time_is_over_is_ended_by_the_next_process() {
    let machine = Machine::new();
    let authority = machine.authority();
    let deadline = Some(UnixMillis(NOW.0 + 1000));
    let waiting = TaskStarted { host: None, deadline, ..run(1).task.unwrap() };
    authority.start_task(waiting).await.unwrap();
    machine.clock.advance(Duration::from_secs(1));
    let call = Run { task: None, ..run(1) };
    let refused = Refused::NotNow(NotNow::NotLive(task(1)));
    assert_eq!(authority.start_run(call).await.unwrap_err(), refused);
    authority.start_run(run(2)).await.unwrap();
    let over = Event::TaskEnded { task: task(1), how: TaskEnd::Deadline };
    assert!(machine.records().contains(&over));
}

#[tokio::test]
async fn a_process_that_would_hear_of_no_kill_stops_its_tasks() {
    let folder = tempfile::tempdir().unwrap();
    let (path, anchor) = (folder.path().join("ledger.db"), folder.path().join("anchor"));
    let ledger = SqliteLedger::open(&path, &anchor, Settings::default()).unwrap();
    let authority = Machine::on(Arc::new(ledger)).authority();
    let mut watch = authority.start_run(run(1)).await.unwrap();
    let following = tokio::spawn(async move {
        loop {
            authority.follow().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let lease = crate::token::LEASE;
    let aside = folder.path().join("aside");
    // For less than a lease it may be away.
    std::fs::rename(&path, &aside).unwrap();
    tokio::time::sleep(lease / 2).await;
    std::fs::rename(&aside, &path).unwrap();
    assert!(tokio::time::timeout(lease, watch.stopped()).await.is_err());
    std::fs::rename(&path, &aside).unwrap();
    let stop = tokio::time::timeout(lease * 2, watch.stopped()).await.unwrap();
    assert!(matches!(stop, Stop::Sealed(_)), "{stop:?}");
    following.abort();
}

#[tokio::test]
async fn what_was_admitted_before_a_kill_gets_no_token_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::new();
    let authority = machine.authority();
    let mut watch = authority.start_run(run(1)).await.unwrap();
    let following = authority.clone();
    let following = tokio::spawn(async move { following.follow().await });
    let files = Arc::new(KeyFiles::open(&folder.path().join("keys")).unwrap());
    let issuer = Issuer { url: "https://broker.test".to_owned(), files };
    let component = "sha256:00".to_owned();
    let bearer = Bearer { ancestry: vec![task(1)], owner: AGENT, deadline: None, component };
    let tokens = Tokens::new(authority.clone(), issuer, bearer);
    let credential = CredentialGrant {
        name: CredentialName::parse("api").unwrap(),
        kind: CredentialKind::Jwt,
        scope: Scope {
            audience: Some("https://api.test".to_owned()),
            actions: Vec::new(),
            resource: None,
        },
        ttl: Duration::from_secs(60),
        place: Placement::Dpop,
        expose: false,
    };
    let request = Request { method: "GET", url: "https://api.test/", nonce: None };
    tokens.present(&credential, request).await.unwrap();
    let killing = tokio::spawn({
        let machine = Machine { ledger: machine.ledger.clone(), clock: machine.clock.clone() };
        async move { machine.kill(Selector::All).await }
    });
    watch.stopped().await;
    let refused = tokens.present(&credential, request).await.unwrap_err();
    assert_eq!(refused.to_string(), NotNow::NotLive(task(1)).to_string());
    authority.end_run(host(1), end(1, "killed")).await.unwrap();
    assert!(killing.await.unwrap().unwrap().is_complete());
    following.abort();
}
