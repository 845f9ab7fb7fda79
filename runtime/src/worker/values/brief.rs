//! A type in the few words that a message has room for.

use super::error::list_names;
use super::shape::Shape;

/// How many levels of a type are spelled out.
const LEVELS: usize = 3;

impl Shape {
    /// Names the WIT type, with its JSON form where that is not obvious.
    pub fn brief(&self) -> String {
        let ty = self.wit(LEVELS);
        match self {
            Self::S64 | Self::U64 => format!("{ty} (an integer, or its digits as a string)"),
            Self::S8 | Self::U8 | Self::S16 | Self::U16 | Self::S32 | Self::U32 => {
                let (low, high) = self.int_range();
                format!("{ty} (an integer from {low} to {high})")
            }
            Self::F32 | Self::F64 => {
                format!("{ty} (a number, \"NaN\", \"Infinity\" or \"-Infinity\")")
            }
            Self::Char => "char (a string of one character)".to_owned(),
            Self::List(item) | Self::FixedList(item, _) if **item == Self::U8 => {
                format!("{ty} (an array of bytes, or {{\"base64\": \"…\"}})")
            }
            Self::Tuple(items) => format!("{ty} (an array of {})", items.len()),
            Self::Option(inner) if inner.is_optional() => {
                format!("{ty} (null, or {{\"some\": …}})")
            }
            Self::Result { .. } => format!("{ty} ({{\"ok\": …}} or {{\"err\": …}})"),
            Self::Flags(_) => format!("{ty} (an array of names)"),
            Self::Map(key, _) if **key != Self::String => {
                format!("{ty} (an array of [key, value])")
            }
            _ => ty,
        }
    }

    /// The bounds of an integer type; the other types have none and give an empty range.
    pub(crate) fn int_range(&self) -> (i128, i128) {
        match self {
            Self::S8 => (i8::MIN.into(), i8::MAX.into()),
            Self::U8 => (0, u8::MAX.into()),
            Self::S16 => (i16::MIN.into(), i16::MAX.into()),
            Self::U16 => (0, u16::MAX.into()),
            Self::S32 => (i32::MIN.into(), i32::MAX.into()),
            Self::U32 => (0, u32::MAX.into()),
            Self::S64 => (i64::MIN.into(), i64::MAX.into()),
            Self::U64 => (0, u64::MAX.into()),
            _ => (0, -1),
        }
    }

    fn wit(&self, levels: usize) -> String {
        let Some(levels) = levels.checked_sub(1) else { return "…".to_owned() };
        let optional = |part: &Option<Box<Self>>| match part {
            Some(part) => part.wit(levels),
            None => "_".to_owned(),
        };
        match self {
            Self::List(item) => format!("list<{}>", item.wit(levels)),
            Self::FixedList(item, len) => format!("list<{}, {len}>", item.wit(levels)),
            Self::Map(key, value) => format!("map<{}, {}>", key.wit(levels), value.wit(levels)),
            Self::Tuple(items) => {
                let shown: Vec<_> = items.iter().take(6).map(|item| item.wit(levels)).collect();
                let more = if items.len() > 6 { ", …" } else { "" };
                format!("tuple<{}{more}>", shown.join(", "))
            }
            Self::Record(fields) => braces("record", fields.iter().map(|(name, _)| name)),
            Self::Variant(cases) => braces("variant", cases.iter().map(|(name, _)| name)),
            Self::Enum(names) => braces("enum", names.iter()),
            Self::Flags(names) => braces("flags", names.iter()),
            Self::Option(inner) => format!("option<{}>", inner.wit(levels)),
            Self::Result { ok, err } => format!("result<{}, {}>", optional(ok), optional(err)),
            plain => plain.keyword().to_owned(),
        }
    }

    fn keyword(&self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::S8 => "s8",
            Self::U8 => "u8",
            Self::S16 => "s16",
            Self::U16 => "u16",
            Self::S32 => "s32",
            Self::U32 => "u32",
            Self::S64 => "s64",
            Self::U64 => "u64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Char => "char",
            Self::String => "string",
            _ => "value",
        }
    }
}

fn braces<'n>(keyword: &str, names: impl Iterator<Item = &'n String>) -> String {
    format!("{keyword} {{ {} }}", list_names(names.map(String::as_str)))
}
