//! The three kinds of tools, told apart by their bytes, and everything that is none of them.

use crate::harness::{Writ, guest, refused};
use serde_json::{Value, json};

/// Each is refused with this code and with these words, before any of it ran.
fn refuses(name: &str, code: &str, words: &str) {
    refuses_call(name, &[], code, words);
}

fn refuses_call(name: &str, call: &[&str], code: &str, words: &str) {
    let report = Writ::run(&guest(name)).args(call).json();
    let (found, message) = refused(&report);
    assert_eq!(found, code, "{name}: {message}");
    assert!(message.contains(words), "{name}: {message}");
    assert_eq!(report["exit_code"], 2, "{name}");
    assert!(report.get("usage").is_none(), "{name} ran: {report}");
}

#[test]
fn an_import_that_nothing_provides_is_refused_by_its_name() {
    refuses("unmet-import", "T0104", "acme:db/query@1.0.0");
    refuses("unknown-import", "T0103", "`system` from `env`");
}

#[test]
fn a_known_import_of_another_type_is_refused_by_its_name() {
    refuses_call("unmet-type", &["--call", "nothing"], "T0104", "wasi:random/random@0.2.0");
    refuses("wrong-import", "T0103", "wasi_snapshot_preview1::fd_write");
}

#[test]
fn a_tool_that_offers_nothing_to_run_is_refused() {
    refuses("no-start", "T0110", "_start");
    refuses("no-exports", "T0110", "neither a command nor a function");
    refuses("async-call", "T0110", "stream");
}

#[test]
fn bytes_that_are_not_a_tool_are_refused() {
    refuses("shared-memory", "T0102", "threads must be enabled");
    refuses("invalid", "T0102", "type mismatch");
    refuses("truncated", "T0102", "unexpected end-of-file");
    refuses("garbage", "T0101", "does not begin with");
    refuses("empty", "T0101", "it is empty");
}

#[test]
fn a_tool_that_is_no_file_is_refused() {
    let absent = Writ::new(&["run", "absent.wasm"]).done();
    assert_eq!(absent.code, 2);
    assert!(absent.stderr.contains("cannot read absent.wasm"), "{absent:?}");
    let directory = Writ::new(&["run", "/tmp"]).done();
    assert_eq!(directory.code, 2);
    assert!(directory.stderr.contains("/tmp is not a file"), "{directory:?}");
    let device = Writ::new(&["run", "/dev/zero"]).done();
    assert_eq!(device.code, 2);
    assert!(device.stderr.contains("/dev/zero is not a file"), "{device:?}");
}

#[test]
fn a_core_module_of_wasip1_is_run_as_it_is() {
    let ran = Writ::new(&["run", guest("hello-p1").to_str().unwrap()]).done();
    assert_eq!((ran.code, ran.text(), &*ran.stderr), (0, "hello\n", ""));
}

#[test]
fn a_module_that_spins_before_it_is_called_is_ended() {
    let report = Writ::run(&guest("start-spins")).args(&["--limit", "wall=200ms"]).json();
    assert_eq!((&report["outcome"], &report["limit"]), (&json!("over_limit"), &json!("wall")));
}

#[test]
fn a_module_that_traps_before_it_is_called_is_reported() {
    let report = Writ::run(&guest("start-traps")).json();
    assert_eq!((&report["outcome"], &report["exit_code"]), (&json!("trapped"), &json!(1)));
    let reason = report["reason"].as_str().unwrap();
    assert!(reason.starts_with("wasm trap: wasm `unreachable` instruction executed"), "{reason}");
}

/// Calls a function of the fixture with every type.
fn call(function: &str, arguments: &str) -> Value {
    Writ::run(&guest("types")).args(&["--call", function, "--args", arguments]).json()
}

fn echoes(function: &str, value: &str) {
    let report = call(function, &format!("[{value}]"));
    assert_eq!(report["exit_code"], 0, "{function} {value}: {report}");
    assert_eq!(report["result"], serde_json::from_str::<Value>(value).unwrap(), "{function}");
}

#[test]
fn every_type_comes_back_as_it_went() {
    for (function, value) in [
        ("echo-bool", "true"),
        ("echo-u8", "255"),
        ("echo-u16", "65535"),
        ("echo-u32", "4294967295"),
        ("echo-s8", "-128"),
        ("echo-s16", "-32768"),
        ("echo-s32", "-2147483648"),
        ("echo-f32", "1.1"),
        ("echo-f64", "5e-324"),
        ("echo-f64", "1.7976931348623157e308"),
        ("echo-char", r#""\ud83d\ude80""#),
        ("echo-string", r#""\u0000\u001b[2J\u202e\n""#),
        ("echo-list", "[0,1,4294967295]"),
        ("echo-list", "[]"),
        ("echo-list-string", r#"["","a"]"#),
        ("echo-list-list", "[[],[-1,2]]"),
        ("echo-tuple", r#"[1,"x",true]"#),
        ("echo-record", r#"{"name":"x","age":1,"aliases":["a"],"address":null}"#),
        ("echo-variant", r#""nothing""#),
        ("echo-variant", r#"{"circle":1.5}"#),
        ("echo-variant", r#"{"rectangle":[1.5,2.5]}"#),
        ("echo-variant", r#"{"polygon":[[1,-2]]}"#),
        ("echo-enum", r#""dark-blue""#),
        ("echo-flags", r#"["read","execute"]"#),
        ("echo-flags", "[]"),
        ("echo-many-flags", r#"["b0","b31"]"#),
        ("echo-option", "null"),
        ("echo-option", "7"),
        ("echo-nested-option", "null"),
        ("echo-nested-option", r#"{"some":null}"#),
        ("echo-nested-option", r#"{"some":"x"}"#),
        ("echo-result", r#"{"ok":5}"#),
        ("echo-result-ok", r#"{"ok":5}"#),
        ("echo-result-err", r#"{"ok":null}"#),
        ("echo-result-empty", r#"{"ok":null}"#),
    ] {
        echoes(function, value);
    }
}

#[test]
fn a_map_comes_back_as_it_went() {
    let run = Writ::run(&guest("types-map"));
    let report = run.args(&["--call", "echo-map", "--args", r#"[{"a":1,"b":4294967295}]"#]).json();
    assert_eq!(report["result"], json!({"a": 1, "b": 4294967295_u32}), "{report}");
}

#[test]
fn no_digit_of_a_whole_number_is_lost() {
    for form in ["18446744073709551615", r#""18446744073709551615""#] {
        assert_eq!(call("echo-u64", &format!("[{form}]"))["result"], "18446744073709551615");
    }
    let lowest = call("echo-s64", r#"["-9223372036854775808"]"#);
    assert_eq!(lowest["result"], "-9223372036854775808");
    let extremes = call("extremes", "[]");
    let expected =
        json!(["-9223372036854775808", "9223372036854775807", 0, "18446744073709551615"]);
    assert_eq!(extremes["result"], expected);
}

#[test]
fn floats_that_are_no_json_numbers_are_written_as_words() {
    let odd = &call("odd-floats", "[]")["result"];
    assert_eq!(*odd, json!(["NaN", "Infinity", "-Infinity", -0.0, "NaN"]));
    assert!(odd[3].as_f64().unwrap().is_sign_negative());
    assert_eq!(call("echo-f64", r#"["-Infinity"]"#)["result"], "-Infinity");
}

#[test]
fn bytes_come_back_as_base64_whether_given_as_numbers_or_not() {
    for form in ["[1,255]", r#"{"base64":"Af8="}"#] {
        assert_eq!(call("echo-bytes", &format!("[{form}]"))["result"], json!({"base64": "Af8="}));
    }
}

#[test]
fn a_function_that_returns_an_error_has_failed() {
    for (function, value) in [
        ("echo-result", json!({"err": "e"})),
        ("echo-result-ok", json!({"err": null})),
        ("echo-result-err", json!({"err": "e"})),
        ("echo-result-empty", json!({"err": null})),
    ] {
        let report = call(function, &format!("[{value}]"));
        assert_eq!((&report["outcome"], &report["exit_code"]), (&json!("exited"), &json!(1)));
        assert_eq!(report["result"], value);
    }
}

#[test]
fn arguments_go_by_name_or_by_position() {
    let named = call("join", r#"{"third":true,"second":-3,"first":"a"}"#);
    assert_eq!(named["result"], "a -3 Some(true)");
    // An optional last one may be left out.
    assert_eq!(call("join", r#"["a",-3]"#)["result"], "a -3 None");
    assert_eq!(call("nothing", "{}")["result"], Value::Null);
}

#[test]
fn arguments_that_do_not_fit_are_refused_at_their_place() {
    let wrong = r#"[{"name":"x","age":1,"aliases":["a",3],"address":null}]"#;
    for (function, arguments, words) in [
        ("echo-u8", "[256]", "$[0]: expected u8 (an integer from 0 to 255), found 256"),
        ("echo-u8", r#"{"v":-1}"#, "$.v: expected u8"),
        ("echo-u8", r#"{"w":1}"#, "did you mean `v`?"),
        ("echo-u8", "[1,2]", "$: expected 1 arguments at most, found an array of 2"),
        ("echo-u8", "nonsense", "$: not valid JSON"),
        ("echo-u8", "[1.5]", "$[0]: expected u8"),
        ("echo-u8", r#"{"v":1,"v":2}"#, "`v`"),
        ("echo-record", wrong, "$[0].aliases[1]: expected string, found 3"),
        ("echo-char", r#"["ab"]"#, "$[0]: expected char"),
        ("echo-enum", r#"["dark-blu"]"#, "did you mean `dark-blue`?"),
        ("echo-flags", r#"[["read","fly"]]"#, "fly"),
        ("echo-bytes", r#"["AQI="]"#, "$[0]: expected list<u8>"),
        ("join", r#"{"first":"a"}"#, "second"),
    ] {
        let report = call(function, arguments);
        let (code, message) = refused(&report);
        assert_eq!(code, "T0106", "{function} {arguments}: {message}");
        assert!(message.contains(words), "{function} {arguments}: {message}");
        assert_eq!(report["exit_code"], 2);
    }
}

#[test]
fn arguments_that_are_deep_are_refused_before_they_fill_the_stack() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("deep.json"), deep).unwrap();
    let run = Writ::run(&guest("types")).within(folder.path());
    let report = run.args(&["--call", "echo-list", "--args", "@deep.json"]).json();
    assert_eq!(refused(&report).0, "T0106");
}

#[test]
fn arguments_may_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("args.json"), r#"{"v":5}"#).unwrap();
    let words = ["--call", "echo-u8", "--args", "@args.json"];
    assert_eq!(Writ::run(&guest("types")).args(&words).within(folder.path()).json()["result"], 5);
    let words = ["--call", "echo-u8", "--args", "@absent.json"];
    let ran = Writ::run(&guest("types")).args(&words).within(folder.path()).json();
    assert_eq!(ran["exit_code"], 2);
    assert!(ran["error"]["message"].as_str().unwrap().contains("cannot read absent.json"));
}

#[test]
fn a_function_that_does_not_exist_is_refused_with_a_guess() {
    let report = call("echo-u63", "[1]");
    let (code, message) = refused(&report);
    assert_eq!(code, "T0105");
    assert!(message.contains("there is no function `echo-u63`; did you mean `echo-u"), "{message}");
    let report = call("frobnicate", "[1]");
    assert!(refused(&report).1.contains("there are: echo-bool, echo-u8"), "{report}");
    let report = Writ::run(&guest("hello-p1")).args(&["--call", "x"]).json();
    assert_eq!(refused(&report), ("T0105", "this tool exports no functions"));
}

#[test]
fn a_function_may_be_named_with_its_interface() {
    assert_eq!(call("test:types/echo#echo-u8", "[1]")["result"], 1);
    assert_eq!(call("test:types/echo@0.1.0#echo-u8", "[1]")["result"], 1);
    assert_eq!(refused(&call("test:types/other#echo-u8", "[1]")).0, "T0105");
}

#[test]
fn a_function_over_resources_is_refused() {
    for function in ["open", "close", "peek", "buried"] {
        let report = call(function, "[]");
        let (code, message) = refused(&report);
        assert_eq!(code, "T0107", "{function}: {message}");
        assert!(message.contains("resource"), "{function}: {message}");
    }
}

#[test]
fn functions_without_a_command_are_not_run_as_one() {
    let report = Writ::run(&guest("types")).json();
    let (code, message) = refused(&report);
    assert_eq!(code, "T0110");
    assert!(message.contains("call one with `--call`"), "{message}");
}

#[test]
fn a_tool_that_breaks_the_canonical_abi_ends_itself_and_nothing_else() {
    for function in [
        "invalid-utf8",
        "beyond-memory",
        "endless-length",
        "unaligned-list",
        "bad-pointer",
        "bad-char",
        "bad-case",
    ] {
        let report = Writ::run(&guest("bad-lift")).args(&["--call", function]).json();
        assert_eq!(report["outcome"], "trapped", "{function}: {report}");
        assert_eq!(report["exit_code"], 1, "{function}");
        assert!(report.get("result").is_none(), "{function}: {report}");
    }
}

#[test]
fn an_honest_tool_does_its_work() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "0123456789").unwrap();
    for (function, arguments, result) in [
        ("noop", "[]", Value::Null),
        ("add", "[4294967295,2]", json!(1)),
        ("echo", r#"["x"]"#, json!("x")),
        ("read-file", r#"["/d/file"]"#, json!({"ok": 10})),
    ] {
        let run = Writ::run(&guest("bench")).read(folder.path(), "/d");
        let report = run.args(&["--call", function, "--args", arguments]).json();
        assert_eq!((&report["exit_code"], &report["result"]), (&json!(0), &result), "{report}");
    }
}

#[test]
fn inspect_shows_functions_with_what_their_author_said_about_them() {
    let tool = guest("textstat");
    let shown = Writ::new(&["inspect", tool.to_str().unwrap()]).done();
    assert_eq!(shown.code, 0, "{shown:?}");
    for words in [
        "sha256:",
        "functions (component)",
        "import wasi:filesystem/types@",
        "export example:textstat/text@0.1.0 {",
        "  /// Counts a file, or every file below a directory",
        "  count: func(path: string, top: u32) -> result<report, error>;",
        "    /// Lines, counting a last one without an end.",
    ] {
        assert!(shown.text().contains(words), "no {words:?} in {}", shown.text());
    }
}

/// The JSON that `inspect` prints.
fn inspected(name: &str) -> Value {
    Writ::new(&["inspect", guest(name).to_str().unwrap(), "--json"]).json()
}

#[test]
fn inspect_says_to_a_script_what_it_says_to_a_person() {
    let report = inspected("textstat");
    assert_eq!(report["schema"], "writ.inspect/1");
    assert_eq!((&report["name"], &report["kind"]), (&json!("textstat"), &json!("functions")));
    let count = &report["functions"][0];
    assert_eq!((&count["call"], &count["name"]), (&json!("count"), &json!("count")));
    assert_eq!(count["params"][1], json!({"name": "top", "ty": "u32"}));
    assert!(count["docs"].as_str().unwrap().starts_with("Counts a file"));
    let handles = inspected("types");
    let open = handles["functions"].as_array().unwrap().iter().find(|it| it["name"] == "open");
    assert!(!open.unwrap()["not_callable"].is_null());
}

#[test]
fn inspect_tells_the_kinds_apart() {
    assert_eq!(inspected("escape")["kind"], "command");
    let core = inspected("hello-p1");
    assert_eq!(core["imports"][0]["interface"], "wasi_snapshot_preview1");
    let shown = Writ::new(&["inspect", guest("hello-p1").to_str().unwrap()]).done();
    assert!(shown.text().contains("command (core wasip1 module)"), "{shown:?}");
}

#[test]
fn inspect_refuses_what_run_refuses() {
    for (name, code) in [("garbage", "T0101"), ("truncated", "T0102"), ("unmet-import", "T0104")] {
        let shown = Writ::new(&["inspect", guest(name).to_str().unwrap()]).done();
        assert_eq!(shown.code, 2, "{name}");
        assert!(shown.stderr.starts_with(&format!("error[{code}]: ")), "{name}: {shown:?}");
        assert!(shown.stderr.contains(&format!("help: `writ explain {code}` says more")));
    }
}
