//! Where the messages of one parse are gathered.

use crate::codes::Code;
use crate::diagnostic::{Diagnostic, MOST_DIAGNOSTICS, Origin, Report, Severity, Source, Span};

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

impl<T> At<T> {
    pub(crate) fn map<U>(&self, value: U) -> At<U> {
        At { value, span: self.span }
    }
}

/// The messages so far, and the texts that they point into.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    report: Report,
    /// Takes the messages that are left out.
    overflow: Option<Diagnostic>,
    /// Whether warnings are wanted.
    lint: bool,
}

impl Sink {
    pub(crate) fn new(lint: bool) -> Self {
        Self { lint, ..Self::default() }
    }

    pub(crate) fn add_source(&mut self, name: &str, text: String, origin: Origin) -> usize {
        self.report.sources.push(Source { name: name.to_owned(), text, origin });
        self.report.sources.len() - 1
    }

    /// Returns the first place there is.
    pub(crate) fn start(&self) -> Option<Span> {
        self.report.sources.first().map(|_| Span { source: 0, start: 0, end: 0 })
    }

    pub(crate) fn error(
        &mut self,
        code: Code,
        span: Span,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(code, Severity::Error, span, message.into())
    }

    pub(crate) fn warning(
        &mut self,
        code: Code,
        span: Span,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(code, Severity::Warning, span, message.into())
    }

    fn add(
        &mut self,
        code: Code,
        severity: Severity,
        span: Span,
        message: String,
    ) -> &mut Diagnostic {
        let mut diagnostic = Diagnostic::new(code, severity, message);
        diagnostic.span = Some(span);
        if severity == Severity::Warning && !self.lint {
            return self.overflow.insert(diagnostic);
        }
        // An error is never left out in favour of a warning: without it there would be a grant.
        let full = self.report.diagnostics.len() >= MOST_DIAGNOSTICS;
        if full && (severity == Severity::Warning || self.report.has_errors()) {
            self.report.left_out += 1;
            return self.overflow.insert(diagnostic);
        }
        self.report.diagnostics.push(diagnostic);
        let last = self.report.diagnostics.len() - 1;
        &mut self.report.diagnostics[last]
    }

    /// Overwrites a value in the text that messages show, byte for byte, so that places stay.
    pub(crate) fn mask(&mut self, span: Span) {
        let Some(source) = self.report.sources.get_mut(span.source) else { return };
        let Some(value) = source.text.get(span.start..span.end) else { return };
        let masked: String = value
            .chars()
            .flat_map(|c| {
                let shown = if matches!(c, '\n' | '\r') { c } else { '*' };
                std::iter::repeat_n(shown, c.len_utf8())
            })
            .collect();
        source.text.replace_range(span.start..span.end, &masked);
    }

    /// Returns the report, its messages in the order of the texts.
    pub(crate) fn into_report(mut self) -> Report {
        let place = |d: &Diagnostic| d.span.map_or((0, 0), |span| (span.source, span.start));
        self.report.diagnostics.sort_by_key(place);
        self.report
    }
}
