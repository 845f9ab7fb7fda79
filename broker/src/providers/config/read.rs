//! The file as a whole, and what all kinds share.

use super::{Credential, Credentials, ParsedCredentials, places, secrets, upstream};
use crate::codes;
use crate::diagnostic::Span;
use crate::grant::GrantFile;
use crate::grant::parse::file;
use crate::grant::parse::sink::{At, Sink};
use crate::grant::parse::table::{Table, wrong_type};
use crate::providers::http::Endpoint;
use crate::providers::lease::Kind;
use crate::text::nearest;
use std::path::{Path, PathBuf};
use toml::de::DeValue;

/// The most credentials of one file.
const MOST: usize = 1000;

pub(super) fn parse(source: &GrantFile) -> ParsedCredentials {
    // Errors only: the operator has no second opinion to be warned by.
    let mut sink = Sink::new(false);
    let found = document(&mut sink, source).unwrap_or_default();
    let report = sink.into_report();
    let credentials = (!report.has_errors()).then_some(Credentials(found));
    ParsedCredentials { credentials, report }
}

fn document(sink: &mut Sink, file: &GrantFile) -> Option<Vec<Credential>> {
    let (source, text) = file::decode(sink, file, "file of credentials")?;
    let start = Span { source, start: 0, end: 0 };
    let help = "`writ explain K0102` shows the form of an entry";
    let document = file::document(sink, source, &text, help)?;
    let root = Table::new(&document, start, "the file of credentials");
    root.refuse_others(sink, &["credential"], &[]);
    let all = root.table(sink, "credential", "[credential.NAME]")?;
    let mut found = Vec::new();
    for (name, value) in all.entries() {
        if found.len() >= MOST {
            sink.error(codes::TOO_MANY, name.span, format!("at most {MOST} credentials fit here"));
            break;
        }
        let DeValue::Table(table) = value.value else {
            wrong_type(sink, value, "a table").help("write [credential.NAME]");
            continue;
        };
        let entry = Entry { dir: &file.dir, table: Table::new(table, name.span, "a credential") };
        found.extend(entry.read(sink, &name));
    }
    Some(found)
}

/// One `[credential.NAME]`.
pub(super) struct Entry<'f, 't, 'i> {
    /// Where relative paths start.
    pub(super) dir: &'f Path,
    pub(super) table: Table<'t, 'i>,
}

impl Entry<'_, '_, '_> {
    fn read(&self, sink: &mut Sink, name: &At<String>) -> Option<Credential> {
        check_name(sink, name);
        let kind = self.kind(sink)?;
        secrets::refuse_inline(sink, &self.table, upstream::keys(kind));
        self.table.refuse_others(sink, upstream::keys(kind), &[]);
        let allow = places::read(sink, &self.table, kind, name.span);
        let expose = self.boolean(sink, "expose").unwrap_or(false);
        let upstream = upstream::read(sink, self, kind)?;
        Some(Credential { name: name.value.clone(), allow, expose, upstream })
    }

    fn kind(&self, sink: &mut Sink) -> Option<Kind> {
        let word = self.table.required(sink, "kind", "\"secret\"")?;
        let known = Kind::ALL.into_iter().find(|kind| kind.as_str() == word.value);
        if known.is_none() {
            let words = Kind::ALL.map(Kind::as_str);
            let help = match nearest(word.value, words) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("there are: {}", words.join(", ")),
            };
            let message = format!("there is no kind \"{}\"", word.value);
            sink.error(codes::BAD_WORD, word.span, message).help(help);
        }
        known
    }

    pub(super) fn boolean(&self, sink: &mut Sink, key: &str) -> Option<bool> {
        let value = self.table.get(key)?;
        match value.value {
            DeValue::Boolean(boolean) => Some(*boolean),
            _ => {
                wrong_type(sink, value, "true or false");
                None
            }
        }
    }

    /// Reads a number that is not zero.
    pub(super) fn number(&self, sink: &mut Sink, key: &str, most: u64) -> Option<u64> {
        let value = self.table.get(key)?;
        let DeValue::Integer(integer) = value.value else {
            wrong_type(sink, value, "a number");
            return None;
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let number = number.filter(|number| (1..=most).contains(number));
        if number.is_none() {
            sink.error(codes::AMOUNT, value.span, format!("expected a number from 1 to {most}"));
        }
        number
    }

    pub(super) fn endpoint(&self, sink: &mut Sink, text: &At<&str>) -> Option<Endpoint> {
        let endpoint = Endpoint::parse(text.value);
        if endpoint.is_none() {
            sink.error(codes::ENDPOINT, text.span, "this is no https URL of an upstream")
                .help("write it as \"https://host/path\", without user, query and fragment");
        }
        endpoint
    }

    /// Reads the path of a file that need not be there yet.
    pub(super) fn path(&self, sink: &mut Sink, text: &At<&str>) -> Option<PathBuf> {
        let problem = if text.value.is_empty() || text.value.contains('\0') {
            "this is no path"
        } else if text.value.starts_with('~') || text.value.contains('$') {
            "\"~\" and variables are not expanded"
        } else {
            return Some(self.dir.join(text.value));
        };
        sink.error(codes::NOT_EXPANDED, text.span, problem)
            .help("write it in full, or relative to where this file stands");
        None
    }
}

fn check_name(sink: &mut Sink, name: &At<String>) {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    let text = &name.value;
    let letter = text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    if !letter || text.len() > 64 || !text.bytes().all(fits) {
        sink.error(codes::CREDENTIAL_ENTRY, name.span, "this is no name of a credential").help(
            "use letters, digits, \"-\" and \"_\", starting with a letter, at most 64 of them",
        );
    }
}
