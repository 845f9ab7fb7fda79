//! The keys that sign tokens, as their operator sees them.

use super::Machine;
use crate::schema;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn listed(machine: &Machine) -> Vec<(String, String)> {
    let report = machine.writ(&["keys", "list", "--json"]).json();
    let keys = report["keys"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    keys.map(|key| (text(&key["kid"]), text(&key["state"]))).collect()
}

#[test]
fn a_key_is_published_before_it_signs_and_one_that_is_lost_goes_at_once() {
    let machine = Machine::new();
    assert!(listed(&machine).is_empty());
    let first = machine.writ(&["keys", "rotate", "--json"]).json();
    assert_eq!(
        (&first["done"], &first["keys"][0]["state"]),
        (&"published".into(), &"signs".into())
    );
    let next = machine.writ(&["keys", "rotate", "--json"]).json();
    let states: Vec<_> = listed(&machine).into_iter().map(|(_, state)| state).collect();
    assert_eq!(
        (&next["done"], states),
        (&"published".into(), vec!["signs".to_owned(), "next".to_owned()])
    );

    // Checkers may not have heard of it yet.
    let early = machine.writ(&["keys", "rotate", "--json"]).done();
    let report = schema::read(&early.stdout);
    assert_eq!((early.code, &report["exit_code"]), (2, &2.into()));

    let (lost, _) = listed(&machine).remove(0);
    let removed = machine.writ(&["keys", "remove", &lost, "--json"]).json();
    assert_eq!(removed["done"], "removed");
    let left = listed(&machine);
    assert_eq!((left.len(), &*left[0].1), (1, "signs"));
    assert_ne!(left[0].0, lost);
    let files = fs::read_dir(machine.state().join("keys")).unwrap();
    for file in files.map(|entry| entry.unwrap()) {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(fs::read_dir(machine.state().join("keys")).unwrap().count(), 1);

    let jwks: serde_json::Value =
        serde_json::from_slice(&machine.writ(&["keys", "jwks"]).done().stdout).unwrap();
    assert_eq!(
        (&jwks["keys"][0]["kid"], &jwks["keys"][0]["crv"]),
        (&left[0].0[..].into(), &"P-256".into())
    );
    assert_eq!(jwks["keys"][0].get("d"), None);
}

#[test]
fn a_key_that_others_could_read_is_not_used() {
    let machine = Machine::new();
    machine.writ(&["keys", "rotate", "--json"]).json();
    fs::set_permissions(machine.state().join("keys"), fs::Permissions::from_mode(0o755)).unwrap();
    let ran = machine.writ(&["keys", "rotate"]).done();
    assert_eq!(ran.code, 125, "{ran:?}");
    assert!(ran.stderr.contains("error[C0106]") && ran.stderr.contains("chmod 700"), "{ran:?}");
}

#[test]
fn what_names_no_key_is_refused() {
    let machine = Machine::new();
    for kid in ["x", "-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let ran = machine.writ(&["keys", "remove", kid]).done();
        assert_eq!(ran.code, 2, "{ran:?}");
    }
}
