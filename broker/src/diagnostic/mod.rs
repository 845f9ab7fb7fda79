//! Messages about a grant file, in rustc's form, as JSON and as SARIF.

mod json;
mod render;
mod sarif;

use crate::codes::Code;
use std::fmt;

/// The most messages of one report. A hostile file of 256 KiB could otherwise cause some 100,000.
pub const MOST_DIAGNOSTICS: usize = 200;

/// Where a text came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A grant file.
    File,
    /// One flag of the command line.
    Flag,
}

/// A text that messages point into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The path as the caller gave it, or the flag's name.
    pub name: String,
    /// The text. Values that look like credentials are masked, so that no message shows one.
    pub text: String,
    /// Where it came from.
    pub origin: Origin,
}

/// A range of bytes in a source; always on character borders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The index in [`Report::sources`].
    pub source: usize,
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The grant holds, but it is probably wider or narrower than meant.
    Warning,
    /// There is no grant.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The stable code.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: lower case, no final stop.
    pub message: String,
    /// Where.
    pub span: Option<Span>,
    /// What to write beside the place.
    pub label: Option<String>,
    /// Other places that matter.
    pub secondary: Vec<(Span, String)>,
    /// A way out.
    pub help: Option<String>,
}

impl Diagnostic {
    pub(crate) fn new(code: Code, severity: Severity, message: String) -> Self {
        Self { code, severity, message, span: None, label: None, secondary: vec![], help: None }
    }

    pub(crate) fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = Some(label.into());
        self
    }

    pub(crate) fn also(&mut self, span: Span, label: impl Into<String>) -> &mut Self {
        self.secondary.push((span, label.into()));
        self
    }

    pub(crate) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }
}

/// All messages about one grant, with the texts that they point into.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The texts.
    pub sources: Vec<Source>,
    /// The messages, in the order of the texts.
    pub diagnostics: Vec<Diagnostic>,
    /// How many more there were; see [`MOST_DIAGNOSTICS`].
    pub left_out: usize,
}

impl Report {
    /// Reports whether there is an error; then there is no grant.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// Counts the messages of one severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|d| d.severity == severity).count()
    }

    /// Returns the line and column of a byte, both from 1; columns count characters.
    pub fn line_and_column(&self, source: usize, byte: usize) -> (usize, usize) {
        let text = self.sources.get(source).map_or("", |s| s.text.as_str());
        let before = text.get(..byte.min(text.len())).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }
}

#[cfg(test)]
mod tests;
