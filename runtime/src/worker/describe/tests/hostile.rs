//! Bytes that are made to break whoever looks at them.

use super::*;
use proptest::prelude::*;

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

fn section(id: u8, body: Vec<u8>) -> Vec<u8> {
    [vec![id], leb(body.len()), body].concat()
}

fn binary(sections: &[Vec<u8>]) -> Vec<u8> {
    [COMPONENT.to_vec(), sections.concat()].concat()
}

/// A type index is written as a signed number, whose last byte must not look negative.
fn signed_leb(value: usize) -> Vec<u8> {
    let mut out = leb(value);
    if out.last().is_some_and(|last| last & 0x40 != 0) {
        let last = out.len() - 1;
        out[last] |= 0x80;
        out.push(0);
    }
    out
}

/// Each type is an option of the one before it.
fn chain(levels: usize) -> Vec<u8> {
    let mut types = leb(levels);
    types.extend([0x6b, 0x7d]);
    for level in 1..levels {
        types.push(0x6b);
        types.extend(signed_leb(level - 1));
    }
    section(7, types)
}

fn too_large(bytes: &[u8], what: &str) {
    let (code, message) = refusal(bytes);
    assert_eq!(code, "T0108");
    assert!(message.contains(what), "{message}");
}

#[test]
fn a_type_of_a_million_levels_is_refused_before_anything_recurses() {
    too_large(&binary(&[chain(50_000)]), "levels in a type");
}

#[test]
fn the_deepest_type_that_is_let_through_fits_a_small_stack() {
    let bytes = binary(&[chain(bounds::TYPE_DEPTH)]);
    let seen = std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(move || describe_provided(&bytes).unwrap_err().code().to_string());
    assert_eq!(seen.unwrap().join().unwrap(), "T0110");
}

#[test]
fn a_deep_type_in_a_function_fits_a_small_stack() {
    let mut types = "(type $t0 (option u8))".to_owned();
    for level in 1..bounds::TYPE_DEPTH - 2 {
        types += &format!("(type $t{level} (option $t{}))", level - 1);
    }
    let last = bounds::TYPE_DEPTH - 3;
    let bytes = wat(&format!(
        r#"(component {types}
            (core module $m (func (export "f") (param {})))
            (core instance $i (instantiate $m))
            (type $tall (option $t{last}))
            (import "x" (func $x (param "x" $tall)))
            (export "f" (func $x)))"#,
        "i32"
    ));
    let all = Provided { interfaces: &[], wasip1: &[] };
    let seen = std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(move || describe(&bytes, &all).unwrap_err().code().to_string());
    assert_eq!(seen.unwrap().join().unwrap(), "T0104");
}

#[test]
fn types_inside_types_are_refused_before_anything_recurses() {
    for tag in [0x41, 0x42] {
        let mut types = vec![1];
        for _ in 0..100_000 {
            types.extend([tag, 1, 1]);
        }
        types.extend([tag, 0]);
        too_large(&binary(&[section(7, types)]), "levels of nesting");
    }
}

#[test]
fn components_inside_components_are_bounded() {
    let mut bytes = COMPONENT.to_vec();
    for _ in 0..1000 {
        bytes = binary(&[section(4, bytes)]);
    }
    too_large(&bytes, "levels of nesting");
}

#[test]
fn more_definitions_than_any_tool_has_are_refused() {
    let mut types = leb(bounds::DEFINITIONS + 1);
    types.extend(vec![0x7d; bounds::DEFINITIONS + 1]);
    too_large(&binary(&[section(7, types)]), "types, imports and exports");
}

#[test]
fn a_count_that_the_bytes_do_not_hold_allocates_nothing() {
    let types = leb(0x7fff_ffff);
    assert_eq!(refusal(&binary(&[section(7, types)])).0, "T0102");
}

#[test]
fn a_type_that_doubles_at_each_level_is_described_in_a_bounded_text() {
    let mut types = "(type $t0 (tuple u8 u8))".to_owned();
    for level in 1..17 {
        types += &format!("(type $t{level} (tuple $t{0} $t{0}))", level - 1);
    }
    let bytes = wat(&format!(
        r#"(component {types}
            (core module $m (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
                (func (export "f") (param i32)) (func (export "g")))
            (core instance $i (instantiate $m))
            (func (export "f") (param "x" $t16) (canon lift (core func $i "f")
                (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
            (func (export "g") (canon lift (core func $i "g"))))"#
    ));
    let tool = describe_provided(&bytes).unwrap();
    assert!(tool.functions[0].params[0].ty.len() < bounds::TYPE_TEXT + 100);
    assert!(tool.functions[0].not_callable.is_some());
}

#[test]
fn documentation_of_any_size_is_not_read() {
    let docs = vec![b' '; bounds::DOCS_SECTION + 1];
    too_large(&with_section(component(TEXT_TOOL), "package-docs", &docs), "documentation");
}

#[test]
fn two_documentations_do_not_hide_a_tool() {
    let bytes = with_section(component(TEXT_TOOL), "package-docs", b"\x01{\"docs\":\"a\"}");
    let bytes = with_section(bytes, "package-docs", b"\x07?");
    assert_eq!(describe_provided(&bytes).unwrap().docs.as_deref(), Some("a"));
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let tools = vec![
        component(TEXT_TOOL),
        with_section(component(TEXT_TOOL), "package-docs", b"\x01{\"docs\":\"a\"}"),
        wat(r#"(module (memory (export "memory") 1) (func (export "_start")))"#),
    ];
    let edit = (any::<prop::sample::Index>(), any::<u8>());
    let edits = prop::collection::vec(edit, 1..6);
    (prop::sample::select(tools), edits, prop::option::of(any::<prop::sample::Index>())).prop_map(
        |(mut bytes, edits, cut)| {
            for (at, byte) in edits {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_mutation_of_a_tool_breaks_its_description(bytes in mutated()) {
        if let Ok(tool) = describe_provided(&bytes) {
            render(&tool);
            for func in &tool.functions {
                let _ = resolve_function(&tool, &func.call);
            }
        }
    }

    #[test]
    fn no_bytes_break_a_description(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = describe_provided(&[COMPONENT, &bytes].concat());
        let _ = describe_provided(&bytes);
    }
}
