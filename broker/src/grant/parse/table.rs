//! Typed access to the tables of a TOML document.

use super::sink::{At, Sink};
use crate::codes;
use crate::diagnostic::Span;
use crate::text::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One table, and where it stands.
#[derive(Clone, Copy)]
pub(crate) struct Table<'t, 'i> {
    table: &'t DeTable<'i>,
    pub(crate) span: Span,
    /// How messages name it: `[task]`.
    name: &'static str,
}

impl<'t, 'i> Table<'t, 'i> {
    pub(crate) fn new(table: &'t DeTable<'i>, span: Span, name: &'static str) -> Self {
        Self { table, span, name }
    }

    /// Refuses every key that is not known; `later` are keys of features that do not exist yet.
    pub(crate) fn refuse_others(&self, sink: &mut Sink, known: &[&str], later: &[&str]) {
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            let span = self.span_of(key.span());
            if later.contains(&name) {
                sink.error(codes::NOT_YET, span, format!("\"{name}\" cannot be enforced yet"))
                    .label("this version does not know how to hold to it")
                    .help(
                        "remove it; a grant that names what is not enforced would promise too much",
                    );
            } else if !known.contains(&name) {
                let table = self.name;
                let what = format!("{table} has no key \"{name}\"");
                let help = match nearest(name, known.iter().copied()) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("{table} has: {}", known.join(", ")),
                };
                sink.error(codes::UNKNOWN_KEY, span, what).label("unknown key").help(help);
            }
        }
    }

    /// Returns every entry with the places of key and value.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (At<String>, At<&'t DeValue<'i>>)> + 't {
        let table = *self;
        self.table.iter().map(move |(key, value)| {
            let name = At { value: key.get_ref().to_string(), span: table.span_of(key.span()) };
            (name, At { value: value.get_ref(), span: table.span_of(value.span()) })
        })
    }

    /// Returns a sub-table.
    pub(crate) fn table(
        &self,
        sink: &mut Sink,
        key: &str,
        name: &'static str,
    ) -> Option<Table<'t, 'i>> {
        let value = self.get(key)?;
        match value.value {
            DeValue::Table(table) => Some(Table::new(table, value.span, name)),
            DeValue::Array(array) if array.iter().any(|item| item.get_ref().is_table()) => {
                let help = format!("write {name} with single brackets");
                wrong_type(sink, value, "a table").help(help);
                None
            }
            _ => {
                wrong_type(sink, value, "a table");
                None
            }
        }
    }

    /// Returns the tables of an array of tables.
    pub(crate) fn tables(
        &self,
        sink: &mut Sink,
        key: &str,
        name: &'static str,
    ) -> Vec<Table<'t, 'i>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(array) = value.value.as_array() else {
            let help = format!("write {name} with two brackets: it can stand more than once");
            wrong_type(sink, value, "an array of tables").help(help);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in array.iter() {
            let span = self.span_of(item.span());
            match item.get_ref() {
                DeValue::Table(table) => tables.push(Table::new(table, span, name)),
                other => {
                    wrong_type(sink, At { value: other, span }, "a table");
                }
            }
        }
        tables
    }

    /// Returns a string, if the key is there.
    pub(crate) fn string(&self, sink: &mut Sink, key: &str) -> Option<At<&'t str>> {
        let value = self.get(key)?;
        string(sink, value)
    }

    /// Returns a string, and reports its absence.
    pub(crate) fn required(
        &self,
        sink: &mut Sink,
        key: &str,
        example: &str,
    ) -> Option<At<&'t str>> {
        if self.get(key).is_none() {
            let message = format!("{} needs the key \"{key}\"", self.name);
            sink.error(codes::MISSING_KEY, self.span, message)
                .help(format!("add {key} = {example}"));
        }
        self.string(sink, key)
    }

    /// Returns a list of strings, if the key is there; items of other types are reported.
    pub(crate) fn strings(&self, sink: &mut Sink, key: &str) -> Option<At<Vec<At<&'t str>>>> {
        let value = self.get(key)?;
        let Some(array) = value.value.as_array() else {
            wrong_type(sink, value, "a list of strings").help(format!("{key} = [\"…\"]"));
            return None;
        };
        let mut items = Vec::new();
        for item in array.iter() {
            items.extend(string(sink, self.spanned(item)));
        }
        Some(value.map(items))
    }

    /// Returns any value, if the key is there.
    pub(crate) fn get(&self, key: &str) -> Option<At<&'t DeValue<'i>>> {
        self.table.get(key).map(|value| self.spanned(value))
    }

    fn spanned(&self, value: &'t Spanned<DeValue<'i>>) -> At<&'t DeValue<'i>> {
        At { value: value.get_ref(), span: self.span_of(value.span()) }
    }

    fn span_of(&self, range: std::ops::Range<usize>) -> Span {
        Span { source: self.span.source, start: range.start, end: range.end }
    }
}

/// Reads a value as a string.
pub(crate) fn string<'t>(sink: &mut Sink, value: At<&'t DeValue<'_>>) -> Option<At<&'t str>> {
    match value.value {
        DeValue::String(text) => Some(value.map(text.as_ref())),
        _ => {
            wrong_type(sink, value, "a string");
            None
        }
    }
}

/// Reports a value of the wrong type.
pub(crate) fn wrong_type<'s>(
    sink: &'s mut Sink,
    value: At<&DeValue<'_>>,
    expected: &str,
) -> &'s mut crate::diagnostic::Diagnostic {
    let found = match value.value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    };
    sink.error(codes::WRONG_TYPE, value.span, format!("expected {expected}, found {found}"))
        .label(format!("this is {found}"))
        .help(format!("write {expected}"))
}
