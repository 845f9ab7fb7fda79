//! JSON to component values and back.
//!
//! | WIT type | JSON |
//! |---|---|
//! | `bool` | `true`, `false` |
//! | `s8` … `u32` | integer; `1.0` and `1e3` count as integers |
//! | `s64`, `u64` | integer, or a string of its digits; written as a string beyond ±(2^53 − 1) |
//! | `f32`, `f64` | number, `"NaN"`, `"Infinity"`, `"-Infinity"` |
//! | `char` | string of one character |
//! | `string` | string |
//! | `list<u8>`, `list<u8, N>` | written as `{"base64": "…"}`; an array of integers is read too |
//! | other `list<T>`, `list<T, N>` | array |
//! | `tuple<…>` | array of exactly its length |
//! | `record` | object by the names in WIT; a missing `option` field is `none` |
//! | `variant` | `{"case": payload}`, or `"case"` where the case has no payload |
//! | `enum` | string |
//! | `flags` | array of strings, each once |
//! | `option<T>` | `null`, or the value |
//! | `option<option<T>>` | `null`, or `{"some": inner}`; the inner option is `null` or its value |
//! | `result<T, E>` | `{"ok": value}` or `{"err": value}`; `null` where a side has no payload |
//! | `map<string, T>` | object |
//! | other `map<K, V>` | array of `[key, value]` |
//! | resources, `future`, `stream`, `error-context`, `async func` | refused before the call |
//!
//! Why these: each type has one written form, each can be said in JSON Schema (a variant is a
//! `oneOf` of constants and objects with one required key), and a model meets the same forms in
//! other JSON APIs. Bytes are base64 because a byte as a number costs a model up to four
//! characters and its reader one token or more; the form says what it is and can be fed back in.

mod brief;
mod bytes;
mod caps;
mod error;
mod escape;
mod from_wasmtime;
mod number;
mod read;
mod shape;
mod strict;
#[cfg(test)]
mod tests;
mod write;

pub use caps::{Caps, MAX_DEPTH, MAX_NODES};
pub use error::{Problem, ValueError};
pub use escape::escaped;
pub(crate) use escape::push_json_string;
pub use shape::{AsyncType, FunctionShape, NotCallable, Shape};
pub use strict::parse_json;

pub(crate) use error::{list_names, suggest};
pub(crate) use shape::ShapeBudget;

use crate::outcome::LimitName;
use error::Path;
use serde_json::Value;
use wasmtime::component::Val;
use wasmtime::component::types::ComponentFunc;

/// Reads a function's arguments from JSON text; the refusal says which code it carries.
pub fn arguments(func: &ComponentFunc, args: &str) -> Result<Vec<Val>, ValueError> {
    let shape =
        FunctionShape::of(func).map_err(|reason| Problem::NotCallable(reason).at(&Path::ROOT))?;
    shape.args_from_text(args, Caps::DEFAULT)
}

/// Writes what a call gave as JSON text of at most `limit` bytes, with the exit code: 1 if it is
/// the `err` side of a `result`.
pub fn result(
    func: &ComponentFunc,
    results: &[Val],
    limit: u64,
) -> Result<(String, u8), LimitName> {
    let caps = Caps { bytes: usize::try_from(limit).unwrap_or(usize::MAX), ..Caps::DEFAULT };
    // Wasmtime lifted the values by this same type, so that size alone can be wrong with them.
    let shape = FunctionShape::of(func).map_err(|_| LimitName::Result)?;
    let text = shape.result_to_text(results, caps).map_err(|_| LimitName::Result)?;
    Ok((text, FunctionShape::is_error(results).into()))
}

impl FunctionShape {
    /// Reads arguments: a JSON object by parameter name, or an array by position.
    ///
    /// A parameter that is an `option` may be absent, in an array only at the end.
    pub fn args_from_json(&self, args: &Value, caps: Caps) -> Result<Vec<Val>, ValueError> {
        read::Reader::new(caps).args(self, args)
    }

    /// Reads arguments from JSON text in which no key may stand twice.
    pub fn args_from_text(&self, args: &str, caps: Caps) -> Result<Vec<Val>, ValueError> {
        self.args_from_json(&parse_json(args, caps)?, caps)
    }

    /// Writes what a call gave as JSON text; no result is `null`.
    ///
    /// The text holds no control or bidirectional character, not even the ones that JSON allows,
    /// and a record's fields stand in the order of the WIT.
    pub fn result_to_text(&self, results: &[Val], caps: Caps) -> Result<String, ValueError> {
        match (&self.result, results) {
            (Some(shape), [result]) => shape.to_text(result, caps),
            _ => Ok("null".to_owned()),
        }
    }

    /// Writes what a call gave as a JSON value.
    ///
    /// Prefer [`result_to_text`](Self::result_to_text) for anything that is printed: whoever prints
    /// this value decides anew which characters are escaped and how fields are ordered.
    pub fn result_to_json(&self, results: &[Val], caps: Caps) -> Result<Value, ValueError> {
        parse_json(&self.result_to_text(results, caps)?, caps)
    }

    /// Says whether a call returned the `err` side of a `result`: the tool itself failed.
    pub fn is_error(results: &[Val]) -> bool {
        matches!(results, [Val::Result(Err(_))])
    }

    /// Makes room for what a call gives, as wasmtime's `call` wants it.
    pub fn result_slots(&self) -> Vec<Val> {
        self.result.iter().map(|_| Val::Bool(false)).collect()
    }
}

impl Shape {
    /// Reads one value from JSON text. Pure and total: a fuzz target needs nothing else.
    pub fn from_text(&self, text: &str, caps: Caps) -> Result<Val, ValueError> {
        read::Reader::new(caps).value(self, &parse_json(text, caps)?, &Path::ROOT)
    }

    /// Writes one value as JSON text.
    pub fn to_text(&self, val: &Val, caps: Caps) -> Result<String, ValueError> {
        let mut writer = write::Writer::new(caps);
        writer.value(self, val, &Path::ROOT)?;
        Ok(writer.out)
    }
}
