//! Records: what is proposed, what stands in the log, and how one follows from another.

use super::canonical::{self, NotCanonical};
use super::{Digest, Head};
use crate::clock::UnixMillis;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::fmt::Write;
use std::sync::Arc;

/// The largest record, bytes. A reader allocates this much for a stranger's record at most.
pub const LARGEST_RECORD: usize = 256 * 1024;

/// The most that the ledger's own members add to a draft, bytes: two integers below 2^53, a digest,
/// three names, punctuation.
const ENVELOPE: usize = 160;

/// The members that the ledger writes itself.
const RESERVED: [&str; 3] = ["at", "prev", "seq"];

/// Why an event cannot be recorded. It is the caller's mistake and stays one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDraft {
    /// Something in it has no canonical form.
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
    /// It does not say what happened.
    #[error("an event needs a member \"event\" with a word that says what happened")]
    NoEvent,
    /// It uses a name of the ledger's.
    #[error("the member \"{0}\" is written by the ledger; use another name")]
    Reserved(&'static str),
    /// It is larger than [`LARGEST_RECORD`] allows.
    #[error("an event of {0} bytes is too large for a record; record a digest instead")]
    TooLarge(usize),
    /// It is no JSON object.
    #[error("an event is written as a JSON object")]
    NotAnObject,
}

/// An event that has its canonical form and no place in the log yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    at: UnixMillis,
    members: Arc<Map<String, Value>>,
    /// The members before `at`, before `prev`, before `seq` and after it, each ending in a comma.
    segments: [String; 4],
}

/// One record of the log: an event, when it was recorded, and the hash of the record before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    seq: u64,
    at: UnixMillis,
    prev: Digest,
    hash: Digest,
    members: Arc<Map<String, Value>>,
    bytes: Vec<u8>,
}

/// What is wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// There is none with this number, although there are later ones.
    #[error("it is missing")]
    Missing,
    /// Its bytes do not have the hash that is stored beside them.
    #[error("its bytes were changed")]
    Changed,
    /// It does not name the hash of the record before it.
    #[error("it does not follow from the record before it")]
    Unchained,
    /// It is stored under another number than its own.
    #[error("it stands in another's place")]
    Misplaced,
    /// It is no canonical record at all.
    #[error("it is not a record")]
    Malformed,
}

impl Draft {
    /// Checks an event and writes its members down in canonical form.
    pub fn new(at: UnixMillis, members: Map<String, Value>) -> Result<Self, InvalidDraft> {
        if !matches!(members.get("event"), Some(Value::String(word)) if !word.is_empty()) {
            return Err(InvalidDraft::NoEvent);
        }
        if at.0 > canonical::LARGEST_INTEGER {
            return Err(NotCanonical::Number.into());
        }
        let mut segments = <[String; 4]>::default();
        for (name, value) in canonical::sorted(&members) {
            if let Some(reserved) = RESERVED.into_iter().find(|reserved| name == reserved) {
                return Err(InvalidDraft::Reserved(reserved));
            }
            let segment = RESERVED.into_iter().filter(|reserved| name.as_str() > *reserved).count();
            canonical::write_top_member(name, value, &mut segments[segment])?;
            segments[segment].push(',');
        }
        let size = segments.iter().map(String::len).sum::<usize>() + ENVELOPE;
        if size > LARGEST_RECORD {
            return Err(InvalidDraft::TooLarge(size));
        }
        Ok(Self { at, members: Arc::new(members), segments })
    }

    /// Writes any event that serialises as an object.
    pub fn of(at: UnixMillis, event: &impl Serialize) -> Result<Self, InvalidDraft> {
        match serde_json::to_value(event) {
            Ok(Value::Object(members)) => Self::new(at, members),
            _ => Err(InvalidDraft::NotAnObject),
        }
    }

    /// The bytes that the record will have at most.
    pub fn size(&self) -> usize {
        self.segments.iter().map(String::len).sum::<usize>() + ENVELOPE
    }

    /// Gives the event its place after `head`.
    pub(crate) fn seal(self, head: Head) -> Record {
        let seq = head.seq + 1;
        let mut text = String::with_capacity(self.size());
        let [before_at, before_prev, before_seq, last] = &self.segments;
        // The members of the ledger come between the others in the order of their names.
        write!(
            text,
            "{{{before_at}\"at\":{},{before_prev}\"prev\":\"{}\",{before_seq}\"seq\":{seq},{last}",
            self.at.0, head.hash
        )
        .expect("a string takes what is written to it");
        text.pop();
        text.push('}');
        let bytes = text.into_bytes();
        let hash = Digest::of(&bytes);
        Record { seq, at: self.at, prev: head.hash, hash, members: self.members, bytes }
    }
}

impl Record {
    /// Reads a record from its bytes alone. Whether it follows from another is asked with
    /// [`Record::follows`].
    pub fn parse(bytes: Vec<u8>) -> Result<Self, Fault> {
        if bytes.len() > LARGEST_RECORD {
            return Err(Fault::Malformed);
        }
        let mut members = canonical::parse(&bytes).map_err(|_| Fault::Malformed)?;
        let mut take = |name| members.remove(name).ok_or(Fault::Malformed);
        let at = take("at")?.as_u64().map(UnixMillis).ok_or(Fault::Malformed)?;
        let seq = take("seq")?.as_u64().filter(|seq| *seq > 0).ok_or(Fault::Malformed)?;
        let prev = take("prev")?.as_str().and_then(Digest::parse).ok_or(Fault::Malformed)?;
        if !matches!(members.get("event"), Some(Value::String(word)) if !word.is_empty()) {
            return Err(Fault::Malformed);
        }
        let hash = Digest::of(&bytes);
        Ok(Self { seq, at, prev, hash, members: Arc::new(members), bytes })
    }

    /// Tells whether this is the record that comes right after `head`.
    pub fn follows(&self, head: Head) -> Result<(), Fault> {
        match () {
            () if self.seq != head.seq + 1 => Err(Fault::Misplaced),
            () if self.prev != head.hash => Err(Fault::Unchained),
            () => Ok(()),
        }
    }

    /// The number of the record; the first is 1, and none is left out.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// When it was recorded, by the clock of the process that wrote it.
    pub fn at(&self) -> UnixMillis {
        self.at
    }

    /// The hash of the record before it.
    pub fn prev(&self) -> Digest {
        self.prev
    }

    /// The SHA-256 of its bytes.
    pub fn hash(&self) -> Digest {
        self.hash
    }

    /// The place that it marks in the log.
    pub fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash }
    }

    /// The members of the event, without those of the ledger.
    pub fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// The word that says what happened.
    pub fn event(&self) -> &str {
        self.members.get("event").and_then(Value::as_str).unwrap_or_default()
    }

    /// Reads the event as a type.
    pub fn decode<E: DeserializeOwned>(&self) -> Result<E, serde_json::Error> {
        E::deserialize(&*self.members)
    }

    /// The canonical bytes: what is stored, hashed and proved.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
