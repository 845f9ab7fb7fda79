//! Each type in its one written form.

use super::*;
use wasmtime::component::Val;

fn keeps(shape: &Shape, text: &str) {
    assert_eq!(there_and_back(shape, text), text);
}

#[test]
fn a_whole_number_with_a_fraction_of_zero_is_an_integer() {
    for text in ["3", "3.0", "30e-1"] {
        assert_eq!(Shape::U8.from_text(text, Caps::DEFAULT).unwrap(), Val::U8(3));
    }
}

#[test]
fn integers_beyond_what_a_double_holds_are_written_as_strings() {
    keeps(&Shape::U64, "9007199254740991");
    keeps(&Shape::U64, "\"9007199254740992\"");
    keeps(&Shape::U64, "\"18446744073709551615\"");
    keeps(&Shape::S64, "-9007199254740991");
    keeps(&Shape::S64, "\"-9223372036854775808\"");
    assert_eq!(there_and_back(&Shape::U64, "18446744073709551615"), "\"18446744073709551615\"");
    assert_eq!(there_and_back(&Shape::S64, "\"-7\""), "-7");
}

#[test]
fn floats_that_json_lacks_are_strings() {
    for shape in [Shape::F32, Shape::F64] {
        for text in ["\"NaN\"", "\"Infinity\"", "\"-Infinity\"", "-0.0", "0.1"] {
            keeps(&shape, text);
        }
    }
}

#[test]
fn a_char_is_a_string_of_one_character() {
    keeps(&Shape::Char, "\"é\"");
    keeps(&Shape::Char, "\"😀\"");
}

#[test]
fn bytes_are_written_as_base64_and_read_as_either() {
    let bytes = list(Shape::U8);
    keeps(&bytes, "{\"base64\":\"aGk=\"}");
    keeps(&bytes, "{\"base64\":\"\"}");
    assert_eq!(there_and_back(&bytes, "[104, 105]"), "{\"base64\":\"aGk=\"}");
    assert_eq!(there_and_back(&bytes, "{\"base64\":\"aGk\"}"), "{\"base64\":\"aGk=\"}");
    keeps(&Shape::FixedList(Box::new(Shape::U8), 2), "{\"base64\":\"aGk=\"}");
}

#[test]
fn a_record_keeps_the_order_of_its_wit_and_fills_in_options() {
    let shape = record(&[("z-first", Shape::U8), ("a-last", option(Shape::String))]);
    assert_eq!(there_and_back(&shape, "{\"z-first\":1}"), "{\"z-first\":1,\"a-last\":null}");
    keeps(&shape, "{\"z-first\":1,\"a-last\":\"x\"}");
}

#[test]
fn a_variant_is_its_case_and_payload_or_its_case_alone() {
    let cases = vec![("any".to_owned(), None), ("size".to_owned(), Some(Shape::U32))];
    keeps(&Shape::Variant(cases.clone()), "\"any\"");
    keeps(&Shape::Variant(cases), "{\"size\":3}");
}

#[test]
fn nested_options_are_told_apart() {
    let shape = option(option(option(Shape::Bool)));
    keeps(&shape, "null");
    keeps(&shape, "{\"some\":null}");
    keeps(&shape, "{\"some\":{\"some\":null}}");
    keeps(&shape, "{\"some\":{\"some\":true}}");
}

#[test]
fn a_result_names_its_side_even_without_a_payload() {
    let shape = Shape::Result { ok: None, err: Some(Box::new(Shape::String)) };
    keeps(&shape, "{\"ok\":null}");
    keeps(&shape, "{\"err\":\"gone\"}");
}

#[test]
fn enums_flags_tuples_and_maps_have_their_forms() {
    keeps(&Shape::Enum(names(&["red", "green"])), "\"green\"");
    keeps(&Shape::Flags(names(&["r", "w", "x"])), "[\"r\",\"x\"]");
    keeps(&Shape::Flags(names(&["r"])), "[]");
    keeps(&Shape::Tuple(vec![Shape::U8, Shape::String]), "[1,\"a\"]");
    keeps(&Shape::Map(Box::new(Shape::String), Box::new(Shape::U8)), "{\"a\":1,\"b\":2}");
    keeps(&Shape::Map(Box::new(Shape::U8), Box::new(Shape::String)), "[[1,\"a\"],[2,\"b\"]]");
}

#[test]
fn of_a_key_that_a_guest_gives_twice_the_last_counts() {
    let shape = Shape::Map(Box::new(Shape::String), Box::new(Shape::U8));
    let pair = |key: &str, value| (Val::String(key.to_owned()), Val::U8(value));
    let map = Val::Map(vec![pair("a", 1), pair("b", 2), pair("a", 3)]);
    assert_eq!(shape.to_text(&map, Caps::DEFAULT).unwrap(), "{\"b\":2,\"a\":3}");
}

#[test]
fn arguments_come_by_name_or_in_order_and_options_may_be_left_out() {
    let func = function(&[("path", Shape::String), ("limit", option(Shape::U32))]);
    let expected = vec![Val::String("x".to_owned()), Val::Option(None)];
    for text in ["{\"path\":\"x\"}", "[\"x\"]", "[\"x\",null]", "{\"limit\":null,\"path\":\"x\"}"] {
        assert_eq!(func.args_from_text(text, Caps::DEFAULT).unwrap(), expected);
    }
    for text in ["{}", "[]"] {
        assert_eq!(function(&[]).args_from_text(text, Caps::DEFAULT).unwrap(), vec![]);
    }
}

#[test]
fn a_result_holds_no_control_or_bidi_character() {
    let hostile = Val::String("\u{1b}[2J\u{9b}\u{202e}\u{7f}".to_owned());
    let text = Shape::String.to_text(&hostile, Caps::DEFAULT).unwrap();
    assert!(!text.chars().any(is_treacherous));
    assert_eq!(Shape::String.from_text(&text, Caps::DEFAULT).unwrap(), hostile);
}

#[test]
fn only_the_err_side_is_an_error() {
    assert!(FunctionShape::is_error(&[Val::Result(Err(None))]));
    assert!(!FunctionShape::is_error(&[Val::Result(Ok(None))]));
    assert!(!FunctionShape::is_error(&[]));
}

#[test]
fn a_function_without_a_result_gives_null() {
    assert_eq!(function(&[]).result_to_text(&[], Caps::DEFAULT).unwrap(), "null");
}
