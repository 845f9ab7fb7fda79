//! `[task]` and `--ttl`.

use super::amount;
use super::draft::{Draft, said_twice};
use super::sink::{At, Sink};
use super::table::Table;
use crate::codes;
use crate::limits::Unit;

/// The longest life of a task, milliseconds: 30 days. What lives longer is a service, and its
/// rights should be asked for again.
const LONGEST_TTL: u64 = 30 * 86_400_000;

pub(super) fn read(sink: &mut Sink, draft: &mut Draft, table: Table<'_, '_>) {
    table.refuse_others(sink, &["ttl", "purpose"], &["parent", "approval"]);
    draft.purpose = table.string(sink, "purpose").map(|text| text.value.to_owned());
    if let Some(value) = table.get("ttl") {
        draft.ttl = amount::from_toml(sink, value, Unit::Time).and_then(|ttl| bounded(sink, ttl));
    }
}

/// Adds `--ttl`, which may set what the file did not, or lower it.
pub(super) fn flag(sink: &mut Sink, draft: &mut Draft, text: At<&str>) {
    let Some(ttl) = amount::parse(sink, text, Unit::Time).and_then(|ttl| bounded(sink, ttl)) else {
        return;
    };
    match &draft.ttl {
        Some(first) if first.value == ttl.value => {
            said_twice(sink, "the ttl", ttl.span, first.span)
        }
        Some(first) if first.value < ttl.value => {
            amount::raised(sink, "ttl", ttl.span, first, Unit::Time);
        }
        _ => draft.ttl = Some(ttl),
    }
}

fn bounded(sink: &mut Sink, ttl: At<u64>) -> Option<At<u64>> {
    if ttl.value <= LONGEST_TTL {
        return Some(ttl);
    }
    sink.error(codes::TOO_MUCH, ttl.span, "the ttl is longer than 30 days")
        .help("a task that lives longer should ask for its rights again");
    None
}
