//! `[[credential.NAME.allow]]`: how far a credential may go.

use super::Places;
use crate::codes;
use crate::diagnostic::Span;
use crate::grant::parse::http;
use crate::grant::parse::sink::{At, Sink};
use crate::grant::parse::table::Table;
use crate::providers::lease::Kind;

/// How messages name the table.
const NAME: &str = "[[credential.NAME.allow]]";

pub(super) fn read(sink: &mut Sink, entry: &Table<'_, '_>, kind: Kind, name: Span) -> Vec<Places> {
    if kind == Kind::Postgres {
        return Vec::new();
    }
    let tables = entry.tables(sink, "allow", NAME);
    if tables.is_empty() && entry.get("allow").is_none() {
        let message = "nothing says which requests the credential may go into";
        sink.error(codes::CREDENTIAL_PLACES, name, message)
            .help(format!("add {NAME} with host, methods and paths"));
    }
    tables.into_iter().filter_map(|table| one(sink, table)).collect()
}

fn one(sink: &mut Sink, table: Table<'_, '_>) -> Option<Places> {
    table.refuse_others(sink, &["host", "port", "methods", "paths"], &[]);
    let host = table.required(sink, "host", "\"api.example.com\"");
    let port = http::port(sink, &table)?.unwrap_or(443);
    let methods = list(sink, &table, "methods", "[\"GET\"]", http::method);
    let paths = list(sink, &table, "paths", "[\"/repos/acme/**\"]", http::path);
    let host = http::host_pattern(sink, host?)?.value;
    Some(Places { host, port, methods: methods?, paths: paths? })
}

/// Reads a list that has to be there and has to have something in it: a bound is always said.
fn list<T>(
    sink: &mut Sink,
    table: &Table<'_, '_>,
    key: &str,
    example: &str,
    item: impl Fn(&mut Sink, At<&str>) -> Option<T>,
) -> Option<Vec<T>> {
    if table.get(key).is_none() {
        let message = format!("{NAME} needs the key \"{key}\"");
        sink.error(codes::MISSING_KEY, table.span, message).help(format!("add {key} = {example}"));
        return None;
    }
    let texts = table.strings(sink, key)?;
    if texts.value.is_empty() {
        let message = format!("no {key} are named, so the credential goes nowhere");
        sink.error(codes::CREDENTIAL_PLACES, texts.span, message)
            .help(format!("write {key} = {example}"));
    }
    Some(texts.value.into_iter().filter_map(|text| item(sink, text)).collect())
}
