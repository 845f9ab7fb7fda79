//! `[limits]` and `--limit`.

use super::amount;
use super::draft::{Draft, said_twice};
use super::sink::{At, Sink};
use super::table::Table;
use crate::codes;
use crate::limits::{FIELDS, Field, OUTPUT, field};
use crate::text::nearest;

pub(super) fn read(sink: &mut Sink, draft: &mut Draft, table: Table<'_, '_>) {
    table.refuse_others(sink, &names(), &[]);
    for (name, value) in table.entries() {
        for field in fields(&name.value) {
            let amount = amount::from_toml(sink, value.clone(), field.unit);
            let Some(amount) = amount.and_then(|amount| bounded(sink, field, amount)) else {
                break;
            };
            match draft.limits.get(field.name) {
                Some(first) => said_twice(sink, field.name, amount.span, first.span),
                None => drop(draft.limits.insert(field.name, amount)),
            }
        }
    }
}

/// Adds `--limit NAME=VALUE`, which may set what the file did not, or lower it.
pub(super) fn flag(sink: &mut Sink, draft: &mut Draft, name: At<&str>, value: At<&str>) {
    let fields = fields(name.value);
    if fields.is_empty() {
        let help = match nearest(name.value, names()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("the limits are: {}", names().join(", ")),
        };
        let message = format!("there is no limit \"{}\"", name.value);
        sink.error(codes::UNKNOWN_KEY, name.span, message).help(help);
    }
    for field in fields {
        let amount = amount::parse(sink, value.clone(), field.unit);
        let Some(amount) = amount.and_then(|amount| bounded(sink, field, amount)) else { break };
        match draft.limits.get(field.name) {
            Some(first) if first.value == amount.value || is_flag(draft, first) => {
                said_twice(sink, field.name, amount.span, first.span);
            }
            Some(first) if first.value < amount.value => {
                amount::raised(sink, field.name, amount.span, first, field.unit);
            }
            _ => drop(draft.limits.insert(field.name, amount)),
        }
    }
}

/// The file, if there is one, is the first source.
fn is_flag(draft: &Draft, at: &At<u64>) -> bool {
    draft.start.is_none_or(|start| start.source != at.span.source)
}

fn names() -> Vec<&'static str> {
    FIELDS.iter().map(|field| field.name).chain([OUTPUT]).collect()
}

/// Returns the bounds that a name sets: one, or two for `output`.
fn fields(name: &str) -> Vec<&'static Field> {
    let names: &[&str] = if name == OUTPUT { &["stdout", "stderr"] } else { &[name] };
    names.iter().filter_map(|name| field(name)).collect()
}

fn bounded(sink: &mut Sink, field: &Field, amount: At<u64>) -> Option<At<u64>> {
    if amount.value <= field.max {
        return Some(amount);
    }
    let max = field.unit.show(field.max);
    sink.error(codes::TOO_MUCH, amount.span, format!("{} can be at most {max}", field.name))
        .label(format!("more than {max}"))
        .help(field.breaks);
    None
}
