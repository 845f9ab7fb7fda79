//! What is said to a token endpoint, and what it may answer.

use super::super::config::OauthConfig;
use super::super::error::ProviderError;
use super::super::source::{Secret, token};
use super::{ASSERTION_LIFE, when};
use crate::clock::UnixMillis;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::Duration;
use zeroize::Zeroizing;

/// What a form leaves as it is (WHATWG URL, `application/x-www-form-urlencoded` percent-encode set).
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');

/// A form in the making.
#[derive(Default)]
pub(super) struct Form(Zeroizing<String>);

impl Form {
    pub(super) fn add(&mut self, name: &str, value: &str) {
        let value = encode(value);
        self.reserve(name.len() + value.len() + 2);
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(name);
        self.0.push('=');
        self.0.push_str(&value);
    }

    /// Makes room. A text that grows by itself would leave what it held where it stood.
    fn reserve(&mut self, more: usize) {
        let needed = self.0.len() + more;
        if needed > self.0.capacity() {
            let mut larger = Zeroizing::new(String::with_capacity(2 * needed));
            larger.push_str(&self.0);
            self.0 = larger;
        }
    }

    pub(super) fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.as_bytes().to_vec())
    }
}

/// Writes a text as a form does, into room that holds it in any case.
fn encode(text: &str) -> Zeroizing<String> {
    let mut encoded = Zeroizing::new(String::with_capacity(3 * text.len()));
    encoded.extend(utf8_percent_encode(text, FORM));
    encoded
}

/// Joins id and secret for `Basic`; each is form-encoded first (RFC 6749 §2.3.1).
pub(super) fn basic(id: &str, secret: &Secret) -> Result<Secret, ProviderError> {
    let (id, secret) = (encode(id), encode(secret.expose()));
    let mut pair = Zeroizing::new(String::with_capacity(id.len() + 1 + secret.len()));
    pair.push_str(&id);
    pair.push(':');
    pair.push_str(&secret);
    Secret::new(STANDARD.encode(pair.as_bytes()))
        .map_err(|error| ProviderError::never(format!("the client secret: {error}")))
}

/// Returns the claims of the JWT that stands for the client (RFC 7523 §3).
pub(super) fn assertion(
    config: &OauthConfig,
    now: UnixMillis,
) -> Result<Map<String, Value>, ProviderError> {
    let mut jti = [0; 16];
    getrandom::fill(&mut jti)
        .map_err(|_| ProviderError::later("the system gave no random bytes"))?;
    let claims = json!({
        "iss": config.client_id,
        "sub": config.client_id,
        "aud": config.token_endpoint.to_string(),
        "iat": now.0 / 1000,
        "exp": when::after(now, ASSERTION_LIFE).0 / 1000,
        "jti": URL_SAFE_NO_PAD.encode(jti),
    });
    match claims {
        Value::Object(claims) => Ok(claims),
        _ => Err(ProviderError::never("a JWT has an object of claims")),
    }
}

/// Returns the scope to ask for: no more than the operator allows, all of it if nothing is named.
pub(super) fn scope<'a>(
    allowed: &'a [String],
    wanted: Option<&'a str>,
) -> Result<Vec<&'a str>, ProviderError> {
    let Some(wanted) = wanted else { return Ok(allowed.iter().map(String::as_str).collect()) };
    let words: Vec<&str> = wanted.split(' ').filter(|word| !word.is_empty()).collect();
    match words.iter().find(|word| !allowed.iter().any(|allowed| allowed == *word)) {
        // No word at all would be the server's own default, which may be everything.
        None if words.is_empty() => Err(ProviderError::beyond("the scope is empty")),
        None => Ok(words),
        Some(word) => Err(ProviderError::beyond(format!(
            "the scope \"{}\" is not in what the operator allows",
            word.escape_default()
        ))),
    }
}

/// An error response (RFC 6749 §5.2).
#[derive(Deserialize)]
pub(super) struct Failure {
    pub(super) error: String,
}

/// A token response (RFC 6749 §5.1).
#[derive(Deserialize)]
pub(super) struct Grant {
    #[serde(rename = "access_token", deserialize_with = "token")]
    pub(super) token: Secret,
    token_type: String,
    expires_in: Option<u64>,
    scope: Option<String>,
}

impl Grant {
    /// Checks that it is a bearer token with no more scope and life than it may have; returns its life.
    pub(super) fn check(
        &self,
        asked: &[&str],
        longest: Duration,
    ) -> Result<Duration, &'static str> {
        if !self.token_type.eq_ignore_ascii_case("bearer") {
            return Err("the token is no bearer token");
        }
        let wider = |scope: &String| scope.split(' ').any(|w| !w.is_empty() && !asked.contains(&w));
        if self.scope.as_ref().is_some_and(wider) {
            return Err("the token has more scope than was asked for");
        }
        let life = self.expires_in.map_or(longest, Duration::from_secs);
        if life > longest {
            return Err("the token lives longer than longest_life says; raise that");
        }
        Ok(life)
    }
}
