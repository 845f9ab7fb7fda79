//! What is refused, and that the message says where and how.

use super::*;
use wasmtime::component::Val;

#[test]
fn an_error_names_the_place_the_type_and_what_was_found() {
    let item = record(&[("size", Shape::U8)]);
    let shape = record(&[("items", list(item))]);
    let text = r#"{"items":[{"size":1},{"size":2},{"size":3},{"size":300}]}"#;
    assert_eq!(
        refusal(&shape, text),
        "$.items[3].size: expected u8 (an integer from 0 to 255), found 300"
    );
}

#[test]
fn integers_out_of_range_or_with_a_fraction_are_refused() {
    for (shape, text) in [
        (Shape::U8, "256"),
        (Shape::U8, "-1"),
        (Shape::S8, "128"),
        (Shape::S8, "-129"),
        (Shape::U16, "65536"),
        (Shape::S16, "32768"),
        (Shape::U32, "4294967296"),
        (Shape::S32, "2147483648"),
        (Shape::U64, "-1"),
        (Shape::U64, "18446744073709551616"),
        (Shape::U64, "\"18446744073709551616\""),
        (Shape::S64, "9223372036854775808"),
        (Shape::U32, "1.5"),
        (Shape::U64, "1e16"),
    ] {
        assert!(refusal(&shape, text).starts_with("$: expected "), "{shape:?} {text}");
    }
}

#[test]
fn a_64_bit_number_in_a_string_has_one_spelling() {
    for text in ["\"\"", "\"-\"", "\"+1\"", "\"01\"", "\"-0\"", "\" 1\"", "\"1.0\"", "\"0x1\""] {
        refusal(&Shape::S64, text);
    }
}

#[test]
fn small_integers_are_not_read_from_strings() {
    refusal(&Shape::U32, "\"1\"");
}

#[test]
fn a_number_too_large_for_f32_does_not_become_infinite() {
    refusal(&Shape::F32, "1e39");
    refusal(&Shape::F32, "-3.5e38");
    refusal(&Shape::F64, "1e309");
    refusal(&Shape::F64, "\"inf\"");
}

#[test]
fn half_a_surrogate_pair_or_two_characters_are_not_a_char() {
    refusal(&Shape::Char, r#""\ud800""#);
    refusal(&Shape::Char, "\"\"");
    refusal(&Shape::Char, "\"ab\"");
    refusal(&Shape::String, r#""\udc00""#);
}

#[test]
fn a_misspelt_parameter_is_named_with_the_one_that_was_meant() {
    let func = function(&[("max-items", Shape::U32)]);
    let error = func.args_from_text(r#"{"max_items":1}"#, Caps::DEFAULT).unwrap_err();
    assert_eq!(
        error.to_string(),
        "$: there is no parameter `max_items`; did you mean `max-items`?"
    );
}

#[test]
fn an_extra_field_is_refused_even_when_nothing_is_missing() {
    let shape = record(&[("a", Shape::U8)]);
    assert_eq!(
        refusal(&shape, r#"{"a":1,"zebra":2}"#),
        "$: there is no field `zebra`; there are: a"
    );
}

#[test]
fn a_missing_parameter_is_named_with_its_type() {
    let func = function(&[("path", Shape::String)]);
    for text in ["{}", "[]"] {
        let error = func.args_from_text(text, Caps::DEFAULT).unwrap_err();
        assert_eq!(error.to_string(), "$: parameter `path` (string) is missing");
    }
}

#[test]
fn too_many_arguments_or_a_bare_value_are_refused() {
    for text in ["[1]", "1", "null", "\"x\""] {
        function(&[]).args_from_text(text, Caps::DEFAULT).unwrap_err();
    }
}

#[test]
fn a_key_that_stands_twice_is_refused() {
    let shape = record(&[("a", Shape::U8)]);
    assert!(refusal(&shape, r#"{"a":1,"a":2}"#).contains("`a` stands twice"));
    assert!(refusal(&shape, "{\"a\":1,\"\\u0061\":2}").contains("`a` stands twice"));
}

#[test]
fn a_flag_given_twice_is_refused() {
    assert_eq!(refusal(&Shape::Flags(names(&["r"])), r#"["r","r"]"#), "$[1]: `r` is given twice");
}

#[test]
fn a_variant_case_is_given_with_its_payload_exactly_when_it_has_one() {
    let shape = Shape::Variant(vec![("any".into(), None), ("size".into(), Some(Shape::Bool))]);
    assert_eq!(refusal(&shape, "\"size\""), "$: expected {\"size\": bool}, found \"size\"");
    refusal(&shape, "{\"any\":null}");
    refusal(&shape, "{\"any\":1,\"size\":true}");
    refusal(&shape, "{}");
    assert_eq!(refusal(&shape, "\"sise\""), "$: there is no case `sise`; did you mean `size`?");
}

#[test]
fn a_result_names_exactly_one_side() {
    let shape = Shape::Result { ok: Some(Box::new(Shape::U8)), err: None };
    for text in ["{}", "{\"ok\":1,\"err\":null}", "{\"ok\":null}", "{\"err\":1}", "\"ok\"", "1"] {
        refusal(&shape, text);
    }
}

#[test]
fn bytes_are_base64_alone_and_well_formed() {
    let bytes = list(Shape::U8);
    for text in [r#"{"base64":"a"}"#, r#"{"base64":"aGk=","x":1}"#, r#"{"base64":1}"#, "\"aGk=\""] {
        refusal(&bytes, text);
    }
    refusal(&list(Shape::U16), r#"{"base64":"aGk="}"#);
    refusal(&Shape::FixedList(Box::new(Shape::U8), 3), r#"{"base64":"aGk="}"#);
}

#[test]
fn hostile_keys_and_values_are_escaped_and_cut_in_messages() {
    let shape = record(&[("a", Shape::U8)]);
    let long = "x".repeat(10_000);
    for text in [
        "{\"\\u001b[31m\\u202e\":1}".to_owned(),
        "{\"a\":\"\\u001b[31m\\u202e\"}".to_owned(),
        format!("{{\"a\":\"{long}\"}}"),
        format!("{{\"{long}\":1}}"),
        format!("{{\"\\n{long}\":1,\"\\n{long}\":1}}"),
    ] {
        let message = refusal(&shape, &text);
        assert!(!message.chars().any(is_treacherous), "{message}");
        assert!(message.len() < 500, "{message}");
    }
}

#[test]
fn deep_json_is_refused_before_it_is_a_value() {
    let text = "[".repeat(100_000);
    assert!(refusal(&Shape::Bool, &text).contains("recursion limit"));
}

#[test]
fn more_values_than_the_cap_are_refused_both_ways() {
    let caps = Caps { elements: 4, bytes: 1000 };
    let shape = list(Shape::U8);
    assert!(shape.from_text("[1,2,3]", caps).is_ok());
    let error = shape.from_text("[1,2,3,4]", caps).unwrap_err();
    assert_eq!(error.to_string(), "$[3]: the value has more than 4 values");
    shape.from_text("{\"base64\":\"AAAAAA==\"}", caps).unwrap_err();
    shape.to_text(&Val::List(vec![Val::U8(0); 4]), caps).unwrap_err();
    list(Shape::Bool).to_text(&Val::List(vec![Val::Bool(true); 4]), caps).unwrap_err();
}

#[test]
fn more_text_than_the_cap_is_refused_both_ways() {
    let caps = Caps { elements: 1000, bytes: 10 };
    assert!(Shape::String.from_text("\"12345678\"", caps).is_ok());
    Shape::String.from_text("\"123456789\"", caps).unwrap_err();
    assert!(Shape::String.to_text(&Val::String("12345678".into()), caps).is_ok());
    Shape::String.to_text(&Val::String("123456789".into()), caps).unwrap_err();
    Shape::String.to_text(&Val::String("\u{1}\u{1}".into()), caps).unwrap_err();
    let bytes = Val::List(vec![Val::U8(0); 9]);
    list(Shape::U8).to_text(&bytes, caps).unwrap_err();
}

#[test]
fn a_value_of_another_type_is_refused_rather_than_printed() {
    Shape::U8.to_text(&Val::U16(1), Caps::DEFAULT).unwrap_err();
    list(Shape::U8).to_text(&Val::List(vec![Val::Bool(true)]), Caps::DEFAULT).unwrap_err();
}
