//! Checking proofs, on the side of who is asked (RFC 9449 §4.3).

use super::replay::{ReplayError, Replays};
use super::{Capacity, Nonces, PROOF_WINDOW, TYPE, Target};
use crate::clock::UnixMillis;
use crate::keys::{PublicJwk, Thumbprint, VerifyingKey};
use crate::strict_json;
use crate::token::compact::{Compact, CompactError, is_type};
use crate::token::members::{Fault, Flaw, Members};
use crate::token::{LARGEST_TOKEN, SKEW, Verified, secret};
use serde_json::Value;
use std::sync::{Mutex, PoisonError};

/// Headers that want to change which key or which bytes are checked.
const FOREIGN_KEYS: [&str; 5] = ["crit", "b64", "jku", "x5u", "x5c"];

/// The request that a proof must be for.
#[derive(Debug, Clone, Copy)]
pub struct ProofExpectations<'a> {
    /// Its method, compared as text.
    pub method: &'a str,
    /// Where it came to.
    pub target: &'a Target,
    /// The token that came with it; none at a token endpoint.
    pub token: Option<&'a str>,
}

/// Checks proofs, each once.
#[derive(Debug)]
pub struct ProofVerifier {
    nonces: Option<Nonces>,
    replays: Mutex<Replays>,
}

/// Why a proof is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofRejection {
    /// Longer than any proof need be.
    #[error("the proof is too long")]
    TooLarge,
    /// Not three parts of strict base64url with objects in front and 64 bytes at the end.
    #[error("the proof is malformed")]
    Malformed,
    /// A token of another type.
    #[error("the type of the proof is not dpop+jwt")]
    Type,
    /// Not signed with ES256, which is all that the metadata names.
    #[error("the proof is not signed with ES256")]
    Algorithm,
    /// A header that a proof may not have.
    #[error("the header of the proof has a member that is not taken")]
    Header,
    /// No public P-256 key, or one with private parts.
    #[error("the key of the proof is not a public P-256 key")]
    Key,
    /// The signature is not the key's own.
    #[error("the signature of the proof does not fit")]
    Signature,
    /// A claim that must be there is not.
    #[error("the claim `{0}` of the proof is missing")]
    Missing(&'static str),
    /// A claim is of the wrong type or out of bounds.
    #[error("the claim `{0}` of the proof is not valid")]
    Invalid(&'static str),
    /// For another method or another place.
    #[error("the proof is for another request")]
    Request,
    /// Too old, or dated ahead.
    #[error("the proof was not made just now")]
    Time,
    /// Not for the token that came with it, or for one where none came.
    #[error("the proof is for another token")]
    Token,
    /// No nonce, or an old one: make a new proof with the one that the answer brings.
    #[error("the proof needs the nonce that comes with this answer")]
    Nonce,
    /// It was used before.
    #[error("the proof was used before")]
    Replayed,
    /// Too many proofs are remembered just now, or the clock stepped back: try later.
    #[error("no more proofs can be taken now; try again in a minute")]
    Unavailable,
}

impl ProofRejection {
    /// Returns the error code (RFC 9449 §5, §8; RFC 6749 §4.1.2.1).
    pub fn error(self) -> &'static str {
        match self {
            Self::Nonce => "use_dpop_nonce",
            Self::Unavailable => "temporarily_unavailable",
            _ => "invalid_dpop_proof",
        }
    }
}

impl ProofVerifier {
    /// Makes a verifier; with `nonces`, a proof without a current one is refused.
    pub fn new(capacity: Capacity, nonces: Option<Nonces>) -> Self {
        Self { nonces, replays: Mutex::new(Replays::new(capacity)) }
    }

    /// Returns the nonce that answers carry, where nonces are asked for.
    pub fn nonce(&self, now: UnixMillis) -> Option<String> {
        self.nonces.as_ref().map(|nonces| nonces.current(now))
    }

    /// Checks a proof and gives back the key that its sender holds.
    ///
    /// That key must then be the one that the token is bound to: [`Holder::Proved`] asks so.
    ///
    /// [`Holder::Proved`]: crate::token::Holder::Proved
    pub fn verify(
        &self,
        proof: &str,
        expected: &ProofExpectations<'_>,
        now: UnixMillis,
    ) -> Result<Verified<Thumbprint>, ProofRejection> {
        let (key, mut claims) = open(proof)?;
        let jti = check_claims(&mut claims, expected, now)?;
        self.check_nonce(claims.optional_text("nonce")?, now)?;
        // Not held while signatures are checked.
        let mut replays = self.replays.lock().unwrap_or_else(PoisonError::into_inner);
        replays.admit(&key, &jti, now)?;
        Ok(Verified::new(key))
    }

    fn check_nonce(&self, nonce: Option<String>, now: UnixMillis) -> Result<(), ProofRejection> {
        let Some(nonces) = &self.nonces else { return Ok(()) };
        if nonce.is_some_and(|nonce| nonces.accepts(&nonce, now)) {
            Ok(())
        } else {
            Err(ProofRejection::Nonce)
        }
    }
}

/// Checks form, header and signature; gives back the key and the claims.
fn open(proof: &str) -> Result<(Thumbprint, Members), ProofRejection> {
    let Compact { signed, mut header, payload, signature } = Compact::parse(proof, LARGEST_TOKEN)?;
    if !is_type(header.take("typ"), TYPE) {
        return Err(ProofRejection::Type);
    }
    if header.take("alg") != Some(Value::from("ES256")) {
        return Err(ProofRejection::Algorithm);
    }
    if FOREIGN_KEYS.iter().any(|name| header.take(name).is_some()) {
        return Err(ProofRejection::Header);
    }
    let Some(Value::Object(jwk)) = header.take("jwk") else { return Err(ProofRejection::Key) };
    let jwk = PublicJwk::parse(&jwk).map_err(|_| ProofRejection::Key)?;
    let key = VerifyingKey::new(&jwk).ok_or(ProofRejection::Key)?;
    if !key.accepts(signed.as_bytes(), &signature) {
        return Err(ProofRejection::Signature);
    }
    let claims = strict_json::object(&payload, 4).ok_or(ProofRejection::Malformed)?;
    Ok((jwk.thumbprint(), Members::new(claims)))
}

/// Checks all claims but the nonce; gives back the `jti`.
fn check_claims(
    claims: &mut Members,
    expected: &ProofExpectations<'_>,
    now: UnixMillis,
) -> Result<String, ProofRejection> {
    let (jti, method, target) = (claims.text("jti")?, claims.text("htm")?, claims.text("htu")?);
    let made = UnixMillis(claims.integer("iat")?.saturating_mul(1000));
    let hash = claims.optional_text("ath")?;
    if method != expected.method || Target::parse(&target).as_ref() != Some(expected.target) {
        return Err(ProofRejection::Request);
    }
    let is_ahead = made.saturating_since(now) > SKEW;
    if is_ahead || now.saturating_since(made) > PROOF_WINDOW {
        return Err(ProofRejection::Time);
    }
    // Hashes of public length; which character differs helps nobody to find a token.
    if hash != expected.token.map(secret::hash) {
        return Err(ProofRejection::Token);
    }
    Ok(jti)
}

impl From<CompactError> for ProofRejection {
    fn from(error: CompactError) -> Self {
        match error {
            CompactError::TooLarge => Self::TooLarge,
            CompactError::Malformed => Self::Malformed,
        }
    }
}

impl From<Flaw> for ProofRejection {
    fn from((name, fault): Flaw) -> Self {
        match fault {
            Fault::Missing => Self::Missing(name),
            Fault::Invalid => Self::Invalid(name),
        }
    }
}

impl From<ReplayError> for ProofRejection {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Replayed => Self::Replayed,
            ReplayError::Unavailable => Self::Unavailable,
        }
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
