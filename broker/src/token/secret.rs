//! Signed bytes that let their bearer in.

use crate::base64url;
use aws_lc_rs::digest;
use std::fmt;
use zeroize::Zeroizing;

/// A signed access token. It is never shown, and overwritten when it is dropped.
pub struct AccessToken(Zeroizing<String>);

impl AccessToken {
    /// Takes a token that came from elsewhere; nothing is known about it yet.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Returns the token for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Computes the hash that ties a proof to the token (`ath`, RFC 9449 §4.2).
    pub fn hash(&self) -> String {
        hash(&self.0)
    }
}

/// Computes `ath` of a token's text.
pub(super) fn hash(token: &str) -> String {
    base64url::encode(digest::digest(&digest::SHA256, token.as_bytes()))
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(..)")
    }
}
