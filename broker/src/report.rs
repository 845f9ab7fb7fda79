//! What `writ check` and `writ explain` say. Nothing is printed here: the caller passes the writers.

use crate::codes::{self, Explanation};
use crate::diagnostic::{Diagnostic, Report, Severity};
use crate::grant::{Flags, GrantFile, GrantSource, Parsed, Place};
use serde_json::json;
use std::io::{self, Write};
use std::path::PathBuf;

/// The exit code when all is well.
pub const DONE: u8 = 0;
/// The exit code for a command line that makes no sense.
pub const USAGE: u8 = 2;
/// The exit code for a grant that does not hold.
pub const DENIED: u8 = 3;

/// How to say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For a person: messages on the error writer, the sum of the grant on the other.
    #[default]
    Human,
    /// One JSON object, schema `writ.check/1`.
    Json,
    /// One SARIF 2.1.0 log.
    Sarif,
}

/// What `writ check` is asked.
#[derive(Debug, Clone, Default)]
pub struct CheckArgs {
    /// The grant file, if any.
    pub grant: Option<PathBuf>,
    /// What the flags add.
    pub flags: Flags,
    /// How to say it.
    pub format: Format,
    /// Whether a warning is as bad as an error.
    pub deny_warnings: bool,
    /// Whether the error writer takes colours.
    pub color: bool,
}

/// Reads and parses a grant file and flags. A file that cannot be read is a message like others.
pub fn load(grant: Option<&PathBuf>, flags: Flags, place: &Place) -> Parsed {
    let file = grant.map(|path| GrantFile::read(path).map_err(|error| (path, error)));
    match file.transpose() {
        Ok(file) => GrantSource { file, flags }.parse(place),
        Err((path, error)) => {
            let message = format!("the grant file {} cannot be read: {error}", path.display());
            let mut diagnostic = Diagnostic::new(codes::UNREADABLE, Severity::Error, message);
            diagnostic.help("name a file that is there and that you may read");
            let report = Report { diagnostics: vec![diagnostic], ..Report::default() };
            Parsed { grant: None, report }
        }
    }
}

/// Checks a grant and says what it adds up to. The exit code stands whatever becomes of the words: a
/// reader that has gone does not make a grant sound.
pub fn check(
    args: &CheckArgs,
    place: &Place,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> (u8, io::Result<()>) {
    let place = Place { lint: true, ..place.clone() };
    let parsed = load(args.grant.as_ref(), args.flags.clone(), &place);
    let report = &parsed.report;
    let denied = report.has_errors()
        || args.deny_warnings && report.count(Severity::Warning) + report.left_out > 0;
    (if denied { DENIED } else { DONE }, say(args, &parsed, denied, out, err))
}

fn say(
    args: &CheckArgs,
    Parsed { grant, report }: &Parsed,
    denied: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<()> {
    match args.format {
        Format::Human => {
            write!(err, "{}", report.render(args.color))?;
            if let Some(grant) = grant {
                write!(out, "{}", grant.to_toml())?;
            }
            Ok(())
        }
        Format::Json => {
            let object = json!({
                "schema": "writ.check/1",
                "ok": !denied,
                "errors": report.count(Severity::Error),
                "warnings": report.count(Severity::Warning),
                "left_out": report.left_out,
                "diagnostics": report.to_json(),
                "grant": grant.as_ref().map(crate::Grant::to_json),
            });
            writeln!(out, "{}", crate::json::line(&object)?)
        }
        Format::Sarif => writeln!(out, "{:#}", report.to_sarif()),
    }
}

/// Explains one code, or lists all of them; returns the exit code, as [`check`] does.
pub fn explain(
    code: Option<&str>,
    color: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> (u8, io::Result<()>) {
    let Some(code) = code else {
        let mut lines = codes::explanations()
            .map(|Explanation { code, title, .. }| writeln!(out, "{code}  {title}"));
        return (DONE, lines.try_for_each(|line| line));
    };
    if let Some(Explanation { code, title, text }) = codes::explain(code) {
        return (DONE, writeln!(out, "{code}: {title}\n\n{text}"));
    }
    let message = format!("there is no code \"{code}\"");
    let mut diagnostic = Diagnostic::new(codes::USAGE, Severity::Error, message);
    diagnostic.help(match codes::near(code) {
        Some(near) => format!("did you mean {near}?"),
        None => "\"writ explain\" alone lists every code".to_owned(),
    });
    let report = Report { diagnostics: vec![diagnostic], ..Report::default() };
    (USAGE, write!(err, "{}", report.render(color)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;
    use serde_json::Value;
    use std::fs;

    fn run(text: Option<&str>, args: CheckArgs) -> (u8, String, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("grant.toml");
        if let Some(text) = text {
            fs::create_dir(dir.path().join("web")).unwrap();
            fs::write(&path, text).unwrap();
        }
        let args = CheckArgs { grant: Some(path), ..args };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let (code, said) = check(&args, &Place::default(), &mut out, &mut err);
        said.unwrap();
        (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    const GOOD: &str =
        "[task]\nttl = \"1m\"\n[[fs]]\nguest = \"/src\"\nhost = \"web\"\naccess = \"read\"\n";

    #[test]
    fn a_good_grant_is_shown_as_its_sum_and_exits_0() {
        let flags = Flags { env: vec!["A=b".into()], ..Flags::default() };
        let (code, out, err) = run(Some(GOOD), CheckArgs { flags, ..CheckArgs::default() });
        assert_eq!((code, err.as_str()), (DONE, ""));
        for line in ["ttl = \"1m\"", "guest = \"/src\"", "\"A\" = \"b\"", "memory = \"256MiB\""] {
            assert!(out.contains(line), "{out}");
        }
    }

    #[test]
    fn an_error_exits_3_and_shows_no_sum() {
        let (code, out, err) = run(Some("[tusk]\n"), CheckArgs::default());
        assert_eq!((code, out.as_str()), (DENIED, ""));
        assert!(err.contains("error[G0102]") && err.contains("grant.toml:1:2"), "{err}");
    }

    #[test]
    fn a_warning_exits_0_and_3_when_warnings_are_denied() {
        assert_eq!(run(Some(""), CheckArgs::default()).0, DONE);
        let args = CheckArgs { deny_warnings: true, ..CheckArgs::default() };
        assert_eq!(run(Some(""), args.clone()).0, DENIED);
        assert_eq!(run(Some(GOOD), args).0, DONE);
    }

    #[test]
    fn a_file_that_is_not_there_is_a_message_in_every_format() {
        for format in [Format::Human, Format::Json, Format::Sarif] {
            let (code, out, err) = run(None, CheckArgs { format, ..CheckArgs::default() });
            assert_eq!(code, DENIED);
            assert!((out + &err).contains("G0105"));
        }
    }

    #[test]
    fn json_is_one_versioned_object_with_the_grant_in_it() {
        let args = CheckArgs { format: Format::Json, ..CheckArgs::default() };
        let (code, out, err) = run(Some(GOOD), args.clone());
        assert_eq!((code, err.as_str()), (DONE, ""));
        let object: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(object["schema"], "writ.check/1");
        assert_eq!(object["ok"], true);
        assert_eq!(object["grant"]["fs"][0]["guest"], "/src");
        assert_eq!(object["grant"]["limits"]["http_requests"], 100);
        let object: Value = serde_json::from_str(&run(Some("x = 1\n"), args).1).unwrap();
        assert_eq!((&object["ok"], &object["grant"]), (&json!(false), &Value::Null));
        assert_eq!(object["diagnostics"][0]["code"], "G0102");
    }

    #[test]
    fn a_verdict_stands_though_nobody_reads_it() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        for format in [Format::Human, Format::Json, Format::Sarif] {
            let args = CheckArgs { grant: Some("/nowhere".into()), format, ..CheckArgs::default() };
            let (code, said) = check(&args, &Place::default(), &mut Closed, &mut Closed);
            assert_eq!((code, said.is_err()), (DENIED, true), "{format:?}");
        }
    }

    #[test]
    fn json_shows_hostile_text_and_does_not_obey_it() {
        let flags =
            Flags { env: vec!["A=\u{9b}2J\u{7f}\u{202e}\u{ad}b".into()], ..Flags::default() };
        let args = CheckArgs { format: Format::Json, flags, ..CheckArgs::default() };
        let (_, out, _) = run(Some(GOOD), args);
        assert!(!out.trim_end().chars().any(crate::text::is_treacherous), "{out:?}");
        let object: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(object["grant"]["env"]["A"], "\u{9b}2J\u{7f}\u{202e}\u{ad}b");
    }

    #[test]
    fn sarif_is_one_log_on_the_output() {
        let args = CheckArgs { format: Format::Sarif, ..CheckArgs::default() };
        let (_, out, err) = run(Some("x = 1\n"), args);
        assert_eq!(err, "");
        let log: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(log["runs"][0]["results"][0]["ruleId"], "G0102");
    }

    fn explained(code: Option<&str>) -> (u8, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let (exit, said) = explain(code, false, &mut out, &mut err);
        said.unwrap();
        (exit, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn a_code_is_explained_and_an_unknown_one_guessed() {
        let (exit, out, _) = explained(Some("d0101"));
        assert_eq!(exit, DONE);
        assert!(out.starts_with("D0101: the host is not in the grant\n\n"));
        let (exit, out, err) = explained(Some("D010\u{1b}"));
        assert_eq!((exit, out.as_str()), (USAGE, ""));
        assert!(err.contains("did you mean D0101?") && !err.contains('\u{1b}'), "{err}");
        let (_, out, _) = explained(None);
        assert_eq!(out.lines().count(), codes::ALL.len());
    }
}
