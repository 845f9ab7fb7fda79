//! Secrets, and the places of the operator that they are read from.

use super::error::ProviderError;
use super::files::{self, Privacy};
use super::registry::Surroundings;
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The longest secret, bytes. It has to fit into one header field of most servers.
const LONGEST_SECRET: usize = 16 * 1024;
/// The largest file with a secret, bytes.
pub(super) const LARGEST_FILE: u64 = 64 * 1024;

/// A text that may be known to nobody but an upstream; wiped when the last copy is dropped.
///
/// What libraries copy on the way out (a connection's buffer, the password in a parsed connection
/// string) is out of reach and lives as long as one exchange.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

/// Why a text cannot be used as a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// Longer than any header field may be.
    #[error("it is longer than {LONGEST_SECRET} bytes")]
    Long,
    /// A line end, NUL or other control character: in a header it would start another one.
    #[error("it has a line end or another control character in it")]
    Control,
    /// Bytes that are no text.
    #[error("it is not valid UTF-8")]
    Text,
}

impl Secret {
    /// Takes over a text.
    pub fn new(text: String) -> Result<Self, SecretError> {
        let text = Zeroizing::new(text);
        if text.is_empty() {
            return Err(SecretError::Empty);
        }
        if text.len() > LONGEST_SECRET {
            return Err(SecretError::Long);
        }
        if text.chars().any(char::is_control) {
            return Err(SecretError::Control);
        }
        Ok(Self(Arc::new(text)))
    }

    /// Returns the text; the caller answers for every copy.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Takes what stood in a file or variable, without the line end that editors add.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, SecretError> {
        let text = std::str::from_utf8(bytes).map_err(|_| SecretError::Text)?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        Self::new(text.strip_suffix('\r').unwrap_or(text).to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Where the operator keeps a secret. It is looked up for each lease, so a changed one is used at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A variable of the environment that `writ` was started with. No worker ever has it.
    Env(String),
    /// A file that only its owner can use.
    File(PathBuf),
    /// An entry of a file encrypted with age.
    Age {
        /// The encrypted file.
        file: PathBuf,
        /// What decrypts it.
        key: AgeKey,
        /// The `NAME` of a `NAME=VALUE` line; none takes the whole text.
        entry: Option<String>,
    },
}

/// What decrypts an age file; each is a file that only its owner can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgeKey {
    /// X25519 identities, one a line, as `age-keygen` writes them.
    Identity(PathBuf),
    /// A passphrase.
    Passphrase(PathBuf),
}

impl Source {
    /// Reads the bytes. It blocks: files, and a second of work for a passphrase.
    pub(super) fn load(&self, around: &Surroundings) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        match self {
            Self::Env(name) => around.variable(name),
            Self::File(path) => read(path),
            #[cfg(feature = "age")]
            Self::Age { file, key, entry } => super::secret::age::load(file, key, entry.as_deref()),
            #[cfg(not(feature = "age"))]
            Self::Age { .. } => Err(ProviderError::never(
                "this build of writ cannot read age files; use a file or a variable",
            )),
        }
    }

    /// Reads a secret of one line.
    pub(super) fn secret(&self, around: &Surroundings) -> Result<Secret, ProviderError> {
        let bytes = self.load(around)?;
        Secret::from_bytes(&bytes)
            .map_err(|error| ProviderError::never(format!("the secret in {self}: {error}")))
    }
}

/// Reads a file that holds a secret.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    files::read(path, Privacy::Secret, LARGEST_FILE)
        .map_err(|error| ProviderError::never(format!("{}: {error}", path.display())))
}

/// Reads a token out of an upstream's answer: what RFC 6750 §2.1 lets stand in a header.
pub(super) fn token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    let text = Zeroizing::new(String::deserialize(deserializer)?);
    let fits = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b));
    match Secret::new(text.to_string()) {
        Ok(secret) if fits => Ok(secret),
        _ => Err(serde::de::Error::custom("no token")),
    }
}

/// Runs what blocks on a thread for it.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ProviderError> + Send + 'static,
) -> Result<T, ProviderError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(ProviderError::later("reading a secret was interrupted")))
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the variable {name}"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Age { file, entry: Some(entry), .. } => {
                write!(f, "entry \"{entry}\" of {}", file.display())
            }
            Self::Age { file, .. } => write!(f, "{}", file.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;

    #[test]
    fn a_secret_shows_nothing_of_itself() {
        let secret = Secret::new("hunter2".to_owned()).unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn one_line_end_is_no_part_of_a_secret_and_a_second_is_refused() {
        for bytes in [&b"hunter2"[..], b"hunter2\n", b"hunter2\r\n"] {
            assert_eq!(Secret::from_bytes(bytes).unwrap().expose(), "hunter2");
        }
        for bytes in
            [&b"hunter2\n\n"[..], b"hun\nter2", b"hun\rter2", b"hun\0ter2", b"\x7f", b"a\tb"]
        {
            assert_eq!(Secret::from_bytes(bytes).unwrap_err(), SecretError::Control);
        }
        assert_eq!(Secret::from_bytes(b"\n").unwrap_err(), SecretError::Empty);
        assert_eq!(Secret::from_bytes(b"\xff").unwrap_err(), SecretError::Text);
        let long = "a".repeat(LONGEST_SECRET + 1);
        assert_eq!(Secret::new(long).unwrap_err(), SecretError::Long);
    }
}
