//! Making proofs, on the side of who holds the key.

use super::{TYPE, Target};
use crate::clock::UnixMillis;
use crate::keys::{KeyError, LocalKey, PublicJwk, SignError, Signer, Thumbprint};
use crate::token::AccessToken;
use crate::token::compact::Sealer;
use serde::Serialize;
use std::fmt;
use zeroize::Zeroizing;

/// The key of one task, to which its tokens are bound. It never leaves this process, and is
/// overwritten when it is dropped.
pub struct Prover {
    key: LocalKey,
    sealer: Sealer,
    thumbprint: Thumbprint,
}

/// What a proof is for.
#[derive(Debug, Clone, Copy)]
pub struct ProofAsk<'a> {
    /// The method of the request.
    pub method: &'a str,
    /// Where it goes.
    pub target: &'a Target,
    /// The token that is sent with it; none at a token endpoint.
    pub token: Option<&'a AccessToken>,
    /// The nonce that the server asked for.
    pub nonce: Option<&'a str>,
}

/// A signed proof, good for one request. It is not shown, as it lets in who has the token too.
pub struct Proof(Zeroizing<String>);

impl Prover {
    /// Makes a key for a task.
    pub fn generate() -> Result<Self, KeyError> {
        let key = LocalKey::generate()?;
        let sealer = Sealer::embedded(TYPE, &key);
        let thumbprint = key.public_jwk().thumbprint();
        Ok(Self { key, sealer, thumbprint })
    }

    /// Returns the name that binds a token to the key (`jkt`).
    pub fn thumbprint(&self) -> &Thumbprint {
        &self.thumbprint
    }

    /// Returns the public half.
    pub fn public_jwk(&self) -> &PublicJwk {
        self.key.public_jwk()
    }

    /// Makes the proof for one request (RFC 9449 §4.2). `jti` has at least 96 random bits and is
    /// used once.
    pub fn prove(
        &self,
        ask: &ProofAsk<'_>,
        jti: &str,
        now: UnixMillis,
    ) -> Result<Proof, SignError> {
        let claims = ProofClaims {
            jti,
            htm: ask.method,
            htu: ask.target.as_str(),
            iat: now.0 / 1000,
            ath: ask.token.map(AccessToken::hash),
            nonce: ask.nonce,
        };
        let payload = serde_json::to_vec(&claims).expect("the claims are texts and a number");
        self.sealer.seal(&payload, &self.key).map(|text| Proof(Zeroizing::new(text)))
    }
}

#[derive(Serialize)]
struct ProofClaims<'a> {
    jti: &'a str,
    htm: &'a str,
    htu: &'a str,
    iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ath: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

impl Proof {
    /// Returns the proof for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Prover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prover(..)")
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proof(..)")
    }
}
