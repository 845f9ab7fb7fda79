//! The kinds of tools, told apart by their bytes.

use super::*;

const RUN: &str = r#"
    package wasi:cli@0.2.3 {
        interface run { run: func() -> result; }
        interface environment { get-arguments: func() -> list<string>; }
    }
"#;

fn core(imports: &str, start: &str) -> Vec<u8> {
    wat(&format!(r#"(module {imports} (memory (export "memory") 1) {start})"#))
}

const START: &str = r#"(func (export "_start"))"#;

#[test]
fn a_component_that_exports_run_is_a_command() {
    let wit = format!(
        "package acme:t; {RUN} world tool {{
            import wasi:cli/environment@0.2.3; export wasi:cli/run@0.2.3;
        }}"
    );
    let tool = describe_provided(&component(&wit)).unwrap();
    assert_eq!(tool.kind, Kind::Command);
    assert!(!tool.is_core());
    assert!(tool.functions.is_empty());
    assert_eq!(tool.imports[0].interface, "wasi:cli/environment");
    assert_eq!(tool.imports[0].version.as_deref(), Some("0.2.3"));
}

#[test]
fn a_command_may_have_functions_too() {
    let wit = format!(
        "package acme:t; {RUN} world tool {{
            export wasi:cli/run@0.2.3; export f: func(x: u8);
        }}"
    );
    let tool = describe_provided(&component(&wit)).unwrap();
    assert_eq!(tool.kind, Kind::Command);
    assert_eq!(tool.functions.len(), 1);
}

#[test]
fn a_component_with_functions_alone_is_of_their_kind() {
    assert_eq!(describe_provided(&component(TEXT_TOOL)).unwrap().kind, Kind::Functions);
}

#[test]
fn a_core_module_for_wasip1_with_start_and_memory_is_a_command() {
    let import = r#"(import "wasi_snapshot_preview1" "fd_write"
        (func (param i32 i32 i32 i32) (result i32)))"#;
    let tool = describe_provided(&core(import, START)).unwrap();
    assert_eq!(tool.kind, Kind::CoreCommand);
    assert!(tool.is_core());
    assert_eq!(tool.imports[0].interface, WASIP1);
}

#[test]
fn a_core_import_that_nothing_provides_is_named() {
    for (module, name) in [
        ("env", "abort"),
        ("wasi_unstable", "fd_write"),
        ("wasi_snapshot_preview1", "sock_open"),
        ("wasi_snapshot_preview1", "memory"),
    ] {
        let kind = if name == "memory" { "(memory 1)" } else { "(func)" };
        let import = format!(r#"(import "{module}" "{name}" {kind})"#);
        let memory = if name == "memory" { "" } else { r#"(memory (export "memory") 1)"# };
        let bytes = wat(&format!("(module {import} {memory} {START})"));
        let (code, message) = refusal(&bytes);
        assert_eq!(code, "T0103");
        assert_eq!(
            message,
            format!("the module imports `{name}` from `{module}`, which nothing provides")
        );
    }
}

#[test]
fn a_core_module_that_is_no_command_is_of_no_kind() {
    for bytes in [
        core("", ""),
        core("", r#"(func (export "_start") (param i32))"#),
        core("", r#"(func (export "_start") (result i32) i32.const 0)"#),
        core("", r#"(global (export "_start") i32 (i32.const 0))"#),
        wat(&format!("(module {START})")),
    ] {
        assert_eq!(refusal(&bytes).0, "T0110");
    }
}

#[test]
fn what_is_not_wasm_is_said_to_be_what_it_is() {
    for (bytes, part) in [
        (&b""[..], "it is empty"),
        (b"\0as", "first four bytes"),
        (b" (component)", "wasm-tools parse"),
        (b"\x7fELF\x02", "a native program"),
        (b"#!/bin/sh", "a script"),
        (b"hello", "does not begin with"),
    ] {
        let (code, message) = refusal(bytes);
        assert_eq!(code, "T0101");
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_function_body_that_breaks_the_rules_is_invalid() {
    let bytes = core("", r#"(func (export "_start") i32.const 1)"#);
    assert_eq!(refusal(&bytes).0, "T0102");
    let inside = wat(r#"(component (core module (func (result i32))))"#);
    assert_eq!(refusal(&inside).0, "T0102");
}

#[test]
fn every_truncation_of_a_tool_is_refused() {
    let one = component("package acme:t; world tool { export f: func(); }");
    for bytes in [one, core("", START)] {
        for end in 0..bytes.len() {
            let cut = describe_provided(&bytes[..end]);
            // The format has no end mark: a cut between two sections leaves something whole. Once
            // the exports stand, only code or custom sections follow.
            assert!(cut.is_err() || matches!(bytes[end], 0 | 10), "{end} of {}", bytes.len());
        }
        assert_eq!(refusal(&bytes[..bytes.len() / 2]).0, "T0102");
    }
}

#[test]
fn a_component_import_that_nothing_provides_is_named() {
    let wit = "package acme:t; package acme:db@1.0.0 { interface rows { get: func(); } }
        world tool { import acme:db/rows@1.0.0; export f: func(); }";
    let (code, message) = refusal(&component(wit));
    assert_eq!(code, "T0104");
    assert_eq!(message, "the component imports `acme:db/rows@1.0.0`, which nothing provides");
    let wit = "package acme:t; world tool { import host-log: func(x: string); export f: func(); }";
    assert_eq!(refusal(&component(wit)).0, "T0104");
}

#[test]
fn a_version_of_another_track_is_refused_with_the_one_that_is_provided() {
    let wit = "package acme:t;
        package wasi:random@0.3.0 { interface random { get: func() -> u64; } }
        world tool { import wasi:random/random@0.3.0; export f: func(); }";
    let (code, message) = refusal(&component(wit));
    assert_eq!(code, "T0104");
    assert!(message.ends_with("; `wasi:random/random@0.2.12` is provided"), "{message}");
}

#[test]
fn an_interface_of_types_alone_needs_nothing_from_the_host() {
    let wit = |more: &str| {
        format!(
            "package acme:t; interface shared {{ record point {{ x: u8 }} {more} }}
            interface api {{ use shared.{{point}}; f: func(at: point); }}
            world tool {{ export api; }}"
        )
    };
    assert!(describe_provided(&component(&wit(""))).unwrap().imports.is_empty());
    for more in ["g: func();", "resource r;"] {
        let bytes = component(
            &format!("{} ", wit(more)).replace("world tool {", "world tool { import shared;"),
        );
        assert_eq!(refusal(&bytes).0, "T0104");
    }
}

#[test]
fn only_what_the_linker_holds_is_provided() {
    let wit = format!(
        "package acme:t; {RUN} world tool {{
            import wasi:cli/environment@0.2.3; export f: func();
        }}"
    );
    let bytes = component(&wit);
    let held = ["wasi:cli/environment@0.2.0"];
    let some = Provided { interfaces: &held, wasip1: &[] };
    assert!(describe(&bytes, &some).is_ok());
    let none = Provided { interfaces: &[], wasip1: &[] };
    assert!(matches!(describe(&bytes, &none), Err(DescribeError::ComponentImport { .. })));
}

#[test]
fn a_component_that_only_serves_http_is_of_no_kind() {
    let wit = "package acme:t;
        package wasi:http@0.2.3 {
            interface types { resource incoming-request; }
            interface incoming-handler {
                use types.{incoming-request};
                handle: func(request: incoming-request);
            }
        }
        world tool { export wasi:http/incoming-handler@0.2.3; }";
    let (code, message) = refusal(&component(wit));
    assert_eq!(code, "T0110");
    assert!(message.contains("serves HTTP"), "{message}");
}

#[test]
fn a_component_without_anything_to_call_says_why() {
    let wit = "package acme:t;
        interface conn { resource c; open: func() -> c; }
        world tool { export conn; }";
    let (code, message) = refusal(&component(wit));
    assert_eq!(code, "T0110");
    assert!(message.contains("resource handle"), "{message}");
    assert_eq!(refusal(&wat("(component)")).0, "T0110");
    assert_eq!(
        refusal(&wat(r#"(component (core module $m) (export "m" (core module $m)))"#)).0,
        "T0110"
    );
}

#[test]
fn a_wit_package_is_not_a_tool() {
    let mut resolve = Resolve::default();
    let package = resolve.push_source("test.wit", TEXT_TOOL).unwrap();
    let (code, message) = refusal(&wit_component::encode(&resolve, package).unwrap());
    assert_eq!(code, "T0110");
    assert!(message.contains("WIT package"), "{message}");
}
