//! JWS in its compact form (RFC 7515 §7.1): three parts, each with one spelling.

use super::members::Members;
use crate::base64url;
use crate::keys::{SignError, Signature, Signer};
use crate::strict_json;
use serde_json::{Value, json};

/// A signed text, taken apart; nothing in it is believed yet.
pub(super) struct Compact<'a> {
    /// What the signature is over.
    pub(super) signed: &'a str,
    /// The header's members.
    pub(super) header: Members,
    /// The payload's bytes.
    pub(super) payload: Vec<u8>,
    /// The signature.
    pub(super) signature: Signature,
}

/// Why a text is not looked at further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CompactError {
    TooLarge,
    Malformed,
}

impl<'a> Compact<'a> {
    /// Takes a text apart, without a step that costs more than reading it.
    pub(super) fn parse(text: &'a str, largest: usize) -> Result<Self, CompactError> {
        if text.len() > largest {
            return Err(CompactError::TooLarge);
        }
        Self::split(text).ok_or(CompactError::Malformed)
    }

    fn split(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let signature = base64url::decode_array(signature)?;
        let header = strict_json::object(&base64url::decode(header)?, 3)?;
        // A fourth part would stand in the payload, and a dot is no base64url.
        let payload = base64url::decode(payload)?;
        Some(Self { signed, header: Members::new(header), payload, signature })
    }
}

/// Reports whether `typ` names the type, with or without `application/` (RFC 7515 §4.1.9).
pub(super) fn is_type(value: Option<Value>, wanted: &str) -> bool {
    let Some(Value::String(found)) = value else { return false };
    let prefix = "application/";
    let has_prefix =
        found.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    let short = if has_prefix { &found[prefix.len()..] } else { found.as_str() };
    short.eq_ignore_ascii_case(wanted)
}

/// A header that is written once and used for every text of one signer.
pub(super) struct Sealer {
    prefix: String,
}

impl Sealer {
    /// Prepares the header of a type, which names the key.
    pub(super) fn named(kind: &str, signer: &dyn Signer) -> Self {
        Self::new(&json!({ "alg": "ES256", "kid": signer.kid(), "typ": kind }))
    }

    /// Prepares the header of a type, which carries the key itself.
    pub(super) fn embedded(kind: &str, signer: &dyn Signer) -> Self {
        Self::new(&json!({ "alg": "ES256", "jwk": signer.public_jwk(), "typ": kind }))
    }

    fn new(header: &Value) -> Self {
        Self { prefix: base64url::encode(header.to_string()) + "." }
    }

    /// Signs a payload.
    pub(super) fn seal(&self, payload: &[u8], signer: &dyn Signer) -> Result<String, SignError> {
        // Allocated once: a text that grows leaves copies of itself behind.
        let length = self.prefix.len() + (payload.len() * 4).div_ceil(3) + 1 + 86;
        let mut text = String::with_capacity(length);
        text.push_str(&self.prefix);
        base64url::append(payload, &mut text);
        let signature = signer.sign(text.as_bytes())?;
        text.push('.');
        base64url::append(signature, &mut text);
        Ok(text)
    }
}
