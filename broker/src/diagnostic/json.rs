//! Messages for programs.

use super::{Origin, Report, Span};
use crate::text::printable;
use serde_json::{Value, json};

impl Report {
    /// Returns the messages as an array of objects; places have line and column from 1.
    ///
    /// JSON itself escapes only some control characters; here all are.
    pub fn to_json(&self) -> Value {
        let place = |span: Span, label: Option<&str>| {
            let source = self.sources.get(span.source);
            let (line, column) = self.line_and_column(span.source, span.start);
            let (end_line, end_column) = self.line_and_column(span.source, span.end);
            json!({
                "file": source.filter(|s| s.origin == Origin::File).map(|s| printable(&s.name)),
                "flag": source.filter(|s| s.origin == Origin::Flag).map(|s| printable(&s.name)),
                "line": line, "column": column, "end_line": end_line, "end_column": end_column,
                "label": label.map(printable),
            })
        };
        let messages = self.diagnostics.iter().map(|d| {
            json!({
                "code": d.code, "severity": d.severity.to_string(), "message": printable(&d.message),
                "place": d.span.map(|span| place(span, d.label.as_deref())),
                "related": d.secondary.iter().map(|(s, l)| place(*s, Some(l))).collect::<Vec<_>>(),
                "help": d.help.as_deref().map(printable),
            })
        });
        Value::Array(messages.collect())
    }
}
