//! The members of a JSON object, taken out one by one, each by its type.

use serde_json::{Map, Value};

/// What is wrong with a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not there.
    Missing,
    /// It is of another type, empty, too long, or has a character that no such text has.
    Invalid,
}

/// A member and what is wrong with it. The name is ours, never the sender's.
pub(super) type Flaw = (&'static str, Fault);

/// Texts as claims have them.
pub(super) struct Text;

impl Text {
    /// The longest text of a claim, bytes.
    pub(super) const LONGEST: usize = 1024;

    /// Reports whether a text names something and can be shown.
    pub(super) fn is_sound(text: &str) -> bool {
        !text.is_empty()
            && text.len() <= Self::LONGEST
            && !text.chars().any(crate::text::is_treacherous)
    }
}

/// An object that is being read.
pub(super) struct Members(Map<String, Value>);

impl Members {
    pub(super) fn new(map: Map<String, Value>) -> Self {
        Self(map)
    }

    fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Result<Option<T>, Flaw> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or((name, Fault::Invalid)),
        }
    }

    /// Takes a text that must be there.
    pub(super) fn text(&mut self, name: &'static str) -> Result<String, Flaw> {
        self.optional_text(name)?.ok_or((name, Fault::Missing))
    }

    /// Takes a text that may be left out.
    pub(super) fn optional_text(&mut self, name: &'static str) -> Result<Option<String>, Flaw> {
        self.optional(name, text)
    }

    /// Takes an integer from 0 that must be there.
    pub(super) fn integer(&mut self, name: &'static str) -> Result<u64, Flaw> {
        self.optional_integer(name)?.ok_or((name, Fault::Missing))
    }

    /// Takes an integer from 0 that may be left out.
    pub(super) fn optional_integer(&mut self, name: &'static str) -> Result<Option<u64>, Flaw> {
        self.optional(name, |value| value.as_u64())
    }

    /// Takes an object that must be there.
    pub(super) fn object(&mut self, name: &'static str) -> Result<Self, Flaw> {
        self.optional_object(name)?.ok_or((name, Fault::Missing))
    }

    /// Takes an object that may be left out.
    pub(super) fn optional_object(&mut self, name: &'static str) -> Result<Option<Self>, Flaw> {
        self.optional(name, object)
    }

    /// Takes a list of texts that may be left out, but is not empty where it stands.
    pub(super) fn texts(&mut self, name: &'static str) -> Result<Vec<String>, Flaw> {
        self.list(name, text)
    }

    /// Takes a list of objects that may be left out, but is not empty where it stands.
    pub(super) fn objects(&mut self, name: &'static str) -> Result<Vec<Self>, Flaw> {
        self.list(name, object)
    }

    fn list<T>(
        &mut self,
        name: &'static str,
        read: fn(Value) -> Option<T>,
    ) -> Result<Vec<T>, Flaw> {
        let items = self.optional(name, |value| match value {
            Value::Array(items) if !items.is_empty() => items.into_iter().map(read).collect(),
            _ => None,
        })?;
        Ok(items.unwrap_or_default())
    }

    /// Takes any value.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    /// Reports whether nothing is left: nothing stands there that was not understood.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) if Text::is_sound(&text) => Some(text),
        _ => None,
    }
}

fn object(value: Value) -> Option<Members> {
    match value {
        Value::Object(map) => Some(Members(map)),
        _ => None,
    }
}
