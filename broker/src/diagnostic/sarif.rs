//! Messages for code scanners: SARIF 2.1.0 (OASIS).

use super::{Diagnostic, Origin, Report, Severity, Span};
use crate::codes::{self, Code};
use crate::text::printable;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Map, Value, json};

/// What a path cannot hold as it is in a URI reference; a colon in a first segment reads as a scheme.
const URI: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b':')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

impl Report {
    /// Returns one SARIF log with one run.
    pub fn to_sarif(&self) -> Value {
        let mut rules: Vec<&Code> = Vec::new();
        for diagnostic in &self.diagnostics {
            if !rules.contains(&&diagnostic.code) {
                rules.push(&diagnostic.code);
            }
        }
        let results: Vec<Value> =
            self.diagnostics.iter().map(|d| self.sarif_result(d, &rules)).collect();
        json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": {
                    "name": "writ",
                    "version": env!("CARGO_PKG_VERSION"),
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "rules": rules.iter().map(|code| sarif_rule(code)).collect::<Vec<_>>(),
                }},
                "columnKind": "unicodeCodePoints",
                "results": results,
            }],
        })
    }

    fn sarif_result(&self, diagnostic: &Diagnostic, rules: &[&Code]) -> Value {
        let text = match &diagnostic.help {
            Some(help) => format!("{}; help: {help}", diagnostic.message),
            None => diagnostic.message.clone(),
        };
        let level = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let related: Vec<Value> = diagnostic
            .secondary
            .iter()
            .map(|(span, label)| self.sarif_location(*span, Some(label)))
            .collect();
        json!({
            "ruleId": diagnostic.code,
            "ruleIndex": rules.iter().position(|code| **code == diagnostic.code),
            "level": level,
            "message": { "text": printable(&text) },
            "locations": diagnostic.span.map_or_else(Vec::new, |span| {
                vec![self.sarif_location(span, None)]
            }),
            "relatedLocations": related,
        })
    }

    fn sarif_location(&self, span: Span, label: Option<&str>) -> Value {
        let mut location = Map::new();
        if let Some(source) = self.sources.get(span.source) {
            let (start_line, start_column) = self.line_and_column(span.source, span.start);
            let (end_line, end_column) = self.line_and_column(span.source, span.end);
            let (key, value) = match source.origin {
                Origin::File => (
                    "physicalLocation",
                    json!({
                        "artifactLocation": { "uri": uri(&source.name) },
                        "region": {
                            "startLine": start_line, "startColumn": start_column,
                            "endLine": end_line, "endColumn": end_column,
                        },
                    }),
                ),
                Origin::Flag => {
                    ("logicalLocations", json!([{ "name": source.name, "kind": "parameter" }]))
                }
            };
            location.insert(key.to_owned(), value);
        }
        if let Some(label) = label {
            location.insert("message".to_owned(), json!({ "text": printable(label) }));
        }
        Value::Object(location)
    }
}

fn uri(name: &str) -> String {
    let encoded = utf8_percent_encode(name, URI).to_string();
    if name.starts_with('/') { format!("file://{encoded}") } else { encoded }
}

fn sarif_rule(code: &Code) -> Value {
    let explanation = codes::explain(code.as_str());
    json!({
        "id": code,
        "shortDescription": { "text": explanation.map_or("", |e| e.title) },
        "help": { "text": explanation.map_or("", |e| e.text), "markdown": explanation.map_or("", |e| e.text) },
    })
}
