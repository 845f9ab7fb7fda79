//! The grant file as a whole.

use super::draft::Draft;
use super::sink::Sink;
use super::table::Table;
use super::{GrantFile, LARGEST_FILE, Place, credential, dirs, env, http, limits, target, task};
use crate::codes;
use crate::diagnostic::{Origin, Span};
use toml::de::DeTable;

/// Reads the file into the draft; none if it is not TOML, so that nothing of it is known.
pub(super) fn read(
    sink: &mut Sink,
    draft: &mut Draft,
    file: &GrantFile,
    place: &Place,
) -> Option<()> {
    let (source, text) = decode(sink, file, "grant file")?;
    let start = Span { source, start: 0, end: 0 };
    draft.start = Some(start);
    let help = "`writ explain G0101` shows the form of a grant";
    let document = document(sink, source, &text, help)?;
    let root = Table::new(&document, start, "a grant");
    let known = ["task", "fs", "http", "tcp", "credential", "env", "limits"];
    root.refuse_others(sink, &known, &["policy", "approval"]);
    if let Some(table) = root.table(sink, "task", "[task]") {
        task::read(sink, draft, table);
    }
    for table in root.tables(sink, "fs", "[[fs]]") {
        dirs::read(sink, draft, table, &file.dir, place);
    }
    for table in root.tables(sink, "http", "[[http]]") {
        http::read(sink, draft, table);
    }
    for table in root.tables(sink, "tcp", "[[tcp]]") {
        target::read(sink, draft, table);
    }
    for table in root.tables(sink, "credential", "[[credential]]") {
        credential::read(sink, draft, table);
    }
    if let Some(table) = root.table(sink, "env", "[env]") {
        env::read(sink, draft, table);
    }
    if let Some(table) = root.table(sink, "limits", "[limits]") {
        limits::read(sink, draft, table);
    }
    Some(())
}

/// Reads a text as TOML; none if it is not, and `help` then says where its form is shown.
pub(crate) fn document<'t>(
    sink: &mut Sink,
    source: usize,
    text: &'t str,
    help: &'static str,
) -> Option<DeTable<'t>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut broken = false;
    for error in &errors {
        let range = error.span().unwrap_or(0..0);
        let span =
            Span { source, start: range.start.min(text.len()), end: range.end.min(text.len()) };
        // The parser keeps the first of two equal keys, so the rest of the file still makes sense.
        let twice = error.message().starts_with("duplicate key");
        let code = if twice { codes::TWICE } else { codes::SYNTAX };
        sink.error(code, span, error.message().to_owned()).help(match twice {
            true => "keep one of the two",
            false => help,
        });
        broken |= !twice;
    }
    (!broken).then(|| document.into_inner())
}

/// Checks size and encoding, and registers the text; a byte order mark is no part of it.
pub(crate) fn decode(sink: &mut Sink, file: &GrantFile, what: &str) -> Option<(usize, String)> {
    let mut problem = None;
    let bytes = file.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&file.bytes);
    let text = if bytes.len() > LARGEST_FILE {
        problem = Some((0, format!("the {what} is larger than {} KiB", LARGEST_FILE / 1024)));
        String::new()
    } else {
        String::from_utf8(bytes.to_vec()).unwrap_or_else(|error| {
            let at = error.utf8_error().valid_up_to();
            problem = Some((at, format!("the {what} is not valid UTF-8")));
            String::from_utf8_lossy(bytes).into_owned()
        })
    };
    let source = sink.add_source(&file.name, text.clone(), Origin::File);
    if file.linked {
        sink.mask(Span { source, start: 0, end: text.len() });
    }
    match problem {
        None => Some((source, text)),
        Some((at, message)) => {
            let end = text.len().min(at + '\u{fffd}'.len_utf8());
            sink.error(codes::UNREADABLE, Span { source, start: at, end }, message)
                .help("write it anew, as a text that a person can read through");
            None
        }
    }
}
