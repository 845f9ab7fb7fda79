//! JWTs that tell an upstream who we are (RFC 7523 and GitHub's), signed with the operator's key.

use super::error::ProviderError;
use super::source::Secret;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Map, Value, json};
use zeroize::Zeroize;

/// A private key in memory, for one signature.
pub(super) enum Key {
    /// RS256.
    Rsa(RsaKeyPair),
    /// ES256.
    P256(EcdsaKeyPair),
}

impl Key {
    /// Reads PEM: PKCS#8 or PKCS#1 with RSA of at least 2048 bits, or PKCS#8 with P-256.
    pub(super) fn from_pem(pem: &[u8]) -> Option<Self> {
        let mut der = PrivateKeyDer::from_pem_slice(pem).ok()?;
        let key = match &der {
            PrivateKeyDer::Pkcs1(der) => {
                RsaKeyPair::from_der(der.secret_pkcs1_der()).ok().map(Self::Rsa)
            }
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                let ec = || EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).ok();
                RsaKeyPair::from_pkcs8(der).ok().map(Self::Rsa).or_else(|| ec().map(Self::P256))
            }
            _ => None,
        };
        der.zeroize();
        key
    }

    /// Signs claims as a JWT.
    pub(super) fn sign(
        &self,
        key_id: Option<&str>,
        claims: &Map<String, Value>,
    ) -> Result<Secret, ProviderError> {
        let failed = |_| ProviderError::later("a JWT could not be signed");
        let alg = match self {
            Self::Rsa(_) => "RS256",
            Self::P256(_) => "ES256",
        };
        let mut header = json!({ "alg": alg, "typ": "JWT" });
        if let Some(key_id) = key_id {
            header["kid"] = key_id.into();
        }
        let claims = Value::Object(claims.clone()).to_string();
        let part = |text: String| URL_SAFE_NO_PAD.encode(text);
        let message = format!("{}.{}", part(header.to_string()), part(claims));
        let random = SystemRandom::new();
        let signature = match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature)
                    .map_err(failed)?;
                signature
            }
            Self::P256(key) => {
                key.sign(&random, message.as_bytes()).map_err(failed)?.as_ref().to_vec()
            }
        };
        Secret::new(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
            .map_err(|error| ProviderError::never(format!("a JWT: {error}")))
    }
}
