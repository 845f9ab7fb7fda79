use super::*;

#[tokio::test]
async fn an_intent_that_came_to_nothing_is_revoked_and_stays_so() {
    let bed = Bed::new().await;
    let (provider, ask) = (bed.provider(), ask());
    let intent = provider.intent(&ask);
    let handle = intent.clone().into_handle();
    assert_eq!(provider.revoke(&handle, NOW).await, Ok(Revoked::Gone));
    assert_eq!(provider.revoke(&handle, NOW).await, Ok(Revoked::Gone));
    assert_eq!(provider.lease(&ask, &intent, NOW).await.unwrap_err(), ProviderError::Gone);
    assert_eq!(bed.left(&intent.name).await, (0, 0));
}

#[tokio::test]
async fn a_role_whose_handle_was_never_stored_is_found_by_its_intent_after_a_restart() {
    let bed = Bed::new().await;
    let (provider, ask) = (bed.provider(), ask());
    let intent = serde_json::to_string(&provider.intent(&ask)).unwrap();
    let session = bed.session(&bed.lease(&provider, &ask).await).await;
    drop(provider);
    let intent: Intent = serde_json::from_str(&intent).unwrap();
    assert_eq!(bed.left(&intent.name).await, (1, 1));
    let restarted = bed.provider();
    assert_eq!(restarted.revoke(&intent.clone().into_handle(), NOW).await, Ok(Revoked::Gone));
    session.batch_execute("SELECT 1").await.unwrap_err();
    assert_eq!(bed.left(&intent.name).await, (0, 0));
}

#[tokio::test]
async fn an_intent_is_good_for_one_role_only_also_in_another_process() {
    let bed = Bed::new().await;
    let (provider, ask) = (bed.provider(), ask());
    let leased = bed.lease(&provider, &ask).await;
    let again = provider.lease(&ask, &provider.intent(&ask), NOW).await.unwrap_err();
    assert_eq!(again, ProviderError::Gone);
    let other = bed.provider();
    let again = other.lease(&ask, &other.intent(&ask), NOW).await.unwrap_err();
    assert_eq!(again, ProviderError::Gone);
    bed.session(&leased).await.query_one("SELECT id FROM accounts", &[]).await.unwrap();
}

#[tokio::test]
async fn wherever_a_lease_is_cut_off_nothing_is_left_after_its_revocation() {
    let bed = Bed::new().await;
    let mut finished = 0;
    for step in 0..40 {
        let (provider, ask) = (bed.provider(), ask());
        let intent = provider.intent(&ask);
        let limit = Duration::from_micros(step * 600);
        finished += u32::from(
            tokio::time::timeout(limit, provider.lease(&ask, &intent, NOW)).await.is_ok(),
        );
        let restarted = bed.provider();
        let handle = intent.clone().into_handle();
        assert_eq!(restarted.revoke(&handle, NOW).await, Ok(Revoked::Gone), "step {step}");
        assert_eq!(bed.left(&intent.name).await, (0, 0), "step {step}");
    }
    assert!(finished < 40, "no step cut a lease off");
    let pattern = "SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid
        WHERE r.rolname LIKE 'writ\\_%' AND m.member = (SELECT oid FROM pg_roles WHERE rolname = 'admin";
    assert_eq!(bed.count(&format!("{pattern}{}')", bed.number)).await, 0);
}

#[tokio::test]
async fn a_role_that_is_just_being_made_is_never_committed_after_its_revocation() {
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start()));
    let bed = Bed::on(cluster).await;
    let (provider, ask) = (bed.provider(), ask());
    let intent = provider.intent(&ask);
    // The last statement of the transaction waits for this lock; the role is made, but not committed.
    bed.sudo("BEGIN; LOCK TABLE pg_shdescription IN ACCESS EXCLUSIVE MODE").await;
    let helper = connect(&cluster.superuser("postgres")).await.unwrap();
    let ended = async {
        let waiting = "SELECT count(*) FROM pg_stat_activity
            WHERE application_name = $1 AND wait_event_type = 'Lock'";
        while helper.query_one(waiting, &[&intent.name]).await.unwrap().get::<_, i64>(0) == 0 {}
        // As another process would, that knows only the intent.
        bed.provider().revoke(&intent.clone().into_handle(), NOW).await
    };
    let (leased, revoked) = tokio::join!(provider.lease(&ask, &intent, NOW), ended);
    leased.unwrap_err();
    assert_eq!(revoked, Ok(Revoked::Gone));
    bed.sudo("COMMIT").await;
    assert_eq!(bed.left(&intent.name).await, (0, 0));
}

#[tokio::test]
async fn a_revocation_that_comes_before_the_role_does_not_say_that_it_is_over() {
    let bed = Bed::new().await;
    let dsn = bed.cluster.login(&format!("admin{}", bed.number), "of the admin", &bed.database);
    let (reads, mut reading) = tokio::sync::mpsc::unbounded_channel();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(Some(wait));
    // The first to read the connection string is the lease, and it is held up there.
    let around = Surroundings::new(move |_| {
        let first = wait.lock().unwrap().take();
        if let Some(wait) = first {
            reads.send(()).unwrap();
            wait.recv().unwrap();
        }
        Some(dsn.clone().into())
    });
    let config = PostgresConfig { admin: Source::Env("ADMIN".to_owned()), ..bed.config() };
    let (provider, ask) = (Postgres::new(config, around), ask());
    let intent = provider.intent(&ask);
    let handle = intent.clone().into_handle();
    let revoking = async {
        reading.recv().await.unwrap();
        let early = provider.revoke(&handle, NOW).await;
        go.send(()).unwrap();
        early
    };
    let (leased, early) = tokio::join!(provider.lease(&ask, &intent, NOW), revoking);
    assert!(matches!(early, Err(ProviderError::Later { .. })), "{early:?}");
    assert_eq!(leased.unwrap_err(), ProviderError::Gone);
    assert_eq!(provider.revoke(&handle, NOW).await, Ok(Revoked::Gone));
    assert_eq!(bed.left(&intent.name).await, (0, 0));
}
