#![expect(clippy::unwrap_used, reason = "a test may fail")]
use super::*;
use crate::codes::Code;
use crate::diagnostic::Severity;
use std::fs;

use tempfile::TempDir;

mod credentials;
mod dirs;
mod file;
mod flags;
mod rules;
mod wording;

/// A place with a few directories to grant.
struct Bench {
    dir: TempDir,
    place: Place,
}

impl Bench {
    fn new(dirs: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in dirs {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        let current_dir = dir.path().to_owned();
        let place = Place { current_dir, lint: true, ..Place::default() };
        Self { dir, place }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn parse_with(&self, bytes: impl AsRef<[u8]>, flags: Flags) -> Parsed {
        let bytes = bytes.as_ref().to_vec();
        let file =
            GrantFile { name: "grant.toml".into(), dir: self.path().into(), bytes, linked: false };
        GrantSource { file: Some(file), flags }.parse(&self.place)
    }

    fn parse(&self, text: impl AsRef<[u8]>) -> Parsed {
        self.parse_with(text, Flags::default())
    }

    fn flags(&self, flags: Flags) -> Parsed {
        GrantSource { file: None, flags }.parse(&self.place)
    }
}

fn parse(text: &str) -> Parsed {
    Bench::new(&[]).parse(text)
}

/// The grant, which must hold.
fn grant(parsed: Parsed) -> Grant {
    let Parsed { grant, report } = parsed;
    grant.unwrap_or_else(|| panic!("{}", report.render(false)))
}

fn found(parsed: &Parsed, severity: Severity) -> Vec<Code> {
    let of = parsed.report.diagnostics.iter().filter(|d| d.severity == severity);
    of.map(|d| d.code.clone()).collect()
}

fn errors(parsed: &Parsed) -> Vec<Code> {
    let errors = found(parsed, Severity::Error);
    assert_eq!(parsed.grant.is_none(), !errors.is_empty(), "a grant goes with no error");
    errors
}

fn warnings(parsed: &Parsed) -> Vec<Code> {
    found(parsed, Severity::Warning)
}

fn vec_of(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
