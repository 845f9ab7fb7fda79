//! Where decisions go. One record per decision, written by the code that decided.

use crate::outcome::LimitName;
use serde::{Deserialize, Serialize};
use writ_broker::Refusal;

/// The longest text in a record or a report, bytes. A guest can make a path or a name of megabytes,
/// and the host keeps what is recorded; so both processes cut, each for itself.
const LONGEST: usize = 4096;

/// Cuts a text that is too long and says how long it was.
pub(crate) fn clipped(mut text: String) -> String {
    if text.len() > LONGEST {
        let mark = format!("… ({} bytes)", text.len());
        text.truncate(text.floor_char_boundary(LONGEST - mark.len()));
        text.push_str(&mark);
    }
    text
}

/// One decision as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The kind of effect: `http`, `tcp`, `file`, `socket`.
    pub what: String,
    /// What was asked for, canonical.
    pub target: String,
    /// Why it was refused; absent when it was allowed.
    pub refusal: Option<Refusal>,
}

/// Takes records in the order of the decisions. The ledger stands behind this trait.
pub trait Recorder: Send + Sync {
    /// Records one decision; returns only once the effect may happen.
    fn record(&self, record: Record);

    /// Records that a bound ended a call; called once for the call, by the host.
    fn over_limit(&self, limit: LimitName);
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, clipped};

    #[test]
    fn a_text_is_cut_between_characters_once_and_says_how_long_it_was() {
        assert_eq!(clipped("x".repeat(LONGEST)), "x".repeat(LONGEST));
        let cut = clipped("x".to_owned() + &"é".repeat(LONGEST));
        assert!(cut.len() <= LONGEST && cut.ends_with("é… (8193 bytes)"), "{cut}");
        assert_eq!(clipped(cut.clone()), cut);
    }
}
