//! Real components: their types are read, and values go through a guest's memory and back.

use super::*;
use proptest::prelude::*;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, Val};
use wasmtime::{Config, Engine, Store};

fn engine() -> Engine {
    let mut config = Config::new();
    config.wasm_component_model_map(true).wasm_component_model_fixed_length_lists(true);
    Engine::new(&config).unwrap()
}

fn compile(engine: &Engine, wat: &str) -> wasmtime::Result<Component> {
    Component::new(engine, wat::parse_str(wat).unwrap())
}

fn shape_of(
    engine: &Engine,
    component: &Component,
    name: &str,
) -> Result<FunctionShape, NotCallable> {
    match component.component_type().get_export(engine, name).unwrap().ty {
        ComponentItem::ComponentFunc(func) => FunctionShape::of(&func),
        other => panic!("not a function: {other:?}"),
    }
}

/// A function that takes one parameter of `ty` and needs no code to exist.
fn taking(types: &str, ty: &str) -> String {
    format!(
        r#"(component
            (core module $m (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
                (func (export "f") (param i32) unreachable))
            (core instance $i (instantiate $m))
            {types}
            (func (export "f") (param "x" {ty})
                (canon lift (core func $i "f") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#
    )
}

#[test]
fn a_type_that_nests_too_deep_is_refused_and_one_less_is_not() {
    let engine = engine();
    let nested = |levels: usize| {
        let mut types = "(type $t0 (option u8))".to_owned();
        for level in 1..levels {
            types += &format!("(type $t{level} (option $t{}))", level - 1);
        }
        // A function of one parameter of many flat values takes a pointer, as `f` does.
        types += &format!("(type $wide (tuple {} $t{}))", "u8 ".repeat(17), levels - 1);
        compile(&engine, &taking(&types, "$wide")).map(|it| shape_of(&engine, &it, "f"))
    };
    assert!(nested(MAX_DEPTH - 2).unwrap().is_ok());
    assert_eq!(nested(MAX_DEPTH - 1).unwrap(), Err(NotCallable::TooDeep));
}

#[test]
fn a_type_that_doubles_at_each_level_is_refused_before_it_fills_memory() {
    let engine = engine();
    let mut types = "(type $t0 (tuple u8 u8))".to_owned();
    for level in 1..17 {
        types += &format!("(type $t{level} (tuple $t{0} $t{0}))", level - 1);
    }
    let component = compile(&engine, &taking(&types, "$t16")).unwrap();
    assert_eq!(shape_of(&engine, &component, "f"), Err(NotCallable::TooLarge));
}

#[test]
fn a_resource_is_refused_before_the_call() {
    let engine = engine();
    let wat = r#"(component
        (type $r' (resource (rep i32)))
        (core func $new (canon resource.new $r'))
        (core module $m (func (export "f") (param i32)) (func (export "g") (result i32) unreachable))
        (core instance $i (instantiate $m))
        (export $r "r" (type $r'))
        (func (export "f") (param "x" (own $r)) (canon lift (core func $i "f")))
        (func (export "g") (result (own $r)) (canon lift (core func $i "g"))))"#;
    let component = compile(&engine, wat).unwrap();
    for name in ["f", "g"] {
        assert_eq!(shape_of(&engine, &component, name), Err(NotCallable::Resource));
    }
}

/// A guest that gives back what it gets, for a type of every kind.
///
/// The parameter and the result are both wide enough to be passed by address, so the identity on
/// an address is the identity on the value, and both ways through memory are exercised.
const ECHO: &str = r#"(component
    (core module $m
        (memory (export "memory") 1)
        (global $next (mut i32) (i32.const 1024))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32)
            (local $at i32)
            (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
            (global.set $next (i32.add (local.get $at) (local.get 3)))
            (block $fits
                (br_if $fits (i32.le_u (global.get $next)
                    (i32.shl (memory.size) (i32.const 16))))
                (drop (memory.grow (i32.add (i32.const 1)
                    (i32.shr_u (local.get 3) (i32.const 16))))))
            (local.get $at))
        (func (export "echo") (param i32) (result i32) (local.get 0)))
    (core instance $i (instantiate $m))
    (type $e' (enum "red" "green"))
    (export $e "e" (type $e'))
    (type $fl' (flags "r" "w" "x"))
    (export $fl "fl" (type $fl'))
    (type $v' (variant (case "any") (case "size" u32) (case "names" (list string))))
    (export $v "v" (type $v'))
    (type $oo (option (option u8)))
    (type $res (result (list u8) (error string)))
    (type $empty (result))
    (type $tup (tuple bool char (list $oo)))
    (type $map (map string u16))
    (type $ids (map u32 string))
    (type $three (list s16 3))
    (type $rec' (record
        (field "a" s8) (field "b" u8) (field "c" s16) (field "d" u16) (field "e" s32)
        (field "f" u32) (field "g" s64) (field "h" u64) (field "i" f32) (field "j" f64)
        (field "k" char) (field "l" string) (field "m" $e) (field "n" $fl) (field "o" $v)
        (field "p" $oo) (field "q" $res) (field "r" $empty) (field "s" $tup) (field "t" $map)
        (field "u" $ids) (field "v" $three)))
    (export $rec "rec" (type $rec'))
    (func (export "echo") (param "x" $rec) (result $rec)
        (canon lift (core func $i "echo") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#;

struct Echo {
    engine: Engine,
    component: Component,
    shape: FunctionShape,
}

impl Echo {
    fn new() -> Self {
        let engine = engine();
        let component = compile(&engine, ECHO).unwrap();
        let shape = shape_of(&engine, &component, "echo").unwrap();
        Self { engine, component, shape }
    }

    fn call(&self, args: &[Val]) -> Vec<Val> {
        let mut store = Store::new(&self.engine, ());
        let instance = Linker::new(&self.engine).instantiate(&mut store, &self.component).unwrap();
        let func = instance.get_func(&mut store, "echo").unwrap();
        let mut results = self.shape.result_slots();
        func.call(&mut store, args, &mut results).unwrap();
        results
    }
}

const EVERYTHING: &str = r#"{"a":-128,"b":255,"c":-32768,"d":65535,"e":-2147483648,"f":4294967295,"g":"-9223372036854775808","h":"18446744073709551615","i":0.1,"j":"-Infinity","k":"😀","l":"hi","m":"green","n":["r","x"],"o":{"names":["a","b"]},"p":{"some":null},"q":{"ok":{"base64":"AP8="}},"r":{"err":null},"s":[true,"x",[null,{"some":null},{"some":7}]],"t":{"one":1,"two":2},"u":[[1,"a"]],"v":[1,-2,3]}"#;

#[test]
fn a_value_of_every_type_survives_a_guest() {
    let echo = Echo::new();
    let args = echo.shape.args_from_text(&format!("[{EVERYTHING}]"), Caps::DEFAULT).unwrap();
    let text = echo.shape.result_to_text(&echo.call(&args), Caps::DEFAULT).unwrap();
    assert_eq!(text, EVERYTHING);
}

#[test]
fn random_values_survive_a_guest() {
    let echo = Echo::new();
    let shape = echo.shape.params[0].1.clone();
    let config = ProptestConfig::with_cases(64);
    proptest!(config, |(val in round_trip::values(shape.clone()))| {
        let text = shape.to_text(&val, Caps::DEFAULT).unwrap();
        let args = echo.shape.args_from_text(&format!("{{\"x\":{text}}}"), Caps::DEFAULT).unwrap();
        let back = echo.shape.result_to_text(&echo.call(&args), Caps::DEFAULT).unwrap();
        prop_assert_eq!(back, text);
    });
}

#[test]
fn a_list_from_a_guest_that_exceeds_the_cap_is_refused() {
    let echo = Echo::new();
    let args = echo.shape.args_from_text(&format!("[{EVERYTHING}]"), Caps::DEFAULT).unwrap();
    let result = echo.call(&args);
    echo.shape.result_to_text(&result, Caps { elements: 10, bytes: 10_000 }).unwrap_err();
    echo.shape.result_to_text(&result, Caps { elements: 1000, bytes: 100 }).unwrap_err();
}
