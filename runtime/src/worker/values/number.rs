//! Numbers: what JSON can carry exactly, and strings for the rest.

use super::shape::Shape;
use serde_json::Value;
use wasmtime::component::Val;

/// The largest integer up to which every integer is a double: `2^53 − 1`, JavaScript's bound.
///
/// Many readers of JSON hold numbers as doubles and would change larger ones silently.
pub(crate) const MAX_SAFE: u64 = (1 << 53) - 1;

/// Reads a number, or nothing if the JSON does not fit the type.
pub(crate) fn read(shape: &Shape, json: &Value) -> Option<Val> {
    Some(match shape {
        Shape::F32 => Val::Float32(single(float(json)?)?),
        Shape::F64 => Val::Float64(float(json)?),
        Shape::S8 => Val::S8(integer(json)?.try_into().ok()?),
        Shape::U8 => Val::U8(integer(json)?.try_into().ok()?),
        Shape::S16 => Val::S16(integer(json)?.try_into().ok()?),
        Shape::U16 => Val::U16(integer(json)?.try_into().ok()?),
        Shape::S32 => Val::S32(integer(json)?.try_into().ok()?),
        Shape::U32 => Val::U32(integer(json)?.try_into().ok()?),
        Shape::S64 => Val::S64(long(json)?.try_into().ok()?),
        Shape::U64 => Val::U64(long(json)?.try_into().ok()?),
        _ => return None,
    })
}

/// Reads an integer; `1.0` and `1e3` are integers too, as in JSON Schema, where a double is exact.
fn integer(json: &Value) -> Option<i128> {
    let Value::Number(number) = json else { return None };
    if let Some(value) = number.as_i64() {
        return Some(value.into());
    }
    if let Some(value) = number.as_u64() {
        return Some(value.into());
    }
    let value = number.as_f64()?;
    #[expect(clippy::cast_possible_truncation, reason = "checked: whole and below 2^53")]
    let exact = (value.trunc() == value && value.abs() <= MAX_SAFE as f64).then_some(value as i128);
    exact
}

/// Reads a 64-bit integer, which may also be a string of decimal digits.
fn long(json: &Value) -> Option<i128> {
    let Value::String(text) = json else { return integer(json) };
    let digits = text.strip_prefix('-').unwrap_or(text);
    // One spelling per number: no sign `+`, no leading zero, no space, nothing longer than u64.
    let canonical = (1..=20).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && (digits == "0" && digits == text || !digits.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

fn float(json: &Value) -> Option<f64> {
    match json {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// Rounds to a single, unless that turns a finite number into an infinite one.
#[expect(clippy::cast_possible_truncation, reason = "rounding is what f32 asks for")]
fn single(value: f64) -> Option<f32> {
    let rounded = value as f32;
    (rounded.is_finite() == value.is_finite()).then_some(rounded)
}
