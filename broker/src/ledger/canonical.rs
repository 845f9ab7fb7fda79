//! The one spelling of a JSON value: RFC 8785, restricted until nothing is left to interpretation.
//!
//! Objects, arrays, strings, booleans and integers; no null, no fractions, ASCII member names. Under
//! these limits RFC 8785 is: no white space, members in the order of their bytes, the short escapes
//! and `\u00xx` for other controls, everything else as it is.

use serde_json::{Map, Value};

/// The largest magnitude of an integer: beyond 2^53 - 1 readers differ (RFC 7493 §2.2).
pub const LARGEST_INTEGER: u64 = (1 << 53) - 1;

/// How deep arrays and objects may lie in each other: a reader's stack bounds it somewhere.
pub const DEEPEST: usize = 32;

/// Why a value has no canonical form here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotCanonical {
    /// An absent value is left out, not written as null.
    #[error("null has no place in a record; leave the member out")]
    Null,
    /// A fraction, an exponent, or an integer that some readers round.
    #[error("a number in a record is an integer below 2^53; write others as strings")]
    Number,
    /// A member name outside ASCII, whose order readers disagree about.
    #[error("the name of a member has a character outside ASCII")]
    Name,
    /// Nested deeper than [`DEEPEST`].
    #[error("arrays and objects are nested too deeply")]
    Depth,
    /// Not JSON, or JSON in another spelling.
    #[error("this is not the canonical form of a JSON object")]
    Spelling,
}

/// Writes a value in its one spelling.
pub fn write(value: &Value, out: &mut String) -> Result<(), NotCanonical> {
    write_at(value, out, DEEPEST)
}

/// Reads an object and refuses every other spelling of it, duplicate members included.
pub fn parse(bytes: &[u8]) -> Result<Map<String, Value>, NotCanonical> {
    let value = serde_json::from_slice(bytes).map_err(|_| NotCanonical::Spelling)?;
    let mut again = String::with_capacity(bytes.len());
    write(&value, &mut again)?;
    match value {
        Value::Object(members) if again.as_bytes() == bytes => Ok(members),
        _ => Err(NotCanonical::Spelling),
    }
}

fn write_at(value: &Value, out: &mut String, depth: usize) -> Result<(), NotCanonical> {
    match value {
        Value::Null => return Err(NotCanonical::Null),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => {
            let whole = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            whole.filter(|whole| *whole <= LARGEST_INTEGER).ok_or(NotCanonical::Number)?;
            out.push_str(&number.to_string());
        }
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            let depth = depth.checked_sub(1).ok_or(NotCanonical::Depth)?;
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_at(item, out, depth)?;
            }
            out.push(']');
        }
        Value::Object(members) => write_object(members, out, depth)?,
    }
    Ok(())
}

fn write_object(
    members: &Map<String, Value>,
    out: &mut String,
    depth: usize,
) -> Result<(), NotCanonical> {
    let depth = depth.checked_sub(1).ok_or(NotCanonical::Depth)?;
    out.push('{');
    for (index, (name, value)) in sorted(members).into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_member(name, value, out, depth)?;
    }
    out.push('}');
    Ok(())
}

/// Writes `"name":value`; `depth` is what the value may still use.
fn write_member(
    name: &str,
    value: &Value,
    out: &mut String,
    depth: usize,
) -> Result<(), NotCanonical> {
    if !name.is_ascii() {
        return Err(NotCanonical::Name);
    }
    write_string(name, out);
    out.push(':');
    write_at(value, out, depth)
}

/// Writes one member of a record, which is an object itself.
pub(super) fn write_top_member(
    name: &str,
    value: &Value,
    out: &mut String,
) -> Result<(), NotCanonical> {
    write_member(name, value, out, DEEPEST - 1)
}

/// Returns the members in order, also when another crate of the program asked `serde_json` to keep
/// them as they came.
pub(super) fn sorted(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    sorted
}

/// Writes a string with the escapes of RFC 8785 §3.2.2.2.
fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut clean = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            0x08 => "\\b",
            b'\t' => "\\t",
            b'\n' => "\\n",
            0x0c => "\\f",
            b'\r' => "\\r",
            0..0x20 => "\\u00",
            _ => continue,
        };
        out.push_str(&text[clean..at]);
        out.push_str(escape);
        if escape.len() > 2 {
            out.push(if byte < 0x10 { '0' } else { '1' });
            out.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
        }
        clean = at + 1;
    }
    out.push_str(&text[clean..]);
    out.push('"');
}

#[cfg(test)]
#[path = "canonical_tests.rs"]
mod tests;
