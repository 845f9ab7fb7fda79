use super::*;
use crate::providers::postgres::scram;

#[tokio::test]
async fn a_lease_has_the_rights_of_the_operators_role_and_no_others() {
    let bed = Bed::new().await;
    let leased = bed.lease(&bed.provider(), &ask()).await;
    let session = bed.session(&leased).await;
    let row = session.query_one("SELECT id FROM accounts", &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 7);
    for sql in [
        "INSERT INTO accounts VALUES (8)",
        "CREATE ROLE another",
        "CREATE DATABASE another",
        "SET ROLE postgres",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY accounts TO PROGRAM 'true'",
    ] {
        session.batch_execute(sql).await.expect_err(sql);
    }
}

#[tokio::test]
async fn a_role_says_whose_it_is_and_ends_by_itself_for_new_sessions() {
    let bed = Bed::new().await;
    let (provider, ask) = (bed.provider(), ask());
    let leased = bed.lease(&provider, &ask).await;
    let name = &leased.handle.intent.name;
    let row = bed
        .superuser
        .query_one(
            "SELECT shobj_description(oid, 'pg_authid'), extract(epoch FROM rolvaliduntil)::bigint,
                rolconnlimit FROM pg_roles WHERE rolname = $1",
            &[name],
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, String>(0), format!("writ {} {}", ask.task, ask.lease));
    assert_eq!(row.get::<_, i64>(1), 4_000_000_600);
    assert_eq!(row.get::<_, i32>(2), 5);
    assert_eq!(leased.expires, Some(UnixMillis(4_000_000_600_000)));

    let past = LeaseAsk { at: UnixMillis(0), ..self::ask() };
    let old = provider.lease(&past, &provider.intent(&past), UnixMillis(0)).await.unwrap();
    let Material::Login { user, password, database, .. } = &old.material else { panic!() };
    connect(&bed.cluster.login(user, password.expose(), database)).await.err().unwrap();
}

#[tokio::test]
async fn the_password_is_in_no_statement_and_no_record() {
    let bed = Bed::new().await;
    let leased = bed.lease(&bed.provider(), &ask()).await;
    let Material::Login { user, password, .. } = &leased.material else { panic!() };
    // The session comes after the statement, so the log has both.
    bed.session(&leased).await.batch_execute("SELECT 'marker of this test'").await.unwrap();
    let log = bed.cluster.log();
    assert!(log.contains(&format!("CREATE ROLE \"{user}\"")));
    assert!(!log.contains(password.expose()));
    assert!(!format!("{leased:?}").contains(password.expose()));
    assert!(!serde_json::to_string(&leased.handle).unwrap().contains(password.expose()));
}

#[tokio::test]
async fn a_role_that_leads_to_rights_over_the_server_is_not_given_away() {
    let bed = Bed::new().await;
    let readers = bed.readers();
    for (grant, revoke) in [
        (format!("ALTER ROLE {readers} CREATEROLE"), format!("ALTER ROLE {readers} NOCREATEROLE")),
        (
            format!("GRANT pg_read_server_files TO {readers}"),
            format!("REVOKE pg_read_server_files FROM {readers}"),
        ),
        (format!("GRANT postgres TO {readers}"), format!("REVOKE postgres FROM {readers}")),
    ] {
        bed.sudo(&grant).await;
        let (provider, ask) = (bed.provider(), ask());
        let error = provider.lease(&ask, &provider.intent(&ask), NOW).await.unwrap_err();
        assert!(matches!(&error, ProviderError::Never { why } if why.contains("over the server")));
        bed.sudo(&revoke).await;
    }
    bed.lease(&bed.provider(), &ask()).await;
}

#[tokio::test]
async fn an_admin_without_the_right_is_told_which_it_lacks() {
    let bed = Bed::new().await;
    bed.sudo(&format!("ALTER ROLE admin{} NOCREATEROLE", bed.number)).await;
    let (provider, ask) = (bed.provider(), ask());
    let error = provider.lease(&ask, &provider.intent(&ask), NOW).await.unwrap_err();
    assert!(error.to_string().contains("CREATEROLE"), "{error}");
}

#[tokio::test]
async fn a_role_of_any_name_is_quoted() {
    let bed = Bed::new().await;
    let name = r#"re"ad'ers\; DROP TABLE accounts"#;
    let quoted = name.replace('"', "\"\"");
    bed.sudo(&format!(
        "CREATE ROLE \"{quoted}{n}\"; GRANT \"{quoted}{n}\" TO admin{n} WITH ADMIN OPTION",
        n = bed.number
    ))
    .await;
    let config = PostgresConfig { role: format!("{name}{}", bed.number), ..bed.config() };
    let provider = Postgres::new(config, Surroundings::new(|_| None));
    let leased = bed.lease(&provider, &ask()).await;
    assert_eq!(provider.revoke(&leased.handle, NOW).await, Ok(Revoked::Gone));
}

#[tokio::test]
async fn an_ask_for_another_role_or_with_an_old_intent_makes_nothing() {
    let bed = Bed::new().await;
    let provider = bed.provider();
    let wide = LeaseAsk { scope: Some("writers".to_owned()), ..ask() };
    let error = provider.lease(&wide, &provider.intent(&wide), NOW).await.unwrap_err();
    assert!(matches!(error, ProviderError::Beyond { .. }));
    let old = LeaseAsk { at: UnixMillis(NOW.0 - 31_000), ..ask() };
    let error = provider.lease(&old, &provider.intent(&old), NOW).await.unwrap_err();
    assert_eq!(error, ProviderError::Gone);
    let other = Intent { name: bed.readers(), ..provider.intent(&ask()) };
    provider.revoke(&other.into_handle(), NOW).await.unwrap_err();
    assert_eq!(bed.left(&bed.readers()).await.0, 1);
}

#[tokio::test]
async fn a_database_over_tls_is_believed_only_with_the_right_authority() {
    let bed = Bed::new().await;
    let admin = bed.cluster.login(&format!("admin{}", bed.number), "of the admin", &bed.database);
    bed.write("admin", &format!("{admin} sslmode=require"));
    let (provider, ask) = (bed.provider(), ask());
    let error = provider.lease(&ask, &provider.intent(&ask), NOW).await.unwrap_err();
    assert!(error.to_string().contains("TLS"), "{error}");
    bed.write("ca", &bed.cluster.ca());
    let config = PostgresConfig { ca: Some(bed.dir.path().join("ca")), ..bed.config() };
    let provider = Postgres::new(config, Surroundings::new(|_| None));
    let leased = bed.lease(&provider, &self::ask()).await;
    assert_eq!(provider.revoke(&leased.handle, NOW).await, Ok(Revoked::Gone));
}

#[tokio::test]
async fn the_unix_socket_does_as_well() {
    let bed = Bed::new().await;
    let (socket, port) = (bed.cluster.socket().display(), bed.cluster.port());
    let (number, database) = (bed.number, &bed.database);
    bed.write(
        "admin",
        &format!(
            "host={socket} port={port} user=admin{number} password='of the admin' dbname={database}"
        ),
    );
    let provider = bed.provider();
    let leased = bed.lease(&provider, &ask()).await;
    assert_eq!(provider.revoke(&leased.handle, NOW).await, Ok(Revoked::Gone));
}

#[tokio::test]
async fn an_unusable_connection_string_is_named_and_not_shown() {
    let bed = Bed::new().await;
    for (dsn, piece) in [
        ("host=127.0.0.1 hunter2 user=x", "no connection string"),
        ("host=db.example.com user=x password=hunter2 dbname=x sslmode=disable", "TLS off"),
        ("host=127.0.0.1,127.0.0.1 user=x password=hunter2 dbname=x", "exactly one host"),
        ("host=127.0.0.1 user=x password=hunter2", "dbname"),
    ] {
        bed.write("admin", dsn);
        let (provider, ask) = (bed.provider(), ask());
        let error = provider.lease(&ask, &provider.intent(&ask), NOW).await.unwrap_err();
        assert!(error.to_string().contains(piece), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}

#[test]
fn a_verifier_has_the_form_that_the_database_stores() {
    let verifier = scram::verifier("pencil", &[7; 16]);
    assert!(verifier.starts_with("SCRAM-SHA-256$4096:BwcHBwcHBwcHBwcHBwcHBw==$"), "{verifier}");
}
