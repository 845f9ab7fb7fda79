//! Public keys that check signatures, and sets of them by name.

use super::{JwkError, Jwks, PublicJwk, Signature};
use crate::strict_json;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The most bytes of a JWK set that are read. A key has about 200.
const LARGEST_SET: usize = 64 << 10;
/// The most keys of a set that are looked at. Each costs a check that its point is on the curve.
const MOST_KEYS: usize = 64;

/// A public key, parsed once, that checks ES256 signatures and nothing else.
#[derive(Debug, Clone)]
pub struct VerifyingKey(ParsedPublicKey);

impl VerifyingKey {
    /// Prepares a key, if its point is on the curve and is not the point at infinity.
    pub fn new(jwk: &PublicJwk) -> Option<Self> {
        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, jwk.to_point()).ok().map(Self)
    }

    /// Reports whether the signature is the key's own over the message.
    ///
    /// `r` and `s` must both be from 1 to the order of the curve less one, so that a signature of
    /// zeros fits nothing (CVE-2022-21449).
    #[must_use]
    pub fn accepts(&self, message: &[u8], signature: &Signature) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }
}

/// Public keys by their `kid`.
#[derive(Debug, Clone, Default)]
pub struct KeySet(BTreeMap<String, VerifyingKey>);

/// Why a JWK set is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// Too large, not JSON, a member twice, no list of keys, a key without a name or two of one name.
    #[error("the key set is malformed or too large")]
    Malformed,
    /// A key in it is malformed, or its point is not on the curve.
    #[error("a key of the key set is malformed")]
    Key,
    /// It gives private parts away: nothing that these keys signed can be trusted.
    #[error("the key set gives a private key away; the issuer must replace it at once")]
    Private,
}

impl KeySet {
    /// Reads a published JWK set (RFC 7517 §5) from a stranger.
    ///
    /// Keys of other kinds are passed over, as the RFC asks. Anything that is wrong with a key of
    /// our kind refuses the whole set: half a set is not what its issuer meant.
    pub fn parse(document: &[u8]) -> Result<Self, KeySetError> {
        if document.len() > LARGEST_SET {
            return Err(KeySetError::Malformed);
        }
        let members = strict_json::object(document, 5).ok_or(KeySetError::Malformed)?;
        let keys = members.get("keys").and_then(Value::as_array).ok_or(KeySetError::Malformed)?;
        if keys.len() > MOST_KEYS {
            return Err(KeySetError::Malformed);
        }
        let mut set = Self::default();
        for key in keys {
            set.read(key.as_object().ok_or(KeySetError::Malformed)?)?;
        }
        Ok(set)
    }

    fn read(&mut self, members: &Map<String, Value>) -> Result<(), KeySetError> {
        let jwk = match PublicJwk::parse(members) {
            Ok(jwk) => jwk,
            Err(JwkError::OtherKind) => return Ok(()),
            Err(JwkError::Private) => return Err(KeySetError::Private),
            Err(JwkError::Malformed) => return Err(KeySetError::Key),
        };
        let kid = members.get("kid").and_then(Value::as_str).ok_or(KeySetError::Malformed)?;
        let key = VerifyingKey::new(&jwk).ok_or(KeySetError::Key)?;
        match self.0.insert(kid.to_owned(), key) {
            None => Ok(()),
            Some(_) => Err(KeySetError::Malformed),
        }
    }

    /// Finds the key of that name.
    pub fn get(&self, kid: &str) -> Option<&VerifyingKey> {
        self.0.get(kid)
    }

    /// Returns how many keys can be used.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Reports whether no key can be used, so that nothing would be accepted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&Jwks> for KeySet {
    /// Takes our own keys; one that is not on the curve is left out, and then accepts nothing.
    fn from(jwks: &Jwks) -> Self {
        let named = |jwk: &PublicJwk| Some((jwk.thumbprint().to_string(), VerifyingKey::new(jwk)?));
        Self(jwks.keys().iter().filter_map(named).collect())
    }
}

#[cfg(test)]
#[path = "verifying_tests.rs"]
mod tests;
