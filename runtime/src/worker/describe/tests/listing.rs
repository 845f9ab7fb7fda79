//! What a description lists, and how it reads.

use super::*;
use crate::worker::values::{FunctionShape, NotCallable};
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;
use wasmtime::{Config, Engine};
use writ_broker::text::is_treacherous;

#[test]
fn functions_are_listed_with_their_types() {
    let tool = describe_provided(&component(TEXT_TOOL)).unwrap();
    let count = tool.functions.iter().find(|func| func.name == "count").unwrap();
    assert_eq!(count.interface.as_deref(), Some("acme:tools/text@1.2.0"));
    let types: Vec<_> = count.params.iter().map(|it| (it.name.as_str(), it.ty.as_str())).collect();
    assert_eq!(types, [("text", "string"), ("pick", "pick")]);
    assert_eq!(count.result.as_deref(), Some("result<stats, string>"));
    let wits: Vec<_> = tool.types.iter().map(|ty| ty.wit.as_str()).collect();
    assert!(wits.contains(&"record stats {\n  lines: u32,\n  longest-line: option<string>,\n}"));
    assert!(wits.contains(&"variant pick {\n  all,\n  first(u32),\n}"), "{wits:?}");
}

#[test]
fn types_that_stand_at_the_root_are_read_too() {
    let bytes = wat(r#"(component
            (core module $m (func (export "f") (param i32) (result i32) local.get 0))
            (core instance $i (instantiate $m))
            (type $colour' (enum "red" "green"))
            (export $colour "colour" (type $colour'))
            (func $f (param "x" $colour) (result $colour) (canon lift (core func $i "f")))
            (export "f" (func $f))
            (export "g" (func $f)))"#);
    let tool = describe_provided(&bytes).unwrap();
    let names: Vec<_> = tool.functions.iter().map(|func| func.name.as_str()).collect();
    assert_eq!(names, ["f", "g"]);
    assert_eq!(tool.functions[0].params[0].ty, "colour");
    assert_eq!(tool.types[0].wit, "enum colour {\n  red,\n  green,\n}");
    assert!(tool.imports.is_empty());
}

#[test]
fn a_description_survives_the_wire() {
    let tool = describe_provided(&component(TEXT_TOOL)).unwrap();
    let bytes = postcard::to_stdvec(&tool).unwrap();
    assert_eq!(postcard::from_bytes::<Description>(&bytes).unwrap(), tool);
}

const DOCS: &str = r#"{"worlds":{"some-world":{"docs":"Counts things.",
    "func_exports":{"version":{"docs":"Its version."}}}},
    "interfaces":{"text":{"funcs":{"count":"Counts.\nTwice."},
    "types":{"stats":{"docs":"What was counted.","items":{"lines":"How many."}}}}},
    "unknown":{"x":1}}"#;

fn documented(docs: &str) -> Description {
    let section = [b"\x01", docs.as_bytes()].concat();
    let bytes = with_section(component(TEXT_TOOL), "package-docs", &section);
    describe_provided(&bytes).unwrap()
}

#[test]
fn doc_comments_are_shown_whatever_world_they_name() {
    let text = render(&documented(DOCS));
    for line in [
        "/// Counts things.",
        "/// Its version.",
        "  /// Counts.\n  /// Twice.\n  count: func(text: string, pick: pick)",
        "  /// What was counted.\n  record stats {\n    /// How many.\n    lines: u32,",
        "export acme:tools/text@1.2.0 {",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
}

#[test]
fn broken_documentation_documents_nothing() {
    for docs in ["", "[", "[]", "{\"worlds\":1}", "{\"interfaces\":{\"text\":{\"funcs\":[]}}}"] {
        let tool = documented(docs);
        assert!(tool.docs.is_none() && tool.functions.iter().all(|func| func.docs.is_none()));
    }
}

#[test]
fn hostile_documentation_cannot_act_on_a_terminal_or_forge_a_line() {
    let docs = "{\"docs\":\"\\u001b[2J\\u202e\\u009b\\u2028x\\r\"}";
    let text = render(&documented(docs));
    assert!(!text.chars().any(|c| c != '\n' && is_treacherous(c)));
    assert!(text.contains("/// \\u{1b}[2J\\u{202e}\\u{9b}\\u{2028}x"), "{text}");
}

#[test]
fn a_broken_worker_cannot_forge_lines_through_names() {
    let mut tool = documented(DOCS);
    tool.functions[0].name = "f\nforged: func();\u{1b}[31m".to_owned();
    tool.types[0].wit = "record x {\u{7}".to_owned();
    tool.producers.push(Producer {
        field: "language\n".to_owned(),
        name: "\u{202e}".to_owned(),
        version: String::new(),
    });
    let text = render(&tool);
    assert!(!text.contains("\nforged") && !text.chars().any(|c| c != '\n' && is_treacherous(c)));
}

#[test]
fn long_documentation_is_cut() {
    let tool = documented(&format!("{{\"docs\":\"{}\"}}", "x".repeat(100_000)));
    assert_eq!(tool.docs.unwrap().chars().count(), bounds::DOCS + 1);
}

#[test]
fn producers_are_listed_once_each() {
    let field = |name: &str| {
        let mut out = vec![1, 8];
        out.extend(b"language");
        out.extend([1, name.len() as u8]);
        out.extend(name.as_bytes());
        out.extend([4, b'1', b'.', b'9', b'5']);
        out
    };
    let bytes = with_section(component(TEXT_TOOL), "producers", &field("Rust"));
    let bytes = with_section(bytes, "producers", &field("Rust"));
    let bytes = with_section(bytes, "producers", b"\xff\xff");
    let tool = describe_provided(&bytes).unwrap();
    let rust: Vec<_> = tool.producers.iter().filter(|it| it.name == "Rust").collect();
    assert_eq!(rust.len(), 1);
    assert_eq!((rust[0].field.as_str(), rust[0].version.as_str()), ("language", "1.95"));
}

/// A function for each type, callable and not.
const ALL_TYPES: &str = r#"
    package acme:all;
    interface shared { record point { x: s32, y: s32 } type place = point; }
    interface all {
        use shared.{point, place};
        type id = u64;
        enum colour { red, green }
        flags mode { r, w, x }
        variant shape { nothing, circle(f64), many(list<shape2>) }
        record shape2 { at: point, name: option<option<string>> }
        resource handle { constructor(); get: func() -> u8; parse: static func(x: string) -> u8; }
        numbers: func(a: s8, b: u8, c: s16, d: u16, e: s32, f: u32, g: s64, h: u64) -> f32;
        texts: func(a: char, b: string, c: bool) -> f64;
        lists: func(a: list<u8>, b: list<list<string>>, c: tuple<u8, string>) -> list<point>;
        named: func(a: id, b: colour, c: mode, d: shape, e: place) -> shape2;
        results: func(a: result, b: result<u8>, c: result<_, string>) -> result<shape, colour>;
        nothing: func();
        owns: func() -> handle;
        borrows: func(x: borrow<handle>);
        holds: func(x: list<option<handle>>);
    }
    world tool { export all; }
"#;

#[test]
fn both_readings_of_a_tool_give_the_same_shapes() {
    let bytes = component(ALL_TYPES);
    let engine = Engine::new(&Config::new()).unwrap();
    let compiled = Component::new(&engine, &bytes).unwrap();
    let exports = compiled.component_type();
    let ComponentItem::ComponentInstance(instance) =
        exports.get_export(&engine, "acme:all/all").unwrap().ty
    else {
        panic!("not an instance")
    };
    let wit_parser::decoding::DecodedWasm::Component(resolve, world) =
        wit_parser::decoding::decode(&bytes).unwrap()
    else {
        panic!("not a component")
    };
    let wit_parser::WorldItem::Interface { id, .. } = resolve.worlds[world].exports[0] else {
        panic!("not an interface")
    };
    let functions = &resolve.interfaces[id].functions;
    assert_eq!(functions.len(), 12);
    for (name, func) in functions {
        let ComponentItem::ComponentFunc(seen) = instance.get_export(&engine, name).unwrap().ty
        else {
            panic!("{name} is not a function")
        };
        assert_eq!(FunctionShape::of(&seen), shape::function(&resolve, func), "{name}");
    }
}

#[test]
fn functions_that_cannot_be_called_say_why() {
    let tool = describe_provided(&component(ALL_TYPES)).unwrap();
    for func in &tool.functions {
        let holds_handle =
            ["owns", "borrows", "holds", "[constructor]handle", "[method]handle.get"]
                .contains(&func.name.as_str());
        let expected = holds_handle.then_some(NotCallable::Resource);
        assert_eq!(func.not_callable, expected, "{}", func.name);
    }
    assert!(render(&tool).contains("// cannot be called: it takes or returns a resource handle"));
}
