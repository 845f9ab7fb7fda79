//! Signing access tokens.

use super::compact::Sealer;
use super::{AccessToken, Claims, LARGEST_TOKEN};
use crate::keys::{SignError, Signer};
use std::fmt;
use std::sync::Arc;

/// The `typ` of an access token (RFC 9068 §2.1).
pub(super) const TYPE: &str = "at+jwt";

/// Signs access tokens with one key. Key and header are prepared once.
///
/// It decides nothing: whoever calls it has committed the token's row first.
pub struct Minter {
    signer: Arc<dyn Signer>,
    sealer: Sealer,
}

/// Why no token was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// Our own verifier would refuse such a token.
    #[error("the claim `{0}` does not fit into a token")]
    Claim(&'static str),
    /// The token would be longer than any checker reads.
    #[error("the token would be too long; ask for fewer authorization details")]
    TooLarge,
    /// The key did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl Minter {
    /// Prepares a signer's header.
    pub fn new(signer: Arc<dyn Signer>) -> Self {
        let sealer = Sealer::named(TYPE, &*signer);
        Self { signer, sealer }
    }

    /// Returns the name of the key.
    pub fn kid(&self) -> &str {
        self.signer.kid()
    }

    /// Signs the claims.
    pub fn sign(&self, claims: &Claims) -> Result<AccessToken, MintError> {
        if let Some(name) = claims.flaw() {
            return Err(MintError::Claim(name));
        }
        let payload = serde_json::to_vec(claims).expect("claims have text keys and no floats");
        let token = AccessToken::new(self.sealer.seal(&payload, &*self.signer)?);
        if token.expose().len() > LARGEST_TOKEN {
            return Err(MintError::TooLarge);
        }
        Ok(token)
    }
}

impl fmt::Debug for Minter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Minter").field("kid", &self.kid()).finish_non_exhaustive()
    }
}
