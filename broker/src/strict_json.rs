//! JSON from strangers: an object in which every key stands once, of bounded depth, without null.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// Reads one object whose values nest at most `depth` deep; the object itself is depth 1.
///
/// Readers disagree on which of two equal keys counts, so what one checked another would not use.
/// Null is refused because it is one more way to leave a member out, and floats because nothing
/// that is read here is one.
pub(crate) fn object(bytes: &[u8], depth: usize) -> Option<Map<String, Value>> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth }.deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    match value {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn inner<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("too deep"))?;
        Ok(Self { depth })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a boolean, an integer, a string, an array or an object")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut members = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(inner)?;
            if members.insert(key, value).is_some() {
                return Err(A::Error::custom("a key stands twice"));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_read(text: &str) -> bool {
        object(text.as_bytes(), 3).is_some()
    }

    #[test]
    fn an_object_of_plain_values_is_read() {
        assert!(is_read(r#" {"a":1,"b":-1,"c":"x","d":[true,{"a":1}],"e":{}} "#));
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_at_every_depth_and_in_every_spelling() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"{"x":[{"a":1,"a":2}]}"#,
        ] {
            assert!(!is_read(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_object_of_plain_values_is_refused() {
        for text in [
            "",
            "1",
            "[]",
            "\"a\"",
            "null",
            "{",
            "{}x",
            "{}{}",
            r#"{"a":null}"#,
            r#"{"a":[null]}"#,
            r#"{"a":1.0}"#,
            r#"{"a":1e2}"#,
            r#"{"a":99999999999999999999}"#,
            r#"{"a":NaN}"#,
            r#"{"a":01}"#,
            r#"{"a":1,}"#,
            r#"{a:1}"#,
            "{\"a\":\"\n\"}",
            r#"{"a":"\ud800"}"#,
            "\u{feff}{}",
        ] {
            assert!(!is_read(text), "{text}");
        }
        assert!(object(b"{\"a\":\"\xff\"}", 3).is_none());
    }

    #[test]
    fn depth_is_counted_from_the_object_itself() {
        assert!(is_read(r#"{"a":{"a":{"a":1}}}"#));
        assert!(!is_read(r#"{"a":{"a":{"a":{}}}}"#));
        assert!(!is_read(r#"{"a":[[[]]]}"#));
        assert!(!is_read(&format!("{}{}", "{\"a\":".repeat(100_000), "1")));
    }
}
