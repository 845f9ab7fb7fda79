//! Whether the grant of a child task stays inside that of its parent.
//!
//! A yes is sound: whatever the child's grant allows, the parent's allows too, with the same
//! credential. A no may be wrong where an exact answer would be hard to follow: each rule of the
//! child must lie in one rule of the parent, and not in several together.

mod credentials;
mod dirs;
mod effort;
mod rules;

use super::Grant;
use crate::limits::{FIELDS, Unit};
use crate::text::printable;
use effort::Effort;

/// One part of a child's grant that is wider than its parent's. No value of a variable is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct Wider {
    /// The part, as a grant file spells it: `[[http]] GET https://a.example/x/**`.
    pub field: String,
    /// What of it the parent does not have, lower case, without a final stop.
    pub why: String,
    /// How the child could ask for less; never how the parent could get more, so that an agent may
    /// see it.
    pub help: Option<String>,
}

impl Wider {
    fn new(field: impl AsRef<str>, why: impl AsRef<str>) -> Self {
        let text = |text: &str| printable(text).into_owned();
        Self { field: text(field.as_ref()), why: text(why.as_ref()), help: None }
    }

    fn help(self, help: impl AsRef<str>) -> Self {
        Self { help: Some(printable(help.as_ref()).into_owned()), ..self }
    }
}

impl Grant {
    /// Reports whether this grant, a child task's, is a subset of its parent's in every field.
    ///
    /// The purpose is free. A child without a ttl is within: whoever starts it ends it with the
    /// parent. Host directories are compared as they were when each grant was parsed.
    pub fn within(&self, parent: &Self) -> Result<(), Vec<Wider>> {
        // Taken apart, so that a field that is added cannot be forgotten here.
        let Self { ttl: _, purpose: _, fs, http, tcp, credentials, env: _, limits: _ } = self;
        let effort = Effort::default();
        let mut wider = Vec::new();
        wider.extend(self.longer_than(parent));
        wider.extend(dirs::wider(fs, &parent.fs));
        let mut rules = rules::wider_http(http, &parent.http, &effort);
        rules.extend(rules::wider_tcp(tcp, &parent.tcp, &effort));
        // What was not compared counts as wider, so the single answers would mislead.
        wider.extend(effort.too_much().map_or(rules, |too_much| vec![too_much]));
        wider.extend(credentials.iter().flat_map(|child| credentials::wider(child, parent)));
        wider.extend(self.other_variables(parent));
        wider.extend(self.higher_limits(parent));
        if wider.is_empty() { Ok(()) } else { Err(wider) }
    }

    fn longer_than(&self, parent: &Self) -> Option<Wider> {
        let longest = parent.ttl?;
        let longer = self.ttl.is_some_and(|ttl| ttl > longest);
        let shown = Unit::Time.show(u64::try_from(longest.as_millis()).unwrap_or(u64::MAX));
        longer.then(|| {
            Wider::new("[task] ttl", format!("the parent's is {shown}"))
                .help("ask for as much, or for less")
        })
    }

    fn other_variables(&self, parent: &Self) -> impl Iterator<Item = Wider> {
        let other = self.env.iter().filter(|(name, value)| parent.env.get(*name) != Some(*value));
        other.map(|(name, _)| {
            let why = match parent.env.contains_key(name) {
                true => "the parent's has another value",
                false => "the parent has no such variable",
            };
            Wider::new(format!("[env] {name}"), why).help("leave it out")
        })
    }

    fn higher_limits(&self, parent: &Self) -> impl Iterator<Item = Wider> {
        FIELDS.iter().filter_map(|field| {
            let most = (field.get)(&parent.limits);
            let higher = (field.get)(&self.limits) > most;
            higher.then(|| {
                let shown = field.unit.show(most);
                Wider::new(format!("[limits] {}", field.name), format!("the parent's is {shown}"))
                    .help(format!("ask for {shown} or less"))
            })
        })
    }
}

#[cfg(test)]
mod tests;
