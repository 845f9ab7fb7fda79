//! A database role that a tool holds itself: made for its task, and gone with it, sessions included.

use super::{Machine, words};
use crate::harness::guest;
use crate::running::eventually;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};
use writ_test_support::Postgres;

/// Runs statements, each in its own transaction, and waits.
fn psql(url: &str, statements: &[&str]) -> Output {
    session(url, statements).output().unwrap()
}

fn session(url: &str, statements: &[&str]) -> Command {
    let mut psql = Command::new("psql");
    psql.env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", url]);
    for statement in statements {
        psql.args(["-c", statement]);
    }
    psql
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_role_lives_with_its_task_and_its_sessions_die_with_it() {
    let machine = Machine::new();
    let cluster = Postgres::start();
    let sudo = |statements: &[&str]| said(&psql(&cluster.superuser("postgres"), statements));
    sudo(&[
        "CREATE ROLE readers",
        "CREATE TABLE accounts AS SELECT 7 AS id",
        "GRANT SELECT ON accounts TO readers",
        "CREATE ROLE admin LOGIN CREATEROLE PASSWORD 'of the admin'",
        "GRANT readers TO admin WITH ADMIN OPTION",
    ]);
    let private = |name: &str, text: &str| {
        let path = machine.state().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let admin = private("admin", &cluster.login("admin", "of the admin", "postgres"));
    let operators = private(
        "credentials.toml",
        &format!(
            "[credential.db]\nkind = \"postgres\"\nadmin = {{ file = \"{admin}\" }}\n\
             role = \"readers\"\nexpose = true\n"
        ),
    );
    let grant = private(
        "grant.toml",
        &format!(
            "[task]\nttl = \"10m\"\n[limits]\nwall = \"5m\"\n\
             [[tcp]]\nhost = \"127.0.0.1\"\nport = {}\n\
             [[credential]]\nname = \"db\"\nkind = \"postgres\"\nttl = \"5m\"\nexpose = true\n",
            cluster.port()
        ),
    );
    let tool = guest("secrets");
    let run = machine.writ(&["run", tool.to_str().unwrap(), "--grant", &grant]);
    let run = run.args(&["--credentials", &operators, "--dangerous-loopback", "--", "--hold"]);
    let mut child = run.start();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let url = lines
        .map(Result::unwrap)
        .find_map(|line| line.strip_prefix("variable DB_URL: ").map(str::to_owned))
        .unwrap();

    // What the tool holds is good for what the role may do, and for nothing else.
    assert_eq!(said(&psql(&url, &["SELECT id FROM accounts"])).trim(), "7");
    assert!(!psql(&url, &["DELETE FROM accounts"]).status.success());
    // A session that pretends to be another role, in the middle of something.
    let held = session(&url, &["SET ROLE readers", "SELECT pg_sleep(600)"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND usename LIKE 'writ%'";
    eventually("a session", || sudo(&[sleeping]).trim() == "1");
    assert_eq!(machine.tasks()[0]["credentials"].as_array().unwrap().len(), 1);

    let receipt = machine.kill(&["--all"]);
    assert_eq!(receipt["exit_code"], 0, "{receipt}");
    assert_eq!(child.wait().unwrap().code(), Some(137));
    let ended = held.wait_with_output().unwrap();
    assert!(!ended.status.success(), "{ended:?}");
    assert_eq!(sudo(&["SELECT count(*) FROM pg_roles WHERE rolname LIKE 'writ%'"]).trim(), "0");
    assert!(!psql(&url, &["SELECT 1"]).status.success(), "a copy still lets in");
    assert!(machine.tasks().is_empty());

    let story = words(&machine.records());
    let leases: Vec<_> = story.iter().filter(|word| word.starts_with("lease.")).collect();
    assert_eq!(leases, ["lease.intended", "lease.granted", "lease.revoked"], "{story:?}");
    let password = url.split([':', '@']).nth(2).unwrap();
    let kept = fs::read(machine.state().join("ledger.db")).unwrap();
    let log = fs::read(machine.state().join("ledger.db-wal")).unwrap_or_default();
    for bytes in [kept, log] {
        assert!(!bytes.windows(password.len()).any(|bytes| bytes == password.as_bytes()));
    }
}
