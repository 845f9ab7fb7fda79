//! The one way to find out whether an access token may be believed.
//!
//! jsonwebtoken is not used. Its `decode` ignores `crit` and `typ`, allows a minute of leeway, does
//! not ask for an issuer or an audience unless told to, takes a list for either, and lets a claim
//! of the wrong type pass; each would have to be checked again here, on bytes that are then read
//! twice. What is left of it is one call of aws-lc, which is made directly, with a key that is
//! parsed once. One algorithm is known, so there is none to confuse.

mod read;
mod rejection;

pub use rejection::Rejection;

use super::claims::Claims;
use super::compact::{Compact, is_type};
use super::{LARGEST_TOKEN, SKEW, mint};
use crate::clock::UnixMillis;
use crate::keys::{KeySet, Thumbprint};
use crate::strict_json;
use serde_json::Value;
use std::ops::Deref;

/// How deep a payload may nest: the chain of actors is the deepest part.
const DEEPEST_PAYLOAD: usize = 12;

/// Something that was checked. Only the check makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    pub(super) fn new(checked: T) -> Self {
        Self(checked)
    }

    /// Returns what was checked.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// What a token must say to be accepted here.
#[derive(Debug, Clone, Copy)]
pub struct Expectations<'a> {
    /// Who must have signed it, compared as text.
    pub issuer: &'a str,
    /// For whom it must be.
    pub audience: Audience<'a>,
    /// Who sends it.
    pub holder: Holder<'a>,
}

/// For whom a token must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience<'a> {
    /// For exactly this audience, compared as text.
    Is(&'a str),
    /// For anybody. Only the issuer itself may ask so, when a token is revoked or exchanged: who
    /// takes a token for others lets its sender in everywhere.
    DangerousAny,
}

/// Who sends a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder<'a> {
    /// Somebody who proved to hold this key: the token must be bound to it.
    Proved(&'a Thumbprint),
    /// Anybody who bears it: a token that is bound to a key is refused (RFC 9449 §7.2).
    Bearer,
    /// Not its holder, but somebody who asks about it: introspection and revocation.
    Inquirer,
}

/// Checks access tokens of one issuer's keys.
#[derive(Debug, Clone)]
pub struct Verifier {
    keys: KeySet,
}

impl Verifier {
    /// Takes the keys that sign access tokens, and no others.
    pub fn new(keys: KeySet) -> Self {
        Self { keys }
    }

    /// Checks a token: first what costs nothing, then the signature, then every claim.
    ///
    /// Whether it was revoked is for the caller to look up, in its status list or its records.
    pub fn verify(
        &self,
        token: &str,
        expected: &Expectations<'_>,
        now: UnixMillis,
    ) -> Result<Verified<Claims>, Rejection> {
        let payload = open(token, &self.keys, mint::TYPE, LARGEST_TOKEN)?;
        let payload = strict_json::object(&payload, DEEPEST_PAYLOAD).ok_or(Rejection::Payload)?;
        let read::Unverified { claims, not_before } = read::Unverified::read(payload)?;
        if claims.issuer != expected.issuer {
            return Err(Rejection::Issuer);
        }
        if !matches!(expected.audience, Audience::DangerousAny)
            && expected.audience != Audience::Is(&claims.audience)
        {
            return Err(Rejection::Audience);
        }
        check_time(&claims, not_before, now)?;
        check_holder(claims.bound_to.as_ref(), expected.holder)?;
        Ok(Verified::new(claims))
    }
}

/// Checks the signature of a text of ours, and gives back its payload.
///
/// The header has exactly `alg`, `typ` and `kid`: whatever else stood there was not put there by
/// us, and a `jwk`, `jku`, `x5c`, `crit` or `b64` would want to change what is checked.
pub(super) fn open(
    text: &str,
    keys: &KeySet,
    kind: &str,
    largest: usize,
) -> Result<Vec<u8>, Rejection> {
    let Compact { signed, mut header, payload, signature } = Compact::parse(text, largest)?;
    if header.take("alg") != Some(Value::from("ES256")) {
        return Err(Rejection::Algorithm);
    }
    if !is_type(header.take("typ"), kind) {
        return Err(Rejection::Type);
    }
    let Some(Value::String(kid)) = header.take("kid") else { return Err(Rejection::Header) };
    if !header.is_empty() {
        return Err(Rejection::Header);
    }
    let key = keys.get(&kid).ok_or(Rejection::UnknownKey)?;
    if key.accepts(signed.as_bytes(), &signature) { Ok(payload) } else { Err(Rejection::Signature) }
}

fn check_time(claims: &Claims, not_before: Option<u64>, now: UnixMillis) -> Result<(), Rejection> {
    let latest = now.checked_add(SKEW).unwrap_or(UnixMillis(u64::MAX));
    let starts = [Some(claims.lifetime.issued()), not_before];
    if starts.into_iter().flatten().any(|start| start.saturating_mul(1000) > latest.0) {
        return Err(Rejection::NotYetValid);
    }
    let end = claims.lifetime.ends_at().checked_add(SKEW).unwrap_or(UnixMillis(u64::MAX));
    if now >= end { Err(Rejection::Expired) } else { Ok(()) }
}

fn check_holder(bound_to: Option<&Thumbprint>, holder: Holder<'_>) -> Result<(), Rejection> {
    match (holder, bound_to) {
        (Holder::Inquirer, _) | (Holder::Bearer, None) => Ok(()),
        (Holder::Proved(key), Some(bound_to)) if key == bound_to => Ok(()),
        _ => Err(Rejection::Binding),
    }
}

#[cfg(test)]
mod tests;
