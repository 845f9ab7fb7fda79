//! A private key in the memory of this process.

use super::{PublicJwk, SignError, Signature, Signer};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use std::fmt;
use zeroize::Zeroizing;

/// A P-256 key held by this process.
///
/// aws-lc owns the private scalar and overwrites it when the key is dropped, as it does with all
/// memory that it frees. The first signature or key of a process also waits for aws-lc to gather
/// entropy, about 30 ms: nothing here happens before something must be signed.
pub struct LocalKey {
    pair: EcdsaKeyPair,
    jwk: PublicJwk,
    kid: String,
}

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The system gave no randomness.
    #[error("the system gives no randomness for a new key")]
    NoRandomness,
    /// The bytes are not a P-256 key in PKCS#8.
    #[error("this is no P-256 private key in PKCS#8 (DER)")]
    Malformed,
}

impl LocalKey {
    /// Makes a new key.
    pub fn generate() -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| KeyError::NoRandomness)?;
        Self::from_pair(pair)
    }

    /// Reads a key from PKCS#8 in DER (RFC 5208), checking that its halves belong together.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
            .map_err(|_| KeyError::Malformed)?;
        Self::from_pair(pair)
    }

    fn from_pair(pair: EcdsaKeyPair) -> Result<Self, KeyError> {
        let point = pair.public_key().as_ref();
        let jwk = PublicJwk::from_point(point).ok_or(KeyError::Malformed)?;
        Ok(Self { pair, jwk, kid: jwk.thumbprint().to_string() })
    }

    /// Returns the private key for the one place that stores it.
    pub(super) fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let document = self.pair.to_pkcs8v1().map_err(|_| KeyError::Malformed)?;
        Ok(Zeroizing::new(document.as_ref().to_vec()))
    }
}

impl Signer for LocalKey {
    fn kid(&self) -> &str {
        &self.kid
    }

    fn public_jwk(&self) -> &PublicJwk {
        &self.jwk
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        let signature =
            self.pair.sign(&SystemRandom::new(), message).map_err(|_| SignError::Unusable)?;
        signature.as_ref().try_into().map_err(|_| SignError::Unusable)
    }
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}
