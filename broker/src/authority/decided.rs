//! Decisions as they are recorded: whatever a guest made of their texts, they fit into a record.

use crate::event::{AskDecided, Event, Refused};
use crate::ledger::Digest;

/// The longest text of a decision, bytes. Two of them fit into a record even if every byte is escaped.
const LONGEST: usize = 16 << 10;

/// Makes the event of a decision.
///
/// A decision that did not fit would take down with it all those that are recorded together with it, and
/// the end of the call: a guest could choose what the ledger says of it. So a text that is too long is cut,
/// and a digest says what it was.
pub(super) fn decided(ask: &AskDecided) -> Event {
    Event::AskDecided(AskDecided {
        task: ask.task.clone(),
        what: cut(&ask.what),
        target: cut(&ask.target),
        refused: ask
            .refused
            .as_ref()
            .map(|refused| Refused { code: refused.code.clone(), reason: cut(&refused.reason) }),
    })
}

fn cut(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let mark = format!("… ({} bytes, sha256:{})", text.len(), Digest::of(text.as_bytes()));
    let end = text.floor_char_boundary(LONGEST - mark.len());
    format!("{}{mark}", text.get(..end).unwrap_or_default())
}
