//! What was wrong with a value, and where.

use super::escape::escaped;
use super::shape::{NotCallable, Shape};
use serde_json::Value;
use std::fmt;
use writ_broker::codes::{self, Code};
use writ_broker::text::nearest;

/// How many characters of a value or a name a message repeats.
const SHOWN: usize = 60;

/// Why a value was not converted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct ValueError {
    /// Where in the value, such as `$.items[3].size`; `$` is the arguments or the result.
    pub path: String,
    /// What was wrong there, safe to print.
    pub problem: Problem,
}

/// What was wrong in one place of a value; every text in it is escaped and cut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The JSON there has another type, form or range.
    #[error("expected {expected}, found {found}")]
    Mismatch {
        /// The WIT type and, where it is not obvious, its JSON form.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A field or parameter that is not optional is absent.
    #[error("{what} `{name}` ({expected}) is missing")]
    Missing {
        /// `field` or `parameter`.
        what: &'static str,
        /// Its name.
        name: String,
        /// Its WIT type.
        expected: String,
    },
    /// A name that the type does not have.
    #[error("there is no {what} `{name}`{}", hint(suggestion.as_deref(), known))]
    Unknown {
        /// `field`, `parameter`, `case` or `flag`.
        what: &'static str,
        /// The name that was found.
        name: String,
        /// The name that was probably meant.
        suggestion: Option<String>,
        /// The names that exist, cut.
        known: String,
    },
    /// A flag or key that is named twice.
    #[error("`{0}` is given twice")]
    Twice(String),
    /// The text is not JSON.
    #[error("not valid JSON: {0}")]
    Json(String),
    /// The function has types without a JSON form.
    #[error("the function cannot be called: {0}")]
    NotCallable(NotCallable),
    /// The value exceeds one of the [`Caps`](super::Caps).
    #[error("the value has more than {limit} {what}")]
    TooLarge {
        /// `values` or `bytes of JSON`.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
}

impl ValueError {
    /// Returns the code that a message about this carries.
    pub fn code(&self) -> Code {
        match self.problem {
            Problem::NotCallable(_) => codes::RESOURCE_TYPE,
            _ => codes::ARGUMENTS,
        }
    }
}

fn hint(suggestion: Option<&str>, known: &str) -> String {
    match suggestion {
        Some(name) => format!("; did you mean `{name}`?"),
        None if known.is_empty() => "; there are none".to_owned(),
        None => format!("; there are: {known}"),
    }
}

impl Problem {
    pub(crate) fn mismatch(shape: &Shape, found: &Value) -> Self {
        Self::Mismatch { expected: shape.brief(), found: found_text(found) }
    }

    pub(crate) fn unknown<'n>(
        what: &'static str,
        name: &str,
        known: impl Iterator<Item = &'n str> + Clone,
    ) -> Self {
        Self::Unknown {
            what,
            name: escaped(name, SHOWN),
            suggestion: suggest(name, known.clone()).map(|name| escaped(name, SHOWN)),
            known: list_names(known),
        }
    }

    pub(crate) fn missing(what: &'static str, name: &str, shape: &Shape) -> Self {
        Self::Missing { what, name: escaped(name, SHOWN), expected: shape.brief() }
    }

    pub(crate) fn at(self, path: &Path<'_>) -> ValueError {
        ValueError { path: path.to_string(), problem: self }
    }
}

/// Picks the name that was probably meant, if one is near.
pub(crate) fn suggest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    // Both names may be hostile, and the distance is quadratic: long ones are nobody's typing.
    const LONGEST: usize = 64;
    const TRIED: usize = 1000;
    nearest(name, known.take(TRIED).filter(|candidate| candidate.len() <= LONGEST))
}

/// Lists names for a message, cut.
pub(crate) fn list_names<'n>(names: impl Iterator<Item = &'n str>) -> String {
    const LISTED: usize = 12;
    let mut out = String::new();
    for (count, name) in names.enumerate() {
        if count == LISTED {
            out.push_str(", …");
            break;
        }
        if count > 0 {
            out.push_str(", ");
        }
        out.push_str(&escaped(name, SHOWN));
    }
    out
}

/// Describes a JSON value in a few words.
pub(crate) fn found_text(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => escaped(&value.to_string(), SHOWN),
        Value::String(text) => format!("\"{}\"", escaped(text, SHOWN)),
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(fields) if fields.is_empty() => "an empty object".to_owned(),
        Value::Object(fields) => {
            format!("an object with {}", list_names(fields.keys().map(String::as_str)))
        }
    }
}

/// A place in a value, as a chain of borrowed steps: it costs nothing until it is printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Root,
    Name(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    pub(crate) const ROOT: Path<'static> = Path { parent: None, step: Step::Root };

    pub(crate) fn name(&'a self, name: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Name(name) }
    }

    pub(crate) fn index(&'a self, index: usize) -> Path<'a> {
        Path { parent: Some(self), step: Step::Index(index) }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Root => f.write_str("$"),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Name(name) if is_plain(name) => write!(f, ".{name}"),
            Step::Name(name) => write!(f, "[\"{}\"]", escaped(name, SHOWN)),
        }
    }
}

fn is_plain(name: &str) -> bool {
    (1..=SHOWN).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}
