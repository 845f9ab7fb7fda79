//! Where a secret is, and that it is not here.

use super::read::Entry;
use crate::codes;
use crate::diagnostic::Span;
use crate::grant::parse::sink::{At, Sink};
use crate::grant::parse::table::{Table, wrong_type};
use crate::providers::source::{AgeKey, Source};
use toml::de::DeValue;

/// Pieces of keys under which people write secrets.
const TELLING: [&str; 7] =
    ["secret", "token", "password", "passphrase", "credential", "value", "private"];

impl Entry<'_, '_, '_> {
    /// Reads `{ env = … }`, `{ file = … }` or `{ age = …, identity = …, entry = … }`.
    pub(super) fn source(&self, sink: &mut Sink, key: &str) -> Option<Source> {
        let Some(value) = self.table.get(key) else {
            let message = format!("a credential needs the key \"{key}\"");
            sink.error(codes::MISSING_KEY, self.table.span, message)
                .help(format!("add {key} = {{ file = \"…\" }}"));
            return None;
        };
        match value.value {
            DeValue::Table(table) => {
                self.place(sink, &Table::new(table, value.span, "the place of a secret"))
            }
            DeValue::String(_) => {
                inline(sink, key, value.span);
                None
            }
            _ => {
                wrong_type(sink, value, "a table").help(format!("{key} = {{ file = \"…\" }}"));
                None
            }
        }
    }

    fn place(&self, sink: &mut Sink, table: &Table<'_, '_>) -> Option<Source> {
        let known = ["env", "file", "age", "identity", "passphrase", "entry"];
        table.refuse_others(sink, &known, &[]);
        let [env, file, age, identity, passphrase, entry] =
            known.map(|key| table.string(sink, key));
        let beside_age = identity.is_some() || passphrase.is_some() || entry.is_some();
        match (env, file, age) {
            (Some(name), None, None) if !beside_age => variable(sink, &name),
            (None, Some(path), None) if !beside_age => Some(Source::File(self.path(sink, &path)?)),
            (None, None, Some(path)) => {
                let key = match (identity, passphrase) {
                    (Some(identity), None) => AgeKey::Identity(self.path(sink, &identity)?),
                    (None, Some(phrase)) => AgeKey::Passphrase(self.path(sink, &phrase)?),
                    _ => {
                        unclear(sink, table, "an age file needs either identity or passphrase");
                        return None;
                    }
                };
                let file = self.path(sink, &path)?;
                let entry = match entry {
                    Some(text) => Some(plain_entry(sink, &text)?),
                    None => None,
                };
                Some(Source::Age { file, key, entry })
            }
            _ => {
                unclear(sink, table, "a secret is in exactly one place");
                None
            }
        }
    }
}

fn unclear(sink: &mut Sink, table: &Table<'_, '_>, message: &str) {
    sink.error(codes::SECRET_SOURCE, table.span, message).help(
        "write { env = \"NAME\" }, { file = \"…\" } or { age = \"…\", identity = \"…\", entry = \"…\" }",
    );
}

fn variable(sink: &mut Sink, name: &At<&str>) -> Option<Source> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if !name.value.is_empty() && name.value.bytes().all(fits) {
        return Some(Source::Env(name.value.to_owned()));
    }
    sink.error(codes::ENV_NAME, name.span, "this is no name of a variable");
    None
}

fn plain_entry(sink: &mut Sink, text: &At<&str>) -> Option<String> {
    if !text.value.is_empty() && !text.value.contains(['=', '\n', '\r', '#']) {
        return Some(text.value.to_owned());
    }
    sink.error(codes::SECRET_SOURCE, text.span, "this is no name of an entry")
        .help("an entry is what stands before the \"=\" of a line");
    None
}

/// Refuses texts under keys that sound like a secret, and masks them in every message.
pub(super) fn refuse_inline(sink: &mut Sink, table: &Table<'_, '_>, known: &[&str]) {
    for (key, value) in table.entries() {
        let telling = TELLING.iter().any(|piece| key.value.to_ascii_lowercase().contains(piece));
        let is_text = matches!(value.value, DeValue::String(_));
        if telling && is_text && !known.contains(&key.value.as_str()) {
            inline(sink, &key.value, value.span);
        }
    }
}

fn inline(sink: &mut Sink, key: &str, span: Span) {
    sink.mask(span);
    sink.error(
        codes::INLINE_SECRET,
        span,
        format!("\"{key}\" holds its secret in the file itself"),
    )
    .label("say where it is instead")
    .help("write it into a file of its own and name that: { file = \"…\" }");
}
