//! Every object that the program prints for a script is held to the schema that comes with it.

use crate::harness::{Ran, Writ, grant, guest, refused};
use jsonschema::Validator;
use serde_json::{Value, json};
use std::fs;
use std::sync::LazyLock;

static RUN: LazyLock<Validator> =
    LazyLock::new(|| validator(include_str!("../src/output/schema/run.json")));
static CHECK: LazyLock<Validator> =
    LazyLock::new(|| validator(include_str!("../src/output/schema/check.json")));
static INSPECT: LazyLock<Validator> =
    LazyLock::new(|| validator(include_str!("../src/output/schema/inspect.json")));
static PS: LazyLock<Validator> =
    LazyLock::new(|| validator(include_str!("../src/output/schema/ps.json")));
static KILL: LazyLock<Validator> =
    LazyLock::new(|| validator(include_str!("../src/output/schema/kill.json")));
static KEYS: LazyLock<Validator> =
    LazyLock::new(|| validator(include_str!("../src/output/schema/keys.json")));

fn validator(text: &str) -> Validator {
    let schema = serde_json::from_str(text).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    jsonschema::draft202012::new(&schema).unwrap()
}

/// What does not fit the schema that an object names; empty if all does.
fn faults(object: &Value) -> Vec<String> {
    let schema = match object["schema"].as_str() {
        Some("writ.run/1") => &RUN,
        Some("writ.check/1") => &CHECK,
        Some("writ.inspect/1") => &INSPECT,
        Some("writ.ps/1") => &PS,
        Some("writ.kill/1") => &KILL,
        Some("writ.keys/1") => &KEYS,
        other => return vec![format!("there is no schema {other:?}")],
    };
    schema.iter_errors(object).map(|fault| format!("{}: {fault}", fault.instance_path())).collect()
}

/// Reads one object as a script would, and holds it to its schema.
#[track_caller]
pub(crate) fn read(bytes: &[u8]) -> Value {
    let object = serde_json::from_slice(bytes);
    let object = object.unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(bytes));
    });
    assert_eq!(faults(&object), [""; 0], "{object:#}");
    object
}

fn said(ran: &Ran) -> Value {
    let object = read(&ran.stdout);
    if let Some(code) = object.get("exit_code") {
        assert_eq!(code, ran.code, "{object}");
    }
    object
}

#[test]
fn a_schema_refuses_what_it_does_not_describe() {
    let report = Writ::run(&guest("hello-p1")).json();
    for (key, value) in [
        ("exit_code", json!("0")),
        ("exit_code", json!(256)),
        ("outcome", json!("done")),
        ("limit", json!("wall")),
        ("surprise", json!(1)),
        ("truncated", json!(["memory"])),
        ("error", json!({"message": "x"})),
        ("schema", json!("writ.run/2")),
    ] {
        let mut wrong = report.clone();
        wrong[key] = value;
        assert_ne!(faults(&wrong), [""; 0], "{key} may be {}", wrong[key]);
    }
    for key in ["task", "tool", "stdout", "denials", "usage", "confinement"] {
        let mut wrong = report.clone();
        wrong.as_object_mut().unwrap().remove(key);
        assert_ne!(faults(&wrong), [""; 0], "{key} may be missing");
    }
}

#[test]
fn a_script_is_told_what_is_wrong_with_a_grant() {
    let folder = grant("[task]\nttl = \"1m\"\nporpoise = 1\n");
    let run = Writ::run(&guest("hello-p1")).within(folder.path());
    let ran = run.args(&["--grant", "grant.toml"]).done();
    let report = said(&ran);
    assert_eq!((ran.code, &report["outcome"]), (3, &json!("error")));
    let found = &report["error"]["diagnostics"][0];
    assert_eq!(found["code"], "G0102", "{report}");
    assert_eq!(
        (&found["place"]["file"], &found["place"]["line"]),
        (&json!("grant.toml"), &json!(3))
    );
    assert!(ran.stderr.contains("error[G0102]"), "{ran:?}");
    let checked = Writ::new(&["check", "grant.toml", "--json"]).within(folder.path()).json();
    assert_eq!(checked["diagnostics"], report["error"]["diagnostics"]);
}

#[test]
fn a_script_is_told_that_its_command_line_makes_no_sense() {
    let tool = guest("hello-p1");
    let tool = tool.to_str().unwrap();
    for words in [
        &["run", tool, "--json", "--frobnicate"][..],
        &["run", "--json"],
        &["run", "--json", tool, "--name-server", "x"],
        &["run", "--json", "absent.wasm"],
        &["run", "--json", tool, "--ca", "absent.pem"],
    ] {
        let ran = Writ::new(words).done();
        let report = said(&ran);
        assert_eq!((ran.code, &report["outcome"]), (2, &json!("error")), "{words:?}");
    }
    let ran = Writ::new(&["run", tool, "--json", "--frobnicate"]).done();
    let report = said(&ran);
    let (code, message) = refused(&report);
    assert_eq!(code, "U0101");
    assert!(message.starts_with("unexpected argument '--frobnicate' found"), "{message}");
    assert!(ran.stderr.contains("'--frobnicate'") && ran.stderr.contains("Usage:"), "{ran:?}");
    // The words of the tool are none of ours, and who asks for nothing gets nothing.
    for words in [&["run", "--frobnicate", "--", "--json"][..], &["inspect"], &["--json"]] {
        let ran = Writ::new(words).done();
        assert_eq!((ran.code, ran.text()), (2, ""), "{words:?}");
    }
    let help = Writ::new(&["run", "--json", "--help"]).done();
    assert!(help.code == 0 && help.text().contains("Exit codes:"), "{help:?}");
}

#[test]
fn a_script_is_told_why_a_tool_cannot_be_inspected() {
    let garbage = guest("garbage");
    for (words, code, exit) in [
        (&[garbage.to_str().unwrap(), "--json"][..], json!("T0101"), 2),
        (&["absent.wasm", "--json"][..], Value::Null, 2),
        (&["--json"][..], json!("U0101"), 2),
    ] {
        let ran = Writ::new(&["inspect"]).args(words).done();
        let report = said(&ran);
        assert_eq!((ran.code, &report["error"]["code"]), (exit, &code), "{report}");
        assert_ne!(report["error"]["message"], "", "{report}");
    }
}

#[test]
fn a_script_is_told_why_a_grant_cannot_be_checked() {
    let ran = Writ::new(&["check", "--json", "--frobnicate"]).done();
    let report = said(&ran);
    assert_eq!((ran.code, &report["diagnostics"][0]["code"]), (2, &json!("U0101")));
    let ran = Writ::new(&["check", "--json", "absent.toml"]).done();
    assert_eq!((ran.code, &said(&ran)["diagnostics"][0]["code"]), (3, &json!("G0105")));
}

#[test]
fn every_key_of_a_grant_and_every_kind_of_tool_fits_its_schema() {
    let text = r#"
        [task]
        ttl = "10m"
        purpose = "bundle the site"
        [[fs]]
        guest = "/src"
        host = "."
        access = "read"
        [[http]]
        host = "api.github.com"
        methods = ["GET"]
        paths = ["/repos/**"]
        addresses = ["10.0.0.0/8"]
        credential = "site-2"
        [[tcp]]
        host = "db.example.com"
        port = 5432
        [[credential]]
        name = "site-2"
        kind = "jwt"
        audience = "https://api.github.com"
        scope = "repo:read issues"
        resource = "site"
        ttl = "90s"
        place = "header:X-Api-Key"
        [[credential]]
        name = "unused"
        kind = "secret"
        [[credential]]
        name = "db"
        kind = "postgres"
        resource = "public"
        expose = true
        [env]
        NODE_ENV = "production"
        [limits]
        wall = "1500ms"
        disk = "1000"
    "#;
    let folder = grant(text);
    let report = Writ::new(&["check", "grant.toml", "--json"]).within(folder.path()).json();
    for key in ["task", "fs", "http", "tcp", "credential", "env", "limits"] {
        assert!(!report["grant"][key].is_null(), "{key} is not in {report}");
    }
    for name in ["types", "types-map", "escape", "hello-p1", "textstat", "fetch", "hostile"] {
        let report = Writ::new(&["inspect", guest(name).to_str().unwrap(), "--json"]).json();
        assert_eq!(report["name"], name);
    }
}

#[test]
fn arguments_that_are_too_large_are_the_callers_fault() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("args.json");
    let call = |text: &str| {
        fs::write(&file, text).unwrap();
        let run = Writ::run(&guest("types")).args(&["--call", "echo-string", "--args"]);
        run.args(&[&format!("@{}", file.display())]).json()
    };
    for size in [5 << 20, 17 << 20] {
        let report = call(&format!("[\"{}\"]", "x".repeat(size)));
        let (code, message) = refused(&report);
        assert_eq!((code, &report["exit_code"]), ("T0106", &json!(2)), "{message}");
        assert!(message.contains("more than 4194304 bytes"), "{message}");
    }
    let report = call("[\"x\"]");
    assert_eq!((&report["result"], &report["exit_code"]), (&json!("x"), &json!(0)));
}
