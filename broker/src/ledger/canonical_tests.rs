#![expect(clippy::unwrap_used, reason = "a test may fail")]
use super::*;
use proptest::prelude::*;
use serde_json::json;

fn written(value: &Value) -> Result<String, NotCanonical> {
    let mut out = String::new();
    write(value, &mut out).map(|()| out)
}

/// Any value that has a canonical form.
fn value() -> impl Strategy<Value = Value> {
    let largest = LARGEST_INTEGER.cast_signed();
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (-largest..=largest).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[\\x00-\\x7f]{0,16}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[\\x00-\\x7f]{0,8}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_what_serde_json_writes_compactly(value in value()) {
        prop_assert_eq!(written(&value).unwrap(), serde_json::to_string(&value).unwrap());
    }

    #[test]
    fn an_object_is_read_back_from_its_one_spelling(members in prop::collection::btree_map("[ -~]{0,8}", value(), 0..6)) {
        let object: Map<String, Value> = members.into_iter().collect();
        let text = written(&Value::Object(object.clone())).unwrap();
        prop_assert_eq!(parse(text.as_bytes()), Ok(object.clone()));
        let pretty = serde_json::to_string_pretty(&object).unwrap();
        prop_assert_eq!(parse(pretty.as_bytes()).is_ok(), object.is_empty());
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), text in "[\\[{\":,a0\\\\}\\]]{0,24}") {
        let _ = parse(&bytes);
        let _ = parse(text.as_bytes());
    }
}

#[test]
fn members_stand_in_the_order_of_their_bytes() {
    let value = json!({"b": 1, "a": {"é".escape_unicode().to_string(): true, "Z": [], "": {}}});
    assert_eq!(written(&value).unwrap(), r#"{"a":{"":{},"Z":[],"\\u{e9}":true},"b":1}"#);
}

#[test]
fn controls_are_escaped_in_one_way() {
    let value = Value::from("\u{0}\u{8}\t\n\u{b}\u{c}\r\u{1f} \"\\/\u{7f}\u{2028}😀");
    assert_eq!(
        written(&value).unwrap(),
        "\"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f \\\"\\\\/\u{7f}\u{2028}😀\""
    );
}

#[test]
fn what_readers_differ_about_is_not_written() {
    for (value, error) in [
        (json!(null), NotCanonical::Null),
        (json!([{"a": null}]), NotCanonical::Null),
        (json!(1.5), NotCanonical::Number),
        (json!(1.0), NotCanonical::Number),
        (json!(-0.0), NotCanonical::Number),
        (json!(1u64 << 53), NotCanonical::Number),
        (json!(-(1i64 << 53)), NotCanonical::Number),
        (json!(i64::MIN), NotCanonical::Number),
        (json!(u64::MAX), NotCanonical::Number),
        (json!({"é": 1}), NotCanonical::Name),
    ] {
        assert_eq!(written(&value), Err(error), "{value}");
    }
    assert_eq!(written(&json!(LARGEST_INTEGER)).unwrap(), "9007199254740991");
}

#[test]
fn another_spelling_of_the_same_object_is_refused() {
    for text in [
        "",
        "{",
        "[]",
        "1",
        " {}",
        "{}\n",
        r#"{"a": 1}"#,
        r#"{"b":1,"a":1}"#,
        r#"{"a":1,"a":1}"#,
        r#"{"a":{"b":1,"b":2}}"#,
        r#"{"\u0061":1}"#,
        r#"{"a":"\/"}"#,
        r#"{"a":"\u000A"}"#,
        r#"{"a":"\u00e9"}"#,
        r#"{"a":1e0}"#,
        r#"{"a":-0}"#,
        r#"{"a":01}"#,
        r#"{"a":9007199254740992}"#,
        r#"{"a":null}"#,
        "{\"a\":\"\u{feff}\"}x",
    ] {
        assert!(parse(text.as_bytes()).is_err(), "{text:?}");
    }
    assert!(parse(b"{\"a\":\"\xff\"}").is_err());
}

#[test]
fn depth_is_bounded_when_writing_and_when_reading() {
    let nested = |depth: usize| (1..depth).fold(json!([]), |inner, _| json!([inner]));
    assert!(written(&nested(DEEPEST)).is_ok());
    assert_eq!(written(&nested(DEEPEST + 1)), Err(NotCanonical::Depth));
    let hostile = format!("{{\"a\":{}", "[".repeat(100_000));
    assert_eq!(parse(hostile.as_bytes()), Err(NotCanonical::Spelling));
}
