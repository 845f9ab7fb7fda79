//! Every bound by its name: a guest that runs into it, and an honest one just below it.

use crate::harness::{Writ, guest};
use crate::schema;
use crate::verdict::Verdict;
use serde_json::{Value, json};
use writ_broker::limits::{FIELDS, Unit};

/// Runs a fixture with a limit.
fn run(name: &str, limit: &str, words: &[&str]) -> Value {
    Writ::run(&guest(name)).args(&["--limit", limit, "--"]).args(words).json()
}

/// The guest was ended by this bound, and the report says so.
fn over(report: &Value, limit: &str) {
    assert_eq!(report["outcome"], "over_limit", "{report}");
    assert_eq!(report["limit"], limit, "{report}");
    assert_eq!(report["exit_code"], 7, "{report}");
    assert!(report.get("error").is_none() && report.get("reason").is_none(), "{report}");
}

/// The guest came to its own end.
fn passes(report: &Value) {
    assert_eq!(
        (&report["outcome"], &report["exit_code"]),
        (&json!("exited"), &json!(0)),
        "{report}"
    );
    assert_eq!(report["truncated"], json!([]), "{report}");
    assert!(report.get("limit").is_none(), "{report}");
}

/// It got all it asked for.
fn ok(report: &Value) {
    passes(report);
    assert!(report["stdout"].as_str().unwrap().starts_with("ok "), "{report}");
}

#[test]
fn memory() {
    for fixture in ["limits", "limits-p1"] {
        over(&run(fixture, "memory=16MiB", &["grow", "33554432"]), "memory");
        over(&run(fixture, "memory=16MiB", &["touch", "33554432"]), "memory");
        ok(&run(fixture, "memory=16MiB", &["grow", "15728640"]));
    }
    let grown = Writ::run(&guest("hostile")).args(&["--call", "grow"]);
    over(&grown.args(&["--limit", "memory=16MiB"]).json(), "memory");
}

#[test]
fn memory_that_is_wanted_from_the_start() {
    over(&run("memory-huge", "memory=4MiB", &[]), "memory");
    // 65,536 pages are 4 GiB: more than the default as well.
    over(&Writ::run(&guest("memory-huge")).json(), "memory");
    over(&run("hello-p1", "memory=63KiB", &[]), "memory");
    passes(&run("hello-p1", "memory=64KiB", &[]));
}

#[test]
fn memory_that_is_reported_as_used_is_the_most_there_was() {
    let report = run("limits", "memory=64MiB", &["touch", "16777216"]);
    let peak = report["usage"]["memory_peak_bytes"].as_u64().unwrap();
    assert!((16_777_216..20_000_000).contains(&peak), "{report}");
}

#[test]
fn tables() {
    over(&run("table-bomb", "tables=1000", &[]), "tables");
    over(&Writ::run(&guest("table-bomb")).json(), "tables");
    over(&Writ::run(&guest("table-huge")).json(), "tables");
    passes(&run("hello-p1", "tables=1", &[]));
}

#[test]
fn instances() {
    over(&Writ::run(&guest("memories")).json(), "instances");
    let bomb = || Writ::run(&guest("instance-bomb"));
    over(&bomb().args(&["--call", "nothing"]).json(), "instances");
    let report = bomb().args(&["--call", "nothing", "--limit", "instances=1000"]).json();
    over(&report, "instances");
    passes(&run("hello-p1", "instances=1", &[]));
    // The most that a grant can ask for can be had.
    passes(&run("hello-p1", "instances=1000", &[]));
}

/// Runs a tool that is written here.
fn run_bytes(bytes: &[u8], words: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let tool = folder.path().join("tool.wasm");
    std::fs::write(&tool, bytes).unwrap();
    Writ::run(&tool).args(words).json()
}

#[test]
fn instances_of_each_kind() {
    let module = |tables: usize| {
        let tables = "(table 1 funcref)".repeat(tables);
        let start = r#"(memory (export "memory") 1) (func (export "_start"))"#;
        wat::parse_str(format!("(module {tables} {start})")).unwrap()
    };
    over(&run_bytes(&module(65), &[]), "instances");
    passes(&run_bytes(&module(64), &[]));
    let component = |what: &str, count: usize| {
        let made = "(core instance (instantiate $each))".repeat(count);
        let text = format!(
            r#"(component (core module $each {what}) {made}
               (core module $main (func (export "f"))) (core instance $main (instantiate $main))
               (func (export "f") (canon lift (core func $main "f"))))"#
        );
        wat::parse_str(text).unwrap()
    };
    for what in ["", "(memory 1)", "(table 1 funcref)"] {
        over(&run_bytes(&component(what, 64), &["--call", "f"]), "instances");
        passes(&run_bytes(&component(what, 63), &["--call", "f"]));
    }
    let two_each = component("(memory 1) (memory 1)", 33);
    over(&run_bytes(&two_each, &["--call", "f"]), "instances");
}

/// A number as WebAssembly writes it.
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

#[test]
fn one_instance_that_is_as_large_as_many() {
    let section = |id: u8, items: usize, body: &[u8]| {
        let body = [&leb(items)[..], body].concat();
        [&[id][..], &leb(body.len()), &body].concat()
    };
    // As many globals as WebAssembly allows, and enough functions in a table to exceed 16 MiB.
    let (globals, functions) = (1_000_000, 25_000);
    let elements: Vec<u8> = (0..functions).flat_map(leb).collect();
    let elements = [&[0, 0x41, 0, 0x0b][..], &leb(functions), &elements].concat();
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, 1, &[0x60, 0, 0]),
        section(3, functions, &vec![0; functions]),
        section(4, 1, &[&[0x70, 0][..], &leb(functions)].concat()),
        section(5, 1, &[0, 1]),
        section(6, globals, &[0x7f, 0, 0x41, 0, 0x0b].repeat(globals)),
        section(7, 2, b"\x06_start\0\0\x06memory\x02\0"),
        section(9, 1, &elements),
        section(10, functions, &[2, 0, 0x0b].repeat(functions)),
    ];
    over(&run_bytes(&module.concat(), &[]), "instances");
}

#[test]
fn handles_of_the_tools_own_resources() {
    let text = r#"(component
        (type $resource (resource (rep i32)))
        (core func $new (canon resource.new $resource))
        (core module $main
          (import "" "new" (func $new (param i32) (result i32)))
          (func (export "make") (param $count i32)
            (loop $again
              (drop (call $new (i32.const 1)))
              (local.set $count (i32.sub (local.get $count) (i32.const 1)))
              (br_if $again (local.get $count)))))
        (core instance $main
          (instantiate $main (with "" (instance (export "new" (func $new))))))
        (func (export "make") (param "count" u32) (canon lift (core func $main "make"))))"#;
    let tool = wat::parse_str(text).unwrap();
    let make = |count: &str| {
        run_bytes(&tool, &["--limit", "handles=100", "--call", "make", "--args", count])
    };
    over(&make("[101]"), "handles");
    passes(&make("[99]"));
    over(&run_bytes(&tool, &["--call", "make", "--args", "[10001]"]), "handles");
}

#[test]
fn memories_that_together_are_too_large() {
    // A hundred memories of 64 MiB each fit the number, and not the sum.
    over(&run("memories", "instances=200", &[]), "memory");
}

#[test]
fn handles() {
    over(&run("limits", "handles=50", &["handles", "100"]), "handles");
    ok(&run("limits", "handles=300", &["handles", "100"]));
    let folder = a_file();
    let open = |limit| {
        let run = Writ::run(&guest("limits-p1")).read(folder.path(), "/");
        run.args(&["--limit", limit, "--", "handles", "100"]).json()
    };
    over(&open("handles=50"), "handles");
    ok(&open("handles=200"));
}

/// A place with a file to open.
fn a_file() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "x").unwrap();
    folder
}

/// A core module's directory is held twice, and is one handle all the same.
#[test]
fn handles_on_directories() {
    let folder = a_file();
    let open = |count| {
        let run = Writ::run(&guest("limits-p1")).read(folder.path(), "/");
        run.args(&["--limit", "handles=2000", "--", "open", "/", count]).json()
    };
    over(&open("2001"), "handles");
    ok(&open("1900"));
}

/// The grant allows more than the machine lets a process have.
#[test]
fn handles_that_the_machine_does_not_have() {
    let folder = a_file();
    for fixture in ["limits", "limits-p1"] {
        for path in ["/file", "/"] {
            let open = |count| {
                let run = Writ::run(&guest(fixture)).read(folder.path(), "/");
                run.args(&["--", "open", path, count]).descriptors(100).json()
            };
            over(&open("1000"), "handles");
            ok(&open("20"));
        }
    }
}

#[test]
fn wall() {
    for words in [&["spin"][..], &["sleep", "60"]] {
        for fixture in ["limits", "limits-p1"] {
            let report = run(fixture, "wall=200ms", words);
            over(&report, "wall");
            assert!(report["usage"]["wall_ms"].as_u64().unwrap() >= 200, "{report}");
        }
    }
    let sleep = Writ::run(&guest("hostile")).args(&["--call", "sleep", "--args", "[60000]"]);
    over(&sleep.args(&["--limit", "wall=200ms"]).json(), "wall");
    ok(&run("limits", "wall=30s", &["sleep", "0"]));
}

#[test]
fn wall_of_a_guest_that_waits_for_input_that_never_comes() {
    let tool = guest("limits");
    let words = ["run", tool.to_str().unwrap(), "--json", "--limit", "wall=200ms", "--", "stdin"];
    let mut child = Writ::new(&words).start();
    let held_open = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(held_open);
    over(&schema::read(&output.stdout), "wall");
}

#[test]
fn cpu() {
    for fixture in ["limits", "limits-p1"] {
        let report = run(fixture, "cpu=200ms", &["spin"]);
        over(&report, "cpu");
        assert!(report["usage"]["cpu_ms"].as_u64().unwrap() >= 150, "{report}");
    }
    let spin = Writ::run(&guest("hostile")).args(&["--call", "spin"]);
    over(&spin.args(&["--limit", "cpu=200ms"]).json(), "cpu");
    // Waiting does not count.
    ok(&run("limits", "cpu=200ms", &["sleep", "1"]));
}

#[test]
fn the_life_of_the_task() {
    let spins = Writ::run(&guest("limits")).args(&["--ttl", "200ms", "--", "spin"]);
    over(&spins.json(), "ttl");
    let honest = Writ::run(&guest("limits")).args(&["--ttl", "1m", "--", "sleep", "0"]);
    ok(&honest.json());
}

#[test]
fn denials() {
    for fixture in ["files", "files-p1"] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("honest"), "honest").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("out")).unwrap();
        let tries = |words: &[&str]| {
            let run = Writ::run(&guest(fixture)).read(folder.path(), "/src");
            Verdict::of(run.args(&["--limit", "denials=10", "--"]).args(words))
        };
        let stubborn = tries(&["open-loop", "/src/out", "1000"]);
        stubborn.over("denials");
        assert_eq!(stubborn.report["denials"].as_array().unwrap().len(), 11, "{stubborn:#?}");
        let curious = tries(&["read", "/src/out"]);
        curious.denied(&[("D0202", "/src/out")]).failed("error ");
        tries(&["read", "/src/honest"]).worked("ok ");
    }
}

/// Output that is cut off is no failure: the guest is not told, and the report is.
fn cut(stream: &str) {
    for fixture in ["limits", "limits-p1"] {
        let report = run(fixture, &format!("{stream}=1000"), &[stream, "200000"]);
        assert_eq!((&report["outcome"], &report["exit_code"]), (&json!("exited"), &json!(0)));
        assert_eq!(report["truncated"], json!([stream]), "{fixture}");
        assert_eq!(report[stream], "x".repeat(1000), "{fixture}");
        let other = if stream == "stdout" { "stderr" } else { "stdout" };
        assert_eq!(report[other], "ok wrote 200000 bytes\n", "{fixture}");
        let report = run(fixture, &format!("{stream}=1000"), &[stream, "1000"]);
        passes(&report);
        assert_eq!(report[stream], "x".repeat(1000), "{fixture}");
    }
}

#[test]
fn stdout() {
    cut("stdout");
}

#[test]
fn stderr() {
    cut("stderr");
}

#[test]
fn output_sets_both_streams() {
    let report = run("limits", "output=10", &["stderr", "11"]);
    assert_eq!(report["truncated"], json!(["stdout", "stderr"]), "{report}");
}

#[test]
fn a_stream_that_is_cut_off_is_marked_for_a_person() {
    let tool = guest("limits");
    let words = ["run", tool.to_str().unwrap(), "--limit", "stdout=10", "--", "stdout", "20"];
    let ran = Writ::new(&words).done();
    assert_eq!((ran.code, ran.text()), (0, "xxxxxxxxxx"));
    assert!(ran.stderr.contains("stdout was cut off at its limit"), "{ran:?}");
    assert!(ran.stderr.contains("--limit stdout=…"), "{ran:?}");
}

#[test]
fn result() {
    let call = |limit: &str, function: &str, size: &str| {
        let run = Writ::run(&guest("hostile")).args(&["--limit", limit]);
        run.args(&["--call", function, "--args", size]).json()
    };
    over(&call("result=1000", "huge-string", "[1000]"), "result");
    over(&call("result=1000", "huge-list", "[1000]"), "result");
    over(&call("result=1MiB", "huge-list", "[200000]"), "result");
    // Larger still, and the copy out of the guest is what is too large.
    over(&call("result=1MiB", "huge-list", "[10000000]"), "hostcall_bytes");
    passes(&call("result=1000", "huge-string", "[998]"));
}

#[test]
fn hostcall_bytes() {
    over(&run("limits", "hostcall_bytes=10000", &["hostcall", "20000"]), "hostcall_bytes");
    let within = run("limits", "hostcall_bytes=10000", &["hostcall", "5000"]);
    passes(&within);
    // The host heard all of it and said no for another reason: such a name cannot be.
    assert!(within["stdout"].as_str().unwrap().starts_with("refused: "), "{within}");
    let core = run("limits-p1", "hostcall_bytes=10000", &["hostcall", "20000"]);
    over(&core, "hostcall_bytes");
    assert_eq!((&core["stdout"], &core["stderr"]), (&json!(""), &json!("")));
    for words in [["read", "20000"], ["poll", "1000"]] {
        over(&run("limits-p1", "hostcall_bytes=10000", &words), "hostcall_bytes");
    }
    for words in [["read", "5000"], ["poll", "10"]] {
        ok(&run("limits-p1", "hostcall_bytes=10000", &words));
    }
    ok(&run("limits-p1", "hostcall_bytes=10000", &["hostcall", "5000"]));
}

#[test]
fn random_bytes() {
    for fixture in ["limits", "limits-p1"] {
        over(&run(fixture, "random_bytes=1000", &["random", "1001"]), "random_bytes");
        ok(&run(fixture, "random_bytes=1000", &["random", "1000"]));
    }
}

#[test]
fn header_bytes() {
    over(&run("limits", "header_bytes=10000", &["headers", "20000"]), "header_bytes");
    ok(&run("limits", "header_bytes=10000", &["headers", "5000"]));
}

#[test]
fn disk() {
    for fixture in ["files", "files-p1"] {
        let folder = tempfile::tempdir().unwrap();
        let fill = |bytes| {
            let run = Writ::run(&guest(fixture)).write(folder.path(), "/d");
            run.args(&["--limit", "disk=100000", "--", "fill", "/d/big", bytes]).json()
        };
        over(&fill("200000"), "disk");
        let left = std::fs::metadata(folder.path().join("big")).unwrap().len();
        assert!(left <= 100_000, "{left} bytes were written");
        ok(&fill("90000"));
    }
}

#[test]
fn a_stack_that_never_ends_is_a_trap_and_no_fault_of_ours() {
    for fixture in ["limits", "limits-p1"] {
        let report = Writ::run(&guest(fixture)).args(&["--", "recurse"]).json();
        assert_eq!((&report["outcome"], &report["exit_code"]), (&json!("trapped"), &json!(1)));
        let reason = report["reason"].as_str().unwrap();
        assert!(reason.starts_with("wasm trap: call stack exhausted"), "{reason}");
    }
}

#[test]
fn a_bound_that_bounds_nothing_is_refused() {
    for field in FIELDS {
        let zero = if field.unit == Unit::Time { "0s" } else { "0" };
        for amount in [zero, "unlimited"] {
            let limit = format!("{}={amount}", field.name);
            let tool = guest("hello-p1");
            let ran = Writ::new(&["run", tool.to_str().unwrap(), "--limit", &limit]).done();
            assert_eq!((ran.code, ran.text()), (3, ""), "{limit}");
            assert!(ran.stderr.contains("error[G0502]"), "{limit}: {}", ran.stderr);
        }
    }
}

#[test]
fn a_limit_says_to_a_person_how_to_raise_it() {
    let tool = guest("limits");
    let words =
        ["run", tool.to_str().unwrap(), "--limit", "memory=16MiB", "--", "touch", "33554432"];
    let ran = Writ::new(&words).done();
    assert_eq!(ran.code, 7);
    assert!(
        ran.stderr.contains("error[L0101]: tool \"limits\" was ended: it hit the limit `memory`")
    );
    assert!(ran.stderr.contains("help: raise it with `--limit memory=…`"), "{ran:?}");
}
