//! Signing keys: one for each purpose, kept where only their owner can read them.
//!
//! Everything here is ES256, ECDSA over P-256 with SHA-256 (RFC 7518 §3.4), by aws-lc-rs. A key
//! signs behind [`Signer`], so that it may lie in a file or in a hardware token.

mod file;
mod jwk;
mod local;
#[cfg(feature = "pkcs11")]
mod pkcs11;
mod ring;
mod verifying;

pub use file::{KeyFileError, KeyFiles};
pub use jwk::{JwkError, Jwks, PublicJwk, Thumbprint};
pub use local::{KeyError, LocalKey};
#[cfg(feature = "pkcs11")]
pub use pkcs11::{HardwareError, HardwareKey, HardwareToken, TokenPlace};
pub use ring::{Decided, KeyEvent, KeyRing, PUBLISH_AHEAD, RETIRE_AFTER, RingError, RingKey};
pub use verifying::{KeySet, KeySetError, VerifyingKey};

use serde::{Deserialize, Serialize};

/// What a key signs. A key has one purpose, so what is signed for one is never read as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Access tokens (`at+jwt`, RFC 9068).
    Access,
    /// Status lists (`statuslist+jwt`).
    Status,
    /// Checkpoints of the ledger.
    Checkpoint,
}

impl Purpose {
    /// Returns the word that names the purpose in file names and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Status => "status",
            Self::Checkpoint => "checkpoint",
        }
    }
}

/// An ES256 signature: `r` and `s`, big-endian, 32 bytes each (RFC 7518 §3.4).
pub type Signature = [u8; 64];

/// A private key that signs and never shows itself.
pub trait Signer: Send + Sync {
    /// Returns the key's name: its RFC 7638 thumbprint, base64url.
    fn kid(&self) -> &str;

    /// Returns the public half.
    fn public_jwk(&self) -> &PublicJwk;

    /// Signs a message, which is hashed here.
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError>;
}

/// Why nothing was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The key is not there now: a hardware token was unplugged or is busy. Later it may be.
    #[error("the signing key cannot be reached now; look at the hardware token, then try again")]
    Unreachable,
    /// The key cannot sign at all.
    #[error("the signing key cannot sign; rotate it with `writ keys rotate`")]
    Unusable,
}
