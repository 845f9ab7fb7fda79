//! Records of what the worker itself refuses, because it never reaches the gate.

use crate::record::{Record, Recorder};
use writ_broker::{Code, Refusal};

/// The most of a text of the guest that leaves the worker in a record or a report, bytes. A guest can
/// make a path or a name of megabytes, and the host ends a worker that sends it such a message.
const LONGEST: usize = 4 << 10;

/// Records one refusal; called once per attempt, by the code that decided.
pub(super) fn refuse(recorder: &dyn Recorder, mut refusal: Refusal) {
    refusal.target = clipped(refusal.target);
    refusal.reason = clipped(refusal.reason);
    refusal.help = refusal.help.map(clipped);
    recorder.record(Record {
        what: refusal.what.clone(),
        target: refusal.target.clone(),
        refusal: Some(refusal),
    });
}

/// Cuts a text that is too long and says how long it was.
pub(crate) fn clipped(mut text: String) -> String {
    let length = text.len();
    if length > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push_str(&format!("… ({length} bytes)"));
    }
    text
}

/// Words a refusal that no grant could turn into a yes, so it carries no help.
pub(super) fn never(code: Code, what: &str, target: String, reason: &str) -> Refusal {
    Refusal { code, what: what.to_owned(), target, reason: reason.to_owned(), help: None }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, clipped};

    #[test]
    fn a_text_is_cut_between_characters_and_says_how_long_it_was() {
        assert_eq!(clipped("x".repeat(LONGEST)), "x".repeat(LONGEST));
        let long = "x".to_owned() + &"é".repeat(LONGEST);
        let cut = clipped(long);
        assert!(cut.len() < LONGEST + 32, "{}", cut.len());
        assert!(cut.ends_with("é… (8193 bytes)"), "{cut}");
    }
}
