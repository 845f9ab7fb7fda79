//! Takes what was injected out of what comes back.
//!
//! A server that repeats a request (an echo, an error page, a redirect) would hand the guest what
//! the host keeps from it. Each form of a secret is replaced by as many asterisks, so that no length
//! changes. What this cannot catch: a form that is not known here (a digest, UTF-16, compression,
//! base64 of base64), a secret that the server cuts into pieces (two fields, a range that begins in
//! the middle of it), and what the server gives away about it in other words. It closes accidents;
//! a server that wants to tell the guest a secret can.

mod forms;
mod prepared;
mod search;

pub(crate) use prepared::Prepared;

use crate::secret::Secret;
use bytes::{Bytes, BytesMut};
use forms::Form;
use http::{HeaderMap, HeaderName, HeaderValue};
use search::Search;
use std::ops::Range;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What stands in the place of each byte.
const REDACTED: u8 = b'*';

/// The bytes that are searched for; a hit is then compared in full. All forms are at least so long,
/// and no more of a secret stands in tables that are not overwritten when they are dropped.
const NEEDLE: usize = crate::injection::SHORTEST_SECRET;

/// The forms of some secrets, ready to be searched for.
pub struct Patterns {
    search: Search,
    /// By needle: its bytes, and the forms that begin with them, the longest first.
    groups: Vec<([u8; NEEDLE], Vec<Form>)>,
    /// Whether a needle begins with this byte.
    begins: [bool; 256],
}

impl Patterns {
    /// Prepares the search; none if there is a secret that is too short to be searched for.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Option<Self> {
        let mut groups: Vec<([u8; NEEDLE], Vec<Form>)> = Vec::new();
        let mut begins = [false; 256];
        for form in secrets.into_iter().flat_map(|secret| forms::of(secret.expose())) {
            let needle: [u8; NEEDLE] = *form.first_chunk()?;
            begins[usize::from(needle[0])] = true;
            match groups.iter_mut().find(|(known, _)| *known == needle) {
                Some((_, forms)) => forms.push(form),
                None => groups.push((needle, vec![form])),
            }
        }
        for (_, forms) in &mut groups {
            forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        }
        let needles: Vec<[u8; NEEDLE]> = groups.iter().map(|(needle, _)| *needle).collect();
        Some(Self { search: Search::new(&needles)?, groups, begins })
    }

    /// Replaces every form in fields; a field whose *name* holds one is removed.
    pub fn scrub_fields(&self, fields: &mut HeaderMap) {
        let named: Vec<HeaderName> = fields.keys().filter(|n| self.in_name(n)).cloned().collect();
        for name in named {
            fields.remove(name);
        }
        for value in fields.values_mut() {
            let found = self.find(value.as_bytes(), true);
            if found.ranges.is_empty() {
                continue;
            }
            let mut text = value.as_bytes().to_vec();
            redact(&mut text, &found.ranges);
            *value = HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("*"));
        }
    }

    /// The name of a field arrives in lower case, whatever the server wrote.
    fn in_name(&self, name: &HeaderName) -> bool {
        let name = name.as_str().as_bytes();
        let mut forms = self.groups.iter().flat_map(|(_, forms)| forms);
        forms.any(|form| name.windows(form.len()).any(|part| part.eq_ignore_ascii_case(form)))
    }

    /// Finds forms in a text, and how much of its end may be the beginning of one.
    ///
    /// At the end of everything, what began like a form and was cut off counts as one.
    fn find(&self, text: &[u8], at_end: bool) -> Found {
        let mut found = Found { ranges: Vec::new(), settled: text.len() };
        let mut from = 0;
        while let Some((start, needle)) = self.search.find(text, from) {
            let rest = text.get(start..).unwrap_or_default();
            let forms = self.groups.get(needle).map(|(_, forms)| forms);
            for form in forms.into_iter().flatten() {
                if rest.starts_with(form) {
                    found.add(start..start + form.len());
                    break;
                }
                if form.starts_with(rest) {
                    if at_end {
                        found.add(start..text.len());
                        break;
                    }
                    found.settled = found.settled.min(start);
                }
            }
            // Another form may begin inside this one.
            from = start + 1;
        }
        if !at_end {
            found.settled = found.settled.min(self.unfinished(text));
        }
        found
    }

    /// Returns where the end of a text begins that is the beginning of a needle.
    fn unfinished(&self, text: &[u8]) -> usize {
        let begins_needle = |end: &[u8]| {
            end.first().is_some_and(|byte| self.begins[usize::from(*byte)])
                && self.groups.iter().any(|(needle, _)| needle.starts_with(end))
        };
        let from = text.len().saturating_sub(NEEDLE - 1);
        (from..text.len())
            .find(|at| text.get(*at..).is_some_and(begins_needle))
            .unwrap_or(text.len())
    }
}

/// What was found in a text.
struct Found {
    /// Forms, by their beginnings.
    ranges: Vec<Range<usize>>,
    /// Up to where nothing that may come later matters.
    settled: usize,
}

impl Found {
    fn add(&mut self, range: Range<usize>) {
        match self.ranges.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => self.ranges.push(range),
        }
    }
}

fn redact(text: &mut [u8], ranges: &[Range<usize>]) {
    for range in ranges {
        let end = range.end.min(text.len());
        if let Some(part) = text.get_mut(range.start.min(end)..end) {
            part.fill(REDACTED);
        }
    }
}

/// The scrubbing of one body. It holds back less than the longest form.
pub struct Stream {
    patterns: Arc<Patterns>,
    held: Zeroizing<Vec<u8>>,
    /// How much of what is held is part of a form that began before it.
    marked: usize,
}

impl Stream {
    /// Begins a body from which these are to be taken.
    pub fn new(patterns: Arc<Patterns>) -> Self {
        Self { patterns, held: Zeroizing::default(), marked: 0 }
    }

    /// Takes a piece and gives what is settled, which may be nothing. Clean pieces are not copied.
    pub fn pass(&mut self, mut piece: Bytes) -> Bytes {
        if self.held.is_empty() {
            let found = self.patterns.find(&piece, false);
            if found.ranges.is_empty() {
                let rest = piece.split_off(found.settled);
                self.hold(&rest, 0);
                return piece;
            }
            let text = BytesMut::from(&piece[..]);
            return self.settle(text, found);
        }
        let text = self.with_held(&piece);
        let found = self.patterns.find(&text, false);
        self.settle(text, found)
    }

    /// Gives what is left at the end of the body, if anything is.
    pub fn finish(&mut self) -> Option<Bytes> {
        if self.held.is_empty() {
            return None;
        }
        let text = self.with_held(&[]);
        let found = self.patterns.find(&text, true);
        Some(self.settle(text, found))
    }

    /// Returns how many bytes are held back.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Returns the body's trailers without secrets.
    pub fn trailers(&self, trailers: &mut HeaderMap) {
        self.patterns.scrub_fields(trailers);
    }

    fn with_held(&self, piece: &[u8]) -> BytesMut {
        let mut text = BytesMut::with_capacity(self.held.len() + piece.len());
        text.extend_from_slice(&self.held);
        text.extend_from_slice(piece);
        text
    }

    /// Redacts what was found, and holds back what is not settled, as it was sent.
    fn settle(&mut self, mut text: BytesMut, found: Found) -> Bytes {
        let marked = std::mem::take(&mut self.marked);
        // What begins in the rest is found again with it; what only reaches into it is not.
        let reaching = found.ranges.iter().filter(|range| range.start < found.settled);
        let reach = reaching.map(|range| range.end).fold(marked, usize::max);
        self.hold(&text[found.settled..], reach.saturating_sub(found.settled));
        text.truncate(found.settled);
        text[..marked.min(found.settled)].fill(REDACTED);
        redact(&mut text, &found.ranges);
        text.freeze()
    }

    fn hold(&mut self, rest: &[u8], marked: usize) {
        // A new buffer and not a longer one: what grows leaves a copy behind.
        self.held = Zeroizing::new(rest.to_vec());
        self.marked = marked.min(rest.len());
    }
}

#[cfg(test)]
mod tests;
