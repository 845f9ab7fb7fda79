//! Messages for people, in rustc's form.

use super::{Diagnostic, Origin, Report, Severity, Source, Span};
use crate::text::{is_treacherous, printable};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

impl Report {
    /// Renders every message in rustc's form, with a summary line at the end.
    ///
    /// Whatever the file holds, the result has no control character but newlines and, if `color` is
    /// set, our own colours.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let shown: Vec<Shown> = self.sources.iter().map(Shown::new).collect();
        let mut out = String::new();
        for diagnostic in &self.diagnostics {
            out.push_str(&self.render_one(&renderer, diagnostic, &shown));
            out.push_str("\n\n");
        }
        out.push_str(&self.summary());
        out
    }

    fn render_one(&self, renderer: &Renderer, diagnostic: &Diagnostic, shown: &[Shown]) -> String {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title =
            level.primary_title(printable(&diagnostic.message)).id(diagnostic.code.as_str());
        let mut group = Group::with_title(title);
        // The first snippet is the one that rustc's arrow marks as the place of the message.
        let first = diagnostic.span.map_or(0, |span| span.source);
        let others = (0..self.sources.len()).filter(|index| *index != first);
        for index in [first].into_iter().chain(others) {
            let Some(source) = self.sources.get(index) else { continue };
            if let Some(snippet) = snippet(diagnostic, index, source, &shown[index]) {
                group = group.element(snippet);
            }
        }
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(printable(help)));
        }
        renderer.render(&[group])
    }

    fn summary(&self) -> String {
        let words = |count: usize, word: &str| match count {
            0 => None,
            1 => Some(format!("1 {word}")),
            n => Some(format!("{n} {word}s")),
        };
        let left_out = (self.left_out > 0).then(|| format!("{} more not shown", self.left_out));
        let parts: Vec<String> = [
            words(self.count(Severity::Error), "error"),
            words(self.count(Severity::Warning), "warning"),
            left_out,
        ]
        .into_iter()
        .flatten()
        .collect();
        if parts.is_empty() { String::new() } else { format!("{}\n", parts.join(", ")) }
    }
}

fn snippet<'a>(
    diagnostic: &'a Diagnostic,
    index: usize,
    source: &'a Source,
    shown: &'a Shown,
) -> Option<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let primary = diagnostic.span.filter(|span| span.source == index).map(|span| {
        let annotation = AnnotationKind::Primary.span(shown.range(span));
        match &diagnostic.label {
            Some(label) => annotation.label(printable(label)),
            None => annotation,
        }
    });
    let secondary = diagnostic.secondary.iter().filter(|(span, _)| span.source == index).map(
        |(span, label)| AnnotationKind::Context.span(shown.range(*span)).label(printable(label)),
    );
    let annotations: Vec<_> = primary.into_iter().chain(secondary).collect();
    if annotations.is_empty() {
        return None;
    }
    let path = match source.origin {
        Origin::File => printable(&source.name),
        Origin::Flag => "command line".into(),
    };
    Some(Snippet::source(shown.text.as_str()).path(path).annotations(annotations))
}

/// A source as it is shown: treacherous characters escaped, and where each byte went.
struct Shown {
    text: String,
    /// Pairs of (byte in the source, byte in the text), at each place where the difference changes.
    moves: Vec<(usize, usize)>,
}

impl Shown {
    fn new(source: &Source) -> Self {
        let mut text = String::with_capacity(source.text.len());
        let mut moves = vec![(0, 0)];
        let mut chars = source.text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let line_end = c == '\n' || c == '\r' && chars.peek().is_some_and(|(_, n)| *n == '\n');
            if !is_treacherous(c) || line_end || c == '\t' {
                text.push(c);
                continue;
            }
            text.extend(c.escape_unicode());
            moves.push((at + c.len_utf8(), text.len()));
        }
        Self { text, moves }
    }

    fn range(&self, span: Span) -> std::ops::Range<usize> {
        let start = self.place(span.start);
        start..self.place(span.end).max(start)
    }

    fn place(&self, byte: usize) -> usize {
        let after = self.moves.partition_point(|(from, _)| *from <= byte);
        let (from, to) = self.moves[after - 1];
        let mut place = (to + (byte - from)).min(self.text.len());
        while !self.text.is_char_boundary(place) {
            place -= 1;
        }
        place
    }
}
