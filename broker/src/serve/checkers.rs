//! The resource servers that may ask about tokens: who they are, and for which audience.

use crate::providers::files::{self, Privacy};
use aws_lc_rs::{constant_time, digest};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The largest file of checkers, bytes.
const LARGEST_FILE: u64 = 1 << 20;
/// The shortest and the longest secret, bytes. Whoever can guess one is told which tokens are good.
const SHORTEST_SECRET: usize = 16;
const LONGEST_SECRET: u64 = 1024;

/// Why the file of checkers is not used. No text of it holds a part of a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct CheckersError {
    path: PathBuf,
    why: String,
}

/// The registered checkers.
#[derive(Debug, Default)]
pub struct Checkers(BTreeMap<String, Checker>);

/// One resource server.
pub struct Checker {
    name: String,
    audience: String,
    secret: [u8; 32],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    checker: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    secret_file: PathBuf,
    audience: String,
}

impl Checkers {
    /// Reads a file and the files of secrets that it names.
    ///
    /// ```toml
    /// [checker.api]
    /// secret_file = "/etc/writ/api.secret"
    /// audience = "https://api.example"
    /// ```
    pub fn read(path: &Path) -> Result<Self, CheckersError> {
        let refuse = |why: String| CheckersError { path: path.to_owned(), why };
        let bytes = files::read(path, Privacy::Trusted, LARGEST_FILE)
            .map_err(|error| refuse(error.to_string()))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| refuse("it is not UTF-8".to_owned()))?;
        // The error of the parser would show the line, and with it a secret that stands there.
        let document: Document = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| 1 + text[..span.start].matches('\n').count());
            let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
            refuse(format!(
                "{line}it is not a list of [checker.NAME] with secret_file and audience"
            ))
        })?;
        let mut checkers = Self::default();
        for (name, Entry { secret_file, audience }) in document.checker {
            let checker = Checker::read(name, audience, &secret_file).map_err(refuse)?;
            checkers.add(checker).map_err(refuse)?;
        }
        Ok(checkers)
    }

    fn add(&mut self, checker: Checker) -> Result<(), String> {
        if let Some(other) = self.0.values().find(|other| other.secret == checker.secret) {
            return Err(format!(
                "checkers \"{}\" and \"{}\" have the same secret; give each its own",
                other.name, checker.name
            ));
        }
        self.0.insert(checker.name.clone(), checker);
        Ok(())
    }

    /// Finds the checker of that name with that secret.
    pub(super) fn by_name(&self, name: &str, secret: &[u8]) -> Option<&Checker> {
        let secret = hash(secret);
        self.0.get(name).filter(|checker| checker.has(&secret))
    }

    /// Finds the checker with that secret. All are compared, so the time says nothing.
    pub(super) fn by_secret(&self, secret: &[u8]) -> Option<&Checker> {
        let secret = hash(secret);
        self.0
            .values()
            .fold(None, |found, checker| found.or(checker.has(&secret).then_some(checker)))
    }
}

impl Checker {
    fn read(name: String, audience: String, secret_file: &Path) -> Result<Self, String> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
            return Err("the name of a checker has letters, digits, `.`, `_` and `-`".to_owned());
        }
        if audience.is_empty() || audience.len() > 1024 {
            return Err(format!("checker \"{name}\" names no audience"));
        }
        let refuse = |why: &str| format!("checker \"{name}\": {}: {why}", secret_file.display());
        let secret = files::read(secret_file, Privacy::Secret, LONGEST_SECRET)
            .map_err(|error| refuse(&error.to_string()))?;
        let secret = Zeroizing::new(secret.trim_ascii_end().to_vec());
        if secret.len() < SHORTEST_SECRET || !secret.iter().all(u8::is_ascii_graphic) {
            return Err(refuse(
                "a secret is one line of 16 or more characters of ASCII without spaces",
            ));
        }
        Ok(Self { name, audience, secret: hash(&secret) })
    }

    fn has(&self, secret: &[u8; 32]) -> bool {
        constant_time::verify_slices_are_equal(&self.secret, secret).is_ok()
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the one audience whose tokens it may ask about.
    pub fn audience(&self) -> &str {
        &self.audience
    }
}

impl fmt::Debug for Checker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, audience, secret: _ } = self;
        f.debug_struct("Checker")
            .field("name", name)
            .field("audience", audience)
            .finish_non_exhaustive()
    }
}

/// Secrets are compared by their hashes: those have one length, and start alike only by chance.
fn hash(secret: &[u8]) -> [u8; 32] {
    let hash = digest::digest(&digest::SHA256, secret);
    hash.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn write(path: &Path, text: &str) {
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
    }

    fn read(secrets: [&str; 2], also: &str) -> Result<Checkers, CheckersError> {
        let dir = tempfile::tempdir().unwrap();
        let mut text = String::new();
        for (name, secret) in ["a", "b"].into_iter().zip(secrets) {
            let path = dir.path().join(name);
            write(&path, secret);
            text += &format!(
                "[checker.{name}]\nsecret_file = {:?}\naudience = \"https://{name}.test\"\n",
                path.display().to_string()
            );
        }
        let file = dir.path().join("checkers.toml");
        write(&file, &(text + also));
        Checkers::read(&file)
    }

    #[test]
    fn a_checker_is_known_by_its_own_secret_alone() {
        let checkers = read(["0123456789abcdef\n", "fedcba9876543210"], "").unwrap();
        let audience = |found: Option<&Checker>| found.map(|found| found.audience().to_owned());
        let a = Some("https://a.test".to_owned());
        assert_eq!(audience(checkers.by_secret(b"0123456789abcdef")), a);
        assert_eq!(audience(checkers.by_name("a", b"0123456789abcdef")), a);
        assert!(checkers.by_name("b", b"0123456789abcdef").is_none());
        assert!(checkers.by_name("c", b"0123456789abcdef").is_none());
        for wrong in ["", "0123456789abcde", "0123456789abcdef\n", "0123456789abcdeF"] {
            assert!(checkers.by_secret(wrong.as_bytes()).is_none());
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_and_no_secret_is_shown() {
        let good = "0123456789abcdef";
        for (secrets, also) in [
            ([good, good], ""),
            ([good, "short"], ""),
            ([good, "0123456789 abcdef"], ""),
            ([good, "fedcba9876543210"], "secret = \"0123456789abcdef\"\n"),
            (
                [good, "fedcba9876543210"],
                "[checker.c]\nsecret_file = \"/nowhere\"\naudience = \"x\"\n",
            ),
            (
                [good, "fedcba9876543210"],
                "[checker.\"c d\"]\nsecret_file = \"/x\"\naudience = \"x\"\n",
            ),
            ([good, "fedcba9876543210"], "[[checker]]\n"),
        ] {
            let error = read(secrets, also).unwrap_err();
            for text in [error.to_string(), format!("{error:?}")] {
                assert!(!text.contains(good) && !text.contains("fedcba"), "{text}");
            }
        }
        let shown = format!("{:?}", read([good, "fedcba9876543210"], "").unwrap());
        assert!(shown.contains("https://a.test") && !shown.contains("secret"), "{shown}");
    }
}
