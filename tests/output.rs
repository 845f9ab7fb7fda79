//! What a guest says reaches a script unchanged and a person unharmed.

use crate::harness::{Ran, Writ, denied, guest};
use base64::Engine as _;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use writ_broker::text::is_treacherous;

/// Nothing in a text changes how a terminal, a log or a reader sees what stands beside it.
fn harmless(text: &str) {
    let found = text.chars().find(|c| is_treacherous(*c) && !matches!(c, '\n' | '\t'));
    assert!(found.is_none(), "{found:?} in {text:?}");
}

/// Runs a fixture without `--json`.
fn plain(tool: &Path, words: &[&str]) -> Ran {
    Writ::new(&["run", tool.to_str().unwrap()]).args(words).done()
}

/// The report as the bytes it came in, and read.
fn report(tool: &Path, words: &[&str]) -> (String, Value) {
    let ran = Writ::run(tool).args(words).done();
    let text = ran.text().to_owned();
    let value = crate::schema::read(text.as_bytes());
    (text, value)
}

/// Runs the program on a terminal and returns what the terminal was sent.
fn on_a_terminal(words: &[&str], environment: &[(&str, &Path)]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let line = format!("'{}' {}", env!("CARGO_BIN_EXE_writ"), quoted.join(" "));
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-home");
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("TERM", "xterm").env("SHELL", "/bin/sh");
    command.env("HOME", &home).env("WRIT_CACHE_DIR", home.join("cache"));
    command.env("WRIT_STATE_DIR", home.join("state")).envs(environment.iter().copied());
    let output = command.output().expect("`script` of bsdutils is installed everywhere");
    String::from_utf8(output.stdout).unwrap()
}

/// Both builds of the fixture that writes what terminals obey.
fn escapes() -> [PathBuf; 2] {
    [guest("escape"), guest("escape-p1")]
}

#[test]
fn a_report_holds_nothing_that_a_terminal_obeys_and_loses_nothing() {
    for tool in escapes() {
        let (text, report) = report(&tool, &[]);
        harmless(&text);
        assert_eq!(text.lines().count(), 1);
        // What is no text comes whole beside what can be read of it.
        for stream in ["stdout", "stderr"] {
            let exact = report[format!("{stream}_base64")].as_str().unwrap();
            let exact = base64::engine::general_purpose::STANDARD.decode(exact).unwrap();
            assert_eq!(report[stream], String::from_utf8_lossy(&exact).into_owned());
            for attack in
                [&b"\x1b]0;owned\x07"[..], b"c1-raw: \x9b31m\x90q\x9c", b"denied\rallowed"]
            {
                assert!(exact.windows(attack.len()).any(|it| it == attack), "no {attack:?}");
            }
        }
    }
}

#[test]
fn a_report_is_not_confused_by_a_report_inside_of_it() {
    for tool in escapes() {
        let (text, report) = report(&tool, &["--", "exit"]);
        assert_eq!(report["exit_code"], 1);
        assert_eq!(report["outcome"], "exited");
        assert_eq!(text.matches("\"denials\":").count(), 1, "{text}");
        let stdout = report["stdout"].as_str().unwrap();
        assert!(stdout.contains(r#"{"schema":"writ.run/1","outcome":"exited","exit_code":0"#));
    }
}

#[test]
fn standard_output_passes_byte_for_byte_to_a_pipe() {
    for tool in escapes() {
        let (_, report) = report(&tool, &["--", "stdout"]);
        let exact = report["stdout_base64"].as_str().unwrap();
        let exact = base64::engine::general_purpose::STANDARD.decode(exact).unwrap();
        let ran = plain(&tool, &["--", "stdout"]);
        assert_eq!((ran.code, ran.stdout == exact), (0, true));
        assert_eq!(ran.stderr, "");
    }
}

#[test]
fn standard_error_is_always_escaped() {
    for tool in escapes() {
        let ran = plain(&tool, &["--", "stderr"]);
        harmless(&ran.stderr);
        assert!(ran.stderr.contains("title: \\u{1b}]0;owned\\u{7}\n"), "{}", ran.stderr);
        assert!(ran.stderr.contains("c1-raw: \\x9b31m\\x90q\\x9c\n"), "{}", ran.stderr);
        assert!(ran.stderr.contains("overwrite-line: denied\\u{d}allowed"), "{}", ran.stderr);
    }
}

#[test]
fn a_terminal_gets_nothing_that_it_obeys() {
    for tool in escapes() {
        for stream in ["stdout", "stderr"] {
            let words = ["run", tool.to_str().unwrap(), "--", stream];
            let seen = on_a_terminal(&words, &[]).replace("\r\n", "\n");
            harmless(&seen);
            assert!(seen.contains("clear-screen: \\u{1b}[2J\\u{1b}[H\n"), "{seen}");
            assert!(seen.contains("bidi: \\u{202e}gnp.exe"), "{seen}");
        }
    }
}

#[test]
fn a_terminal_is_told_when_compiling_takes_long_and_a_pipe_is_not() {
    let tool = crate::harness::third_party("slugify");
    let words = ["run", tool.to_str().unwrap(), "--call", "slugify", "--args", r#"["A b"]"#];
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let seen = on_a_terminal(&words, &[("WRIT_CACHE_DIR", one.path())]);
    assert!(seen.contains("compiling slugify"), "{seen}");
    assert!(seen.contains("\"a-b\""), "{seen}");
    let piped = Writ::new(&words).env("WRIT_CACHE_DIR", other.path()).done();
    assert_eq!((piped.text(), &*piped.stderr), ("\"a-b\"\n", ""));
}

#[test]
fn a_result_with_hostile_text_is_harmless_and_means_the_same() {
    let hostile = guest("hostile");
    let expected = "\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7} \u{9b}2J \u{8}\u{0}\r\n\
        \u{202e}gnp.exe\u{2066} \u{200b}\u{feff} \u{2028} \u{7f} \
        \"},\"outcome\":\"exited\",\"result\":{\"a\":\"";
    for (function, result) in [
        ("text", json!(expected)),
        ("fail-text", json!({"err": expected})),
        ("nested-text", json!([[expected, expected], [expected, null]])),
    ] {
        let (text, report) = report(&hostile, &["--call", function]);
        harmless(&text);
        assert_eq!(report["result"], result, "{function}");
        let ran = plain(&hostile, &["--call", function]);
        harmless(ran.text());
        assert_eq!(serde_json::from_str::<Value>(ran.text()).unwrap(), result, "{function}");
    }
}

#[test]
fn what_a_function_prints_does_not_stand_in_its_result() {
    let arguments = r#"["{\"result\":1}\n"]"#;
    let (_, report) = report(&guest("hostile"), &["--call", "print", "--args", arguments]);
    assert_eq!(report["result"], Value::Null);
    assert_eq!(report["stdout"], "{\"result\":1}\n");
}

#[test]
fn a_fresh_instance_serves_each_call() {
    for _ in 0..2 {
        let (_, report) = report(&guest("hostile"), &["--call", "count-calls"]);
        assert_eq!(report["result"], 1);
    }
}

#[test]
fn names_in_a_trap_are_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let tool = folder.path().join("evil.wasm");
    let text = r#"(module (memory (export "memory") 1)
        (func $"\1b]0;owned\07\1b[2J\e2\80\aegnp\0d" unreachable)
        (func (export "_start") (call $"\1b]0;owned\07\1b[2J\e2\80\aegnp\0d")))"#;
    std::fs::write(&tool, wat::parse_str(text).unwrap()).unwrap();
    let (text, report) = report(&tool, &[]);
    harmless(&text);
    assert_eq!((&report["outcome"], &report["exit_code"]), (&json!("trapped"), &json!(1)));
    assert!(report["reason"].as_str().unwrap().contains("owned"), "{report}");
    let ran = plain(&tool, &[]);
    harmless(&ran.stderr);
    assert!(ran.stderr.contains("\\u{1b}]0;owned"), "{}", ran.stderr);
}

#[test]
fn a_panic_message_is_harmless() {
    let message = "\u{1b}[2J\u{202e} error[D0102]: do it";
    let ran = plain(&guest("limits"), &["--", "panic", message]);
    harmless(&ran.stderr);
    assert_eq!(ran.code, 1);
    let (text, report) = report(&guest("limits"), &["--", "panic", message]);
    harmless(&text);
    assert!(report["stderr"].as_str().unwrap().contains(message), "{report}");
}

#[test]
fn the_name_of_a_tool_is_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let tool = folder.path().join("\u{1b}[2Jevil\u{202e}.wasm");
    std::fs::copy(guest("start-traps"), &tool).unwrap();
    let ran = plain(&tool, &[]);
    harmless(&ran.stderr);
    assert_eq!(ran.code, 1);
    harmless(&report(&tool, &[]).0);
    std::fs::write(&tool, "garbage").unwrap();
    harmless(&plain(&tool, &[]).stderr);
}

#[test]
fn denials_are_listed_up_to_a_number_and_counted_beyond() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/etc", folder.path().join("out")).unwrap();
    let opened = |rounds| {
        let run = Writ::run(&guest("files")).read(folder.path(), "/d");
        run.args(&["--", "open-loop", "/d/out", rounds]).json()
    };
    // Two attempts each round.
    let few = opened("10");
    assert_eq!((denied(&few).len(), &few["denials_omitted"]), (20, &json!(0)), "{few}");
    let many = opened("5000");
    assert_eq!(denied(&many).len(), 256);
    assert_eq!(many["denials_omitted"], 10_000 - 256);
    assert_eq!(many["outcome"], "exited", "the bound on time was not hit: {}", many["usage"]);
}

#[test]
fn every_key_of_the_report_is_there() {
    let (_, report) = report(&guest("hello-p1"), &[]);
    assert_eq!(report["schema"], "writ.run/1");
    let keys: Vec<&str> = report.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = [
        "schema",
        "task",
        "tool",
        "outcome",
        "exit_code",
        "stdout",
        "stderr",
        "truncated",
        "denials",
        "denials_omitted",
        "usage",
        "confinement",
    ];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    let keys: Vec<&str> = report["usage"].as_object().unwrap().keys().map(String::as_str).collect();
    let usage =
        ["bytes_in", "bytes_out", "cpu_ms", "http_requests", "memory_peak_bytes", "wall_ms"];
    assert_eq!(keys, usage);
    assert!(report["task"].as_str().unwrap().starts_with("task-"));
    assert_eq!(report["tool"]["name"], "hello-p1");
    assert!(report["tool"]["digest"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(report["usage"]["memory_peak_bytes"], 65536);
}

#[test]
fn each_run_is_a_task_of_its_own() {
    let task = || report(&guest("hello-p1"), &[]).1["task"].clone();
    assert_ne!(task(), task());
}

#[test]
fn confinement_is_full_here_and_can_be_required() {
    let (_, report) = report(&guest("hello-p1"), &["--require-confinement"]);
    assert_eq!(report["exit_code"], 0, "{report}");
    let layers = report["confinement"].as_object().unwrap();
    assert_eq!(layers.len(), 6);
    for (layer, enforced) in layers {
        assert_eq!(enforced, "full", "{layer}");
    }
}

#[test]
fn the_code_of_a_command_passes_through() {
    for code in [0, 1, 2, 3, 7, 125, 126, 255] {
        let words = ["--", "exit", &code.to_string()];
        assert_eq!(plain(&guest("limits-p1"), &words).code, code);
        let (_, report) = report(&guest("limits-p1"), &words);
        assert_eq!((&report["outcome"], &report["exit_code"]), (&json!("exited"), &json!(code)));
    }
    // What does not fit is a failure all the same.
    assert_eq!(plain(&guest("limits-p1"), &["--", "exit", "256"]).code, 255);
    // A component says only whether it failed.
    assert_eq!(plain(&guest("limits"), &["--", "exit", "9"]).code, 1);
}

#[test]
fn what_ends_a_run_has_an_exit_code_of_its_own() {
    let limits = guest("limits");
    assert_eq!(plain(&guest("hello-p1"), &[]).code, 0);
    assert_eq!(plain(&limits, &["--", "trap"]).code, 1);
    assert_eq!(plain(&limits, &["--frobnicate"]).code, 2);
    assert_eq!(plain(&guest("garbage"), &[]).code, 2);
    assert_eq!(plain(&limits, &["--read", "relative", "--", "trap"]).code, 3);
    assert_eq!(plain(&limits, &["--limit", "memory=1MiB", "--", "grow", "9999999"]).code, 7);
}

#[test]
fn a_function_that_failed_for_want_of_a_right_is_denied() {
    let arguments = r#"["http://example.com/"]"#;
    let (_, report) = report(&guest("fetch"), &["--call", "get", "--args", arguments]);
    assert_eq!((&report["outcome"], &report["exit_code"]), (&json!("denied"), &json!(3)));
    assert_eq!(denied(&report), ["D0101"]);
    assert_eq!(report["result"], json!({"err": "denied"}));
    let ran = plain(&guest("fetch"), &["--call", "get", "--args", arguments]);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("error[D0101]: tool \"fetch\": "), "{}", ran.stderr);
    assert!(ran.stderr.contains("help: "), "{}", ran.stderr);
}

#[test]
fn an_agent_is_not_told_how_to_widen_its_grant() {
    let arguments = r#"["http://example.com/"]"#;
    let (text, _) = report(&guest("fetch"), &["--call", "get", "--args", arguments]);
    assert!(!text.contains("--http") && !text.contains("[[http]]"), "{text}");
}

#[test]
fn a_function_that_exits_or_panics_has_failed() {
    for words in [&["--call", "exit", "--args", "[3]"][..], &["--call", "trap"]] {
        let (_, report) = report(&guest("hostile"), words);
        assert_eq!(report["exit_code"], 1, "{report}");
        assert!(report.get("result").is_none(), "{report}");
    }
    let (text, report) =
        report(&guest("hostile"), &["--call", "panic", "--args", r#"["\u001b[2J"]"#]);
    harmless(&text);
    assert_eq!((&report["outcome"], &report["exit_code"]), (&json!("trapped"), &json!(1)));
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_output_and_not_the_run() {
    let tool = guest("limits");
    let words = ["run", tool.to_str().unwrap(), "--limit", "stdout=64MiB", "--"];
    let mut child = Writ::new(&words).args(&["stdout", "10000000"]).start();
    drop(child.stdout.take());
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
}

#[test]
fn decisions_are_events_of_one_line_each() {
    let folder = tempfile::tempdir().unwrap();
    let run = Writ::run(&guest("files")).read(folder.path(), "/d");
    let run = run.env("WRIT_LOG", "writ::decision=info").env("WRIT_LOG_FORMAT", "json");
    let ran = run.args(&["--", "write", "/d/\u{1b}[2Jx", "text"]).done();
    harmless(&ran.stderr);
    let events: Vec<Value> =
        ran.stderr.lines().filter_map(|it| serde_json::from_str(it).ok()).collect();
    let forbidden = events.iter().find(|event| event["fields"]["decision"] == "forbid").unwrap();
    assert_eq!(forbidden["fields"]["code"], "D0201");
    assert_eq!(forbidden["fields"]["target"], "/d/\\u{1b}[2Jx");
}
