//! Component values into JSON text.

use super::caps::Caps;
use super::error::{Path, Problem, ValueError};
use super::escape::push_json_string;
use super::shape::Shape;
use super::{bytes, number};
use std::collections::HashMap;
use std::fmt::Write as _;
use wasmtime::component::Val;

/// One conversion: the text so far, and what is left of its caps.
///
/// Text is built rather than a tree: it is what crosses to the host, it keeps the order of a
/// record's fields, and its cap is exact.
pub(crate) struct Writer {
    caps: Caps,
    elements: usize,
    pub(crate) out: String,
}

type Written = Result<(), ValueError>;

impl Writer {
    pub(crate) fn new(caps: Caps) -> Self {
        Self { caps, elements: caps.elements, out: String::new() }
    }

    pub(crate) fn value(&mut self, shape: &Shape, val: &Val, path: &Path<'_>) -> Written {
        self.spend(1, path)?;
        match (shape, val) {
            (Shape::String, Val::String(text)) => self.string(text, path)?,
            (Shape::Char, Val::Char(c)) => self.string(c.encode_utf8(&mut [0; 4]), path)?,
            (Shape::Enum(_), Val::Enum(name)) => self.string(name, path)?,
            (Shape::List(item), Val::List(items))
            | (Shape::FixedList(item, _), Val::FixedLengthList(items)) => {
                self.list(item, items, path)?;
            }
            (Shape::Map(key, value), Val::Map(pairs)) => self.map((key, value), pairs, path)?,
            (Shape::Tuple(shapes), Val::Tuple(items)) if shapes.len() == items.len() => {
                let mut next = '[';
                for (index, (shape, item)) in shapes.iter().zip(items).enumerate() {
                    self.out.push(std::mem::replace(&mut next, ','));
                    self.value(shape, item, &path.index(index))?;
                }
                self.close(next, '[', ']');
            }
            (Shape::Record(shapes), Val::Record(fields)) if shapes.len() == fields.len() => {
                let mut next = '{';
                for ((name, shape), (_, value)) in shapes.iter().zip(fields) {
                    self.out.push(std::mem::replace(&mut next, ','));
                    self.field(name, shape, value, path)?;
                }
                self.close(next, '{', '}');
            }
            (Shape::Variant(cases), Val::Variant(name, payload)) => {
                let case = cases.iter().find(|(case, _)| case == name);
                match (case, payload) {
                    (Some((_, None)), None) => self.string(name, path)?,
                    (Some((_, Some(shape))), Some(payload)) => {
                        self.wrapped(name, Some(shape), Some(payload), path)?;
                    }
                    _ => return Err(unlike(shape, path)),
                }
            }
            (Shape::Flags(_), Val::Flags(set)) => {
                let mut next = '[';
                for flag in set {
                    self.out.push(std::mem::replace(&mut next, ','));
                    self.string(flag, path)?;
                }
                self.close(next, '[', ']');
            }
            (Shape::Option(_), Val::Option(None)) => self.out.push_str("null"),
            (Shape::Option(inner), Val::Option(Some(value))) if inner.is_optional() => {
                self.wrapped("some", Some(inner), Some(value), path)?;
            }
            (Shape::Option(inner), Val::Option(Some(value))) => self.value(inner, value, path)?,
            (Shape::Result { ok, .. }, Val::Result(Ok(value))) => {
                self.wrapped("ok", ok.as_deref(), value.as_deref(), path)?;
            }
            (Shape::Result { err, .. }, Val::Result(Err(value))) => {
                self.wrapped("err", err.as_deref(), value.as_deref(), path)?;
            }
            _ => self.scalar(shape, val, path)?,
        }
        self.check_bytes(0, path)
    }

    fn scalar(&mut self, shape: &Shape, val: &Val, path: &Path<'_>) -> Written {
        match (shape, val) {
            (Shape::Bool, Val::Bool(v)) => self.push(v),
            (Shape::S8, Val::S8(v)) => self.push(v),
            (Shape::U8, Val::U8(v)) => self.push(v),
            (Shape::S16, Val::S16(v)) => self.push(v),
            (Shape::U16, Val::U16(v)) => self.push(v),
            (Shape::S32, Val::S32(v)) => self.push(v),
            (Shape::U32, Val::U32(v)) => self.push(v),
            (Shape::S64, Val::S64(v)) => self.long(v, v.unsigned_abs()),
            (Shape::U64, Val::U64(v)) => self.long(v, *v),
            (Shape::F32, Val::Float32(v)) => self.float(f64::from(*v), serde_json::to_string(v)),
            (Shape::F64, Val::Float64(v)) => self.float(*v, serde_json::to_string(v)),
            _ => return Err(unlike(shape, path)),
        }
        Ok(())
    }

    fn push(&mut self, value: &dyn std::fmt::Display) {
        let _ = write!(self.out, "{value}");
    }

    fn long(&mut self, value: &dyn std::fmt::Display, magnitude: u64) {
        if magnitude <= number::MAX_SAFE {
            self.push(value);
        } else {
            let _ = write!(self.out, "\"{value}\"");
        }
    }

    /// Writes a number in its own width, so that an `f32` of 0.1 is not 0.10000000149011612.
    fn float(&mut self, wide: f64, text: serde_json::Result<String>) {
        match text {
            Ok(text) if wide.is_finite() => self.out.push_str(&text),
            _ if wide.is_nan() => self.out.push_str("\"NaN\""),
            _ if wide > 0.0 => self.out.push_str("\"Infinity\""),
            _ => self.out.push_str("\"-Infinity\""),
        }
    }

    fn list(&mut self, item: &Shape, items: &[Val], path: &Path<'_>) -> Written {
        if *item == Shape::U8 {
            return self.bytes(items, path);
        }
        let mut next = '[';
        for (index, value) in items.iter().enumerate() {
            self.out.push(std::mem::replace(&mut next, ','));
            self.value(item, value, &path.index(index))?;
        }
        self.close(next, '[', ']');
        Ok(())
    }

    fn bytes(&mut self, items: &[Val], path: &Path<'_>) -> Written {
        self.spend(items.len(), path)?;
        self.check_bytes(bytes::text_len(items.len()), path)?;
        let bytes: Option<Vec<u8>> = items
            .iter()
            .map(|item| if let Val::U8(byte) = item { Some(*byte) } else { None })
            .collect();
        let bytes = bytes.ok_or_else(|| unlike(&Shape::U8, path))?;
        let _ = write!(self.out, "{{\"base64\":\"{}\"}}", bytes::text(&bytes));
        Ok(())
    }

    fn map(
        &mut self,
        (key, value): (&Shape, &Shape),
        pairs: &[(Val, Val)],
        path: &Path<'_>,
    ) -> Written {
        if *key == Shape::String {
            return self.object(value, pairs, path);
        }
        let mut next = '[';
        for (index, (left, right)) in pairs.iter().enumerate() {
            let path = &path.index(index);
            self.out.push(std::mem::replace(&mut next, ','));
            self.out.push('[');
            self.value(key, left, &path.index(0))?;
            self.out.push(',');
            self.value(value, right, &path.index(1))?;
            self.out.push(']');
        }
        self.close(next, '[', ']');
        Ok(())
    }

    /// Writes a map by name. Of a key that a guest gave twice the last counts, as in WIT.
    fn object(&mut self, value: &Shape, pairs: &[(Val, Val)], path: &Path<'_>) -> Written {
        self.spend(pairs.len(), path)?;
        let mut last = HashMap::with_capacity(pairs.len());
        for (index, (key, _)) in pairs.iter().enumerate() {
            let Val::String(key) = key else { return Err(unlike(&Shape::String, path)) };
            last.insert(key.as_str(), index);
        }
        let mut next = '{';
        for (index, (key, item)) in pairs.iter().enumerate() {
            let Val::String(key) = key else { return Err(unlike(&Shape::String, path)) };
            if last.get(key.as_str()) == Some(&index) {
                self.out.push(std::mem::replace(&mut next, ','));
                self.field(key, value, item, path)?;
            }
        }
        self.close(next, '{', '}');
        Ok(())
    }

    fn field(&mut self, name: &str, shape: &Shape, value: &Val, path: &Path<'_>) -> Written {
        self.string(name, path)?;
        self.out.push(':');
        self.value(shape, value, &path.name(name))
    }

    /// Writes `{"name": payload}`; a missing payload is `null`.
    fn wrapped(
        &mut self,
        name: &str,
        shape: Option<&Shape>,
        payload: Option<&Val>,
        path: &Path<'_>,
    ) -> Written {
        self.out.push('{');
        match (shape, payload) {
            (Some(shape), Some(payload)) => self.field(name, shape, payload, path)?,
            _ => {
                self.string(name, path)?;
                self.out.push_str(":null");
            }
        }
        self.out.push('}');
        Ok(())
    }

    fn string(&mut self, text: &str, path: &Path<'_>) -> Written {
        self.check_bytes(text.len(), path)?;
        push_json_string(&mut self.out, text);
        self.check_bytes(0, path)
    }

    fn close(&mut self, next: char, open: char, close: char) {
        if next == open {
            self.out.push(open);
        }
        self.out.push(close);
    }

    fn spend(&mut self, elements: usize, path: &Path<'_>) -> Written {
        self.elements = self.elements.checked_sub(elements).ok_or_else(|| {
            Problem::TooLarge { what: "values", limit: self.caps.elements }.at(path)
        })?;
        Ok(())
    }

    fn check_bytes(&self, more: usize, path: &Path<'_>) -> Written {
        if self.out.len().saturating_add(more) > self.caps.bytes {
            let limit = self.caps.bytes;
            return Err(Problem::TooLarge { what: "bytes of JSON", limit }.at(path));
        }
        Ok(())
    }
}

fn unlike(shape: &Shape, path: &Path<'_>) -> ValueError {
    let found = "a value of another type".to_owned();
    Problem::Mismatch { expected: shape.brief(), found }.at(path)
}
