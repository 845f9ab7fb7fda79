use super::*;

#[tokio::test]
async fn a_session_that_became_the_operators_role_ends_with_its_lease() {
    let bed = Bed::new().await;
    let provider = bed.provider();
    let leased = bed.lease(&provider, &ask()).await;
    let session = bed.session(&leased).await;
    session.batch_execute(&format!("SET ROLE {}", bed.readers())).await.unwrap();
    session.query_one("SELECT id FROM accounts", &[]).await.unwrap();
    assert_eq!(provider.revoke(&leased.handle, NOW).await, Ok(Revoked::Gone));
    session.query_one("SELECT id FROM accounts", &[]).await.unwrap_err();
    assert_eq!(bed.left(&leased.handle.intent.name).await, (0, 0));
}

#[tokio::test]
async fn sessions_that_hold_on_to_things_end_with_their_lease() {
    let bed = Bed::new().await;
    let provider = bed.provider();
    let leased = bed.lease(&provider, &ask()).await;
    let name = &leased.handle.intent.name;
    let mut sessions = Vec::new();
    for sql in [
        // An open cursor in an open transaction.
        "BEGIN; DECLARE c CURSOR FOR SELECT * FROM accounts; FETCH 1 FROM c".to_owned(),
        // A table of its own, with a lock on it, and a view of others that needs it.
        "CREATE TABLE mine (id int); BEGIN; LOCK TABLE mine IN ACCESS EXCLUSIVE MODE".to_owned(),
        // A lock on the very row of the role.
        "BEGIN; ALTER ROLE CURRENT_USER SET work_mem = '1MB'".to_owned(),
        // Work under the operator's role, with a lock of advice.
        format!("SET ROLE {}; SELECT pg_advisory_lock(1)", bed.readers()),
    ] {
        let session = bed.session(&leased).await;
        session.batch_execute(&sql).await.expect(&sql);
        sessions.push(session);
    }
    assert_eq!(bed.left(name).await, (1, 4));
    assert_eq!(provider.revoke(&leased.handle, NOW).await, Ok(Revoked::Gone));
    for session in sessions {
        session.batch_execute("SELECT 1").await.unwrap_err();
    }
    assert_eq!(bed.left(name).await, (0, 0));
    assert_eq!(bed.count("SELECT count(*) FROM pg_class WHERE relname = 'mine'").await, 0);
}

#[tokio::test]
async fn a_statement_in_flight_is_cut_off_and_no_new_session_gets_in() {
    let bed = Bed::new().await;
    let provider = bed.provider();
    let leased = bed.lease(&provider, &ask()).await;
    let session = bed.session(&leased).await;
    let (slept, revoked) = tokio::join!(
        session.batch_execute("SELECT pg_sleep(60)"),
        provider.revoke(&leased.handle, NOW)
    );
    slept.unwrap_err();
    assert_eq!(revoked, Ok(Revoked::Gone));
    let Material::Login { user, password, database, .. } = &leased.material else { panic!() };
    connect(&bed.cluster.login(user, password.expose(), database)).await.err().unwrap();
}

#[tokio::test]
async fn sessions_that_come_without_end_do_not_outlive_the_revocation() {
    let bed = Bed::new().await;
    let provider = bed.provider();
    let leased = bed.lease(&provider, &ask()).await;
    let Material::Login { user, password, database, .. } = &leased.material else { panic!() };
    let dsn = bed.cluster.login(user, password.expose(), database);
    let storm = async {
        let mut opened = Vec::new();
        loop {
            match connect(&dsn).await {
                Ok(client) => opened.push(client),
                // Five at a time may be open; anything else means that the role is over.
                Err(error) if error.code().is_some_and(|code| code.code() == "53300") => {
                    opened.clear();
                }
                Err(_) => return opened,
            }
        }
    };
    let (opened, revoked) = tokio::join!(storm, provider.revoke(&leased.handle, NOW));
    assert_eq!(revoked, Ok(Revoked::Gone));
    for client in opened {
        client.batch_execute("SELECT 1").await.unwrap_err();
    }
    assert_eq!(bed.left(user).await, (0, 0));
}

#[tokio::test]
async fn what_a_role_prepared_or_left_in_another_database_goes_too() {
    let bed = Bed::new().await;
    let provider = bed.provider();
    let leased = bed.lease(&provider, &ask()).await;
    let Material::Login { user, password, .. } = &leased.material else { panic!() };
    let session = bed.session(&leased).await;
    session.batch_execute("CREATE TABLE mine (id int)").await.unwrap();
    session
        .batch_execute(&format!(
            "BEGIN; INSERT INTO mine VALUES (1); PREPARE TRANSACTION 'it''s {user}'"
        ))
        .await
        .unwrap();
    let other = format!("other{}", bed.number);
    bed.sudo(&format!("CREATE DATABASE {other}")).await;
    let there = connect(&bed.cluster.superuser(&other)).await.unwrap();
    there.batch_execute("GRANT CREATE ON SCHEMA public TO PUBLIC").await.unwrap();
    let guest = connect(&bed.cluster.login(user, password.expose(), &other)).await.unwrap();
    guest.batch_execute("CREATE TABLE far (id int)").await.unwrap();
    assert_eq!(provider.revoke(&leased.handle, NOW).await, Ok(Revoked::Gone));
    assert_eq!(bed.left(user).await, (0, 0));
    assert_eq!(
        bed.count("SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()")
            .await,
        0
    );
    let far = there.query_one("SELECT count(*) FROM pg_class WHERE relname = 'far'", &[]).await;
    assert_eq!(far.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn what_others_built_on_it_does_not_keep_a_role_alive() {
    let bed = Bed::new().await;
    let provider = bed.provider();
    let leased = bed.lease(&provider, &ask()).await;
    let session = bed.session(&leased).await;
    let readers = bed.readers();
    session
        .batch_execute(&format!(
            "CREATE TABLE mine (id int); GRANT SELECT ON mine TO {readers};
            ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {readers};
            SET ROLE {readers}; CREATE VIEW theirs AS SELECT * FROM mine"
        ))
        .await
        .unwrap();
    assert_eq!(provider.revoke(&leased.handle, NOW).await, Ok(Revoked::Gone));
    assert_eq!(bed.left(&leased.handle.intent.name).await, (0, 0));
}

#[tokio::test]
async fn a_lock_of_somebody_else_delays_the_revocation_but_not_the_end_of_the_sessions() {
    let bed = Bed::new().await;
    let provider = bed.provider();
    let leased = bed.lease(&provider, &ask()).await;
    let session = bed.session(&leased).await;
    session.batch_execute("CREATE TABLE mine (id int)").await.unwrap();
    bed.sudo("BEGIN; LOCK TABLE mine IN ACCESS SHARE MODE").await;
    let error = provider.revoke(&leased.handle, NOW).await.unwrap_err();
    assert!(matches!(error, ProviderError::Later { after: Some(_), .. }), "{error}");
    session.batch_execute("SELECT 1").await.unwrap_err();
    bed.sudo("COMMIT").await;
    assert_eq!(provider.revoke(&leased.handle, NOW).await, Ok(Revoked::Gone));
}

#[tokio::test]
async fn a_revocation_goes_on_when_its_own_connection_is_lost() {
    let bed = Bed::new().await;
    let provider = bed.provider();
    let leased = bed.lease(&provider, &ask()).await;
    let session = bed.session(&leased).await;
    session.batch_execute("CREATE TABLE mine (id int)").await.unwrap();
    bed.sudo("BEGIN; LOCK TABLE mine IN ACCESS SHARE MODE").await;
    let helper = connect(&bed.cluster.superuser(&bed.database)).await.unwrap();
    let cut = async {
        let waiting = "SELECT coalesce(bool_or(pg_terminate_backend(pid, 5000)), false)
            FROM pg_stat_activity WHERE application_name = 'writ revoke'
            AND datname = current_database() AND wait_event_type = 'Lock'";
        while !helper.query_one(waiting, &[]).await.unwrap().get::<_, bool>(0) {}
        bed.sudo("COMMIT").await;
    };
    let (revoked, ()) = tokio::join!(provider.revoke(&leased.handle, NOW), cut);
    assert_eq!(revoked, Ok(Revoked::Gone));
    assert_eq!(bed.left(&leased.handle.intent.name).await, (0, 0));
}

#[tokio::test]
async fn others_are_left_alone() {
    let bed = Bed::new().await;
    let provider = bed.provider();
    let (one, other) = (bed.lease(&provider, &ask()).await, bed.lease(&provider, &ask()).await);
    let session = bed.session(&other).await;
    assert_eq!(provider.revoke(&one.handle, NOW).await, Ok(Revoked::Gone));
    session.query_one("SELECT id FROM accounts", &[]).await.unwrap();
    assert_eq!(bed.left(&other.handle.intent.name).await, (1, 1));
}

#[tokio::test]
#[ignore = "prints what a lease and a revocation cost"]
#[expect(clippy::print_stdout, reason = "a measurement is for a person")]
async fn measure_lease_and_revocation() {
    let bed = Bed::new().await;
    let provider = bed.provider();
    let clock = tokio::time::Instant::now;
    let (mut made, mut ended) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..50 {
        let start = clock();
        let leased = bed.lease(&provider, &ask()).await;
        made += start.elapsed();
        let session = bed.session(&leased).await;
        let start = clock();
        provider.revoke(&leased.handle, NOW).await.unwrap();
        ended += start.elapsed();
        drop(session);
    }
    println!("lease {:?}, revocation with one open session {:?}", made / 50, ended / 50);
}
