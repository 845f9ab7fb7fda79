//! `writ check`, `writ explain` and `writ completions`.

use crate::harness::{Ran, Writ, grant, guest};
use crate::schema;
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;
use writ_broker::codes;
use writ_broker::limits::FIELDS;

const SOUND: &str = r#"[task]
ttl = "10m"

[[fs]]
guest = "/src"
host = "."
access = "read"

[[http]]
host = "api.github.com"
methods = ["GET"]
paths = ["/repos/acme/**"]
"#;

const BROKEN: &str = r#"[task]
ttl = "10m"
porpoise = "x"

[[fs]]
guest = "/src"
host = "."
access = "rea"

[limits]
memory = "0"
"#;

/// Sound, and wider than it should be.
const BROAD: &str = "[task]\nttl = \"3d\"\n";

fn check(folder: &TempDir, words: &[&str]) -> Ran {
    Writ::new(&["check", "grant.toml"]).args(words).within(folder.path()).done()
}

fn check_json(folder: &TempDir, words: &[&str]) -> (i32, Value) {
    let ran = check(folder, &[&["--json"], words].concat());
    (ran.code, schema::read(&ran.stdout))
}

#[test]
fn a_sound_grant_is_printed_as_what_it_adds_up_to() {
    let folder = grant(SOUND);
    let ran = check(&folder, &[]);
    assert_eq!((ran.code, &*ran.stderr), (0, ""), "{ran:?}");
    let sum: toml::Table = ran.text().parse().unwrap();
    assert_eq!(sum["task"]["ttl"].as_str(), Some("10m"));
    let host = fs::canonicalize(folder.path()).unwrap();
    assert_eq!(sum["fs"][0]["host"].as_str(), host.to_str());
    // What was left out is said as well.
    assert_eq!(sum["http"][0]["port"].as_integer(), Some(443));
    assert_eq!(sum["limits"]["memory"].as_str(), Some("256MiB"));
    assert_eq!(sum["limits"].as_table().unwrap().len(), FIELDS.len());
}

#[test]
fn the_sum_is_a_grant_that_means_the_same() {
    let folder = grant(SOUND);
    let first = check(&folder, &[]);
    let second = check(&grant(first.text()), &[]);
    assert_eq!((second.code, second.text()), (0, first.text()), "{second:?}");
}

#[test]
fn flags_add_to_a_file() {
    let folder = grant(SOUND);
    let words = ["--write", ".::/out", "--env", "A=b", "--http", "GET https://example.com/x"];
    let (code, report) =
        check_json(&folder, &[&words[..], &["--tcp", "db.example.com:5432"]].concat());
    assert_eq!(code, 3, "the same directory twice: {report}");
    fs::create_dir(folder.path().join("out")).unwrap();
    let words = [&["--write", "./out::/src/out"], &words[2..]].concat();
    let (code, report) =
        check_json(&folder, &[&words[..], &["--tcp", "db.example.com:5432"]].concat());
    assert_eq!(code, 0, "{report}");
    let sum = &report["grant"];
    assert_eq!(sum["fs"].as_array().unwrap().len(), 2);
    assert_eq!(sum["fs"][1]["access"], "write");
    assert_eq!(sum["http"][1]["host"], "example.com");
    assert_eq!(sum["env"], json!({"A": "b"}));
    assert_eq!(sum["tcp"][0]["port"], 5432);
}

#[test]
fn the_sum_says_which_requests_carry_which_credential() {
    let uses = SOUND.replace("[[http]]\n", "[[http]]\ncredential = \"github\"\n");
    let credential =
        "[[credential]]\nname = \"github\"\nkind = \"github-app\"\nresource = \"site\"\n";
    let folder = grant(&format!("{uses}{credential}"));
    let (code, report) = check_json(&folder, &[]);
    assert_eq!((code, &report["warnings"]), (0, &json!(0)), "{report}");
    assert_eq!(report["grant"]["http"][0]["credential"], "github");
    let expected = json!({
        "name": "github", "kind": "github-app", "resource": "site", "ttl": "1m", "place": "bearer",
    });
    assert_eq!(report["grant"]["credential"], json!([expected]));
    let (code, report) = check_json(&grant(&uses), &[]);
    assert_eq!((code, &report["diagnostics"][0]["code"]), (3, &json!("G0605")), "{report}");
}

#[test]
fn a_flag_cannot_raise_what_the_file_says() {
    let folder = grant("[limits]\nmemory = \"64MiB\"\n[task]\nttl = \"1m\"\n");
    let ran = check(&folder, &["--limit", "memory=128MiB"]);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("error[G0505]"), "{ran:?}");
    let (code, report) = check_json(&folder, &["--limit", "memory=32MiB"]);
    assert_eq!((code, &report["grant"]["limits"]["memory"]), (0, &json!("32MiB")), "{report}");
}

#[test]
fn a_grant_may_be_made_of_flags_alone() {
    let ran = Writ::new(&["check", "--limit", "memory=64MiB", "--ttl", "1m"]).done();
    let sum: toml::Table = ran.text().parse().unwrap();
    assert_eq!((ran.code, sum["limits"]["memory"].as_str()), (0, Some("64MiB")));
}

#[test]
fn errors_are_shown_at_their_place_with_a_way_out() {
    let ran = check(&grant(BROKEN), &[]);
    assert_eq!((ran.code, ran.text()), (3, ""));
    for words in [
        "error[G0102]: [task] has no key \"porpoise\"\n --> grant.toml:3:1\n",
        "3 | porpoise = \"x\"\n  | ^^^^^^^^ unknown key\n",
        "= help: did you mean \"purpose\"?",
        "error[G0108]: access is \"read\" or \"write\"\n --> grant.toml:8:10\n",
        "error[G0502]: 0 is no bound",
        "3 errors",
    ] {
        assert!(ran.stderr.contains(words), "no {words:?} in {}", ran.stderr);
    }
}

#[test]
fn errors_are_told_to_a_script_with_line_and_column() {
    let (code, report) = check_json(&grant(BROKEN), &[]);
    assert_eq!(
        (code, &report["schema"], &report["ok"]),
        (3, &json!("writ.check/1"), &json!(false))
    );
    assert_eq!((&report["errors"], &report["grant"]), (&json!(3), &Value::Null));
    let first = &report["diagnostics"][0];
    assert_eq!((&first["code"], &first["severity"]), (&json!("G0102"), &json!("error")));
    assert_eq!((&first["place"]["line"], &first["place"]["column"]), (&json!(3), &json!(1)));
}

#[test]
fn sarif_is_what_code_scanners_read() {
    let ran = check(&grant(BROKEN), &["--sarif"]);
    let report: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!((ran.code, &report["version"]), (3, &json!("2.1.0")));
    let run = &report["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "writ");
    let result = &run["results"][0];
    assert_eq!((&result["ruleId"], &result["level"]), (&json!("G0102"), &json!("error")));
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "grant.toml");
    assert_eq!(place["region"]["startLine"], 3);
    let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
    assert_eq!(rule["id"], "G0102");
    let sound = check(&grant(SOUND), &["--sarif"]);
    let report: Value = serde_json::from_slice(&sound.stdout).unwrap();
    assert_eq!((sound.code, &report["runs"][0]["results"]), (0, &json!([])));
}

#[test]
fn warnings_fail_only_who_asks_for_it() {
    let folder = grant(BROAD);
    let ran = check(&folder, &[]);
    assert_eq!(ran.code, 0);
    assert!(ran.stderr.contains("warning[G0507]: the task may live for 3d"), "{ran:?}");
    assert_eq!(check(&folder, &["--deny-warnings"]).code, 3);
    assert_eq!(check(&grant(SOUND), &["--deny-warnings"]).code, 0);
}

#[test]
fn a_grant_that_is_too_broad_is_an_error() {
    for (text, code) in [
        ("[[fs]]\nguest=\"/r\"\nhost=\"/\"\naccess=\"read\"\n", "G02"),
        ("[[http]]\nhost=\"*\"\nmethods=[\"GET\"]\npaths=[\"/\"]\n", "G03"),
        ("[[http]]\nhost=\"*.co.uk\"\nmethods=[\"GET\"]\npaths=[\"/\"]\n", "G03"),
    ] {
        let (exit, report) = check_json(&grant(&format!("[task]\nttl=\"1m\"\n{text}")), &[]);
        assert_eq!(exit, 3, "{text}: {report}");
        let found = report["diagnostics"][0]["code"].as_str().unwrap();
        assert!(found.starts_with(code), "{text}: {report}");
    }
}

#[test]
fn a_refusal_stands_though_nobody_reads_it() {
    for (text, expected) in [(BROKEN, 3), (SOUND, 0)] {
        let folder = grant(text);
        for format in [vec![], vec!["--json"], vec!["--sarif"]] {
            let closed = || {
                let (reader, writer) = std::io::pipe().unwrap();
                drop(reader);
                writer
            };
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_writ"));
            command.args(["check", "grant.toml"]).args(&format).current_dir(folder.path());
            command.env_clear().env("HOME", "/nowhere");
            let status = command.stdout(closed()).stderr(closed()).status().unwrap();
            assert_eq!(status.code(), Some(expected), "{format:?}");
        }
    }
}

#[test]
fn writs_own_directories_are_found_as_a_run_finds_them() {
    let folder = grant(SOUND);
    fs::create_dir(folder.path().join("elsewhere")).unwrap();
    for name in ["WRIT_CACHE_DIR", "WRIT_STATE_DIR"] {
        let check = Writ::new(&["check", "grant.toml"]).within(folder.path());
        let ran = check.env(name, folder.path().join("elsewhere")).done();
        assert_eq!(ran.code, 3, "{name}");
        assert!(ran.stderr.contains("error[G0205]"), "{ran:?}");
    }
}

#[test]
fn a_grant_that_is_not_there_is_an_error() {
    let ran = Writ::new(&["check", "absent.toml"]).done();
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("error[G0105]: the grant file absent.toml cannot be read"));
}

#[test]
fn hostile_text_in_a_grant_is_shown_and_not_obeyed() {
    let ran = check(&grant("[task]\n\"\\u001b]0;owned\\u0007\" = 1\n# \u{202e}\n"), &[]);
    assert_eq!(ran.code, 3);
    assert!(!ran.stderr.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{:?}", ran.stderr);
}

#[test]
fn a_run_reads_a_grant_as_check_does() {
    let folder = grant(BROKEN);
    let tool = guest("hello-p1");
    let run = Writ::new(&["run", tool.to_str().unwrap(), "--grant", "grant.toml"]);
    let ran = run.within(folder.path()).done();
    assert_eq!((ran.code, ran.text()), (3, ""));
    assert!(ran.stderr.contains("error[G0102]") && ran.stderr.contains("grant.toml:3:1"));
    assert!(ran.stderr.ends_with("the grant has 3 errors; nothing was run\n"), "{ran:?}");
}

#[test]
fn a_grant_and_flags_together_are_what_a_run_gets() {
    let folder =
        grant("[task]\nttl = \"1m\"\n[[fs]]\nguest = \"/a\"\nhost = \"a\"\naccess = \"read\"\n");
    for name in ["a", "b"] {
        fs::create_dir(folder.path().join(name)).unwrap();
        fs::write(folder.path().join(name).join("file"), name).unwrap();
    }
    for path in ["/a/file", "/b/file"] {
        let run = Writ::run(&guest("files")).within(folder.path());
        let run = run.args(&["--grant", "grant.toml", "--read", "b::/b", "--", "read", path]);
        assert_eq!(run.json()["exit_code"], 0, "{path}");
    }
}

#[test]
fn every_code_is_explained() {
    let all = Writ::new(&["explain"]).done();
    assert_eq!(all.code, 0);
    for code in codes::ALL {
        let ran = Writ::new(&["explain", code]).done();
        assert_eq!((ran.code, &*ran.stderr), (0, ""), "{code}");
        let (title, body) = ran.text().split_once("\n\n").unwrap();
        assert!(title.starts_with(&format!("{code}: ")), "{title}");
        assert!(body.len() > 100, "{code} is hardly explained: {body}");
        assert!(all.text().contains(&format!("{code}  ")), "{code} is not listed");
    }
    assert_eq!(all.text().lines().count(), codes::ALL.len());
}

#[test]
fn a_code_that_does_not_exist_is_refused_with_a_guess() {
    let ran = Writ::new(&["explain", "D101"]).done();
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("did you mean D0101?"), "{ran:?}");
}

#[test]
fn each_shell_gets_its_completions() {
    for (shell, words) in
        [("bash", "complete -F _writ"), ("zsh", "#compdef writ"), ("fish", "complete -c writ")]
    {
        let ran = Writ::new(&["completions", shell]).done();
        assert_eq!((ran.code, &*ran.stderr), (0, ""), "{shell}");
        for words in [words, "inspect", "require-confinement"] {
            assert!(ran.text().contains(words), "{shell} has no {words:?}");
        }
        // How a worker is started is nobody's business.
        assert!(!ran.text().contains("__worker"), "{shell}");
    }
}

#[test]
fn completions_for_bash_are_bash() {
    let ran = Writ::new(&["completions", "bash"]).done();
    let mut shell = std::process::Command::new("bash");
    let status = shell.args(["-n", "-c", ran.text()]).status().unwrap();
    assert!(status.success());
}
