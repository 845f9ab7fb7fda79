//! The names of things in the ledger: opaque, unguessable, never reused.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Random bytes in a name. 80 bits: nobody guesses one, and two never meet.
pub const RANDOM_BYTES: usize = 10;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{}\" is no {kind} id; one looks like {kind}-0123456789abcdef0123",
    crate::text::printable(text)
)]
pub struct IdError {
    kind: &'static str,
    text: String,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// Makes a name from random bytes.
            pub fn from_random(random: [u8; RANDOM_BYTES]) -> Self {
                let prefix = concat!($prefix, "-").to_owned();
                Self(random.iter().fold(prefix, |id, byte| format!("{id}{byte:02x}")))
            }

            /// Returns the name as it is written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
                match text.strip_prefix(concat!($prefix, "-")) {
                    Some(rest) if rest.len() == 2 * RANDOM_BYTES && rest.bytes().all(hex) => {
                        Ok(Self(text.to_owned()))
                    }
                    _ => Err(IdError { kind: $prefix, text: text.chars().take(64).collect() }),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }
    )*};
}

ids! {
    /// One task.
    TaskId = "task";
    /// One call of a tool within a task.
    CallId = "call";
    /// One live credential right.
    LeaseId = "lease";
    /// One process that runs tasks: a `writ run`, or a daemon.
    HostId = "host";
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;

    #[test]
    fn a_name_reads_back_as_itself() {
        let id = TaskId::from_random([0xab; RANDOM_BYTES]);
        assert_eq!(id.as_str(), "task-abababababababababab");
        assert_eq!(id.as_str().parse::<TaskId>().unwrap(), id);
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"task-abababababababababab\"");
    }

    #[test]
    fn what_is_no_name_is_refused_with_an_example() {
        for text in
            ["", "task-", "task-AB", "lease-abababababababababab", "task-ababababababababab\u{1b}b"]
        {
            let error = text.parse::<TaskId>().unwrap_err().to_string();
            assert!(error.contains("task-0123456789abcdef0123"), "{error}");
            assert!(!error.contains('\u{1b}'));
        }
        serde_json::from_str::<TaskId>("\"task-1\"").unwrap_err();
    }
}
