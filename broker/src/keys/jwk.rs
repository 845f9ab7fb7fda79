//! Public keys as JSON (RFC 7517), and their names (RFC 7638).

use crate::base64url;
use aws_lc_rs::digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};
use std::fmt;

/// The public half of a P-256 key: the coordinates of a point.
///
/// Whether the point is on the curve is found out by [`VerifyingKey`](super::VerifyingKey).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicJwk {
    x: [u8; 32],
    y: [u8; 32],
}

/// The SHA-256 thumbprint of a public key (RFC 7638): its `kid`, and the `jkt` that binds a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint([u8; 32]);

/// Why a JWK is not a public P-256 key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwkError {
    /// It is of another kind or for another algorithm; there may be others beside it.
    #[error("the key is not a P-256 key for ES256 signatures")]
    OtherKind,
    /// It holds private or symmetric parts: whoever sent it has lost that key.
    #[error("the key has private parts; it must be replaced at once")]
    Private,
    /// A member is missing, of the wrong type, or not in its one spelling.
    #[error("the key is malformed")]
    Malformed,
}

/// Members of a JWK that are secret (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
const SECRET: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

impl PublicJwk {
    /// Reads a point in the uncompressed form of SEC 1 §2.3.3.
    pub fn from_point(point: &[u8]) -> Option<Self> {
        let (4, coordinates) = point.split_first().map(|(first, rest)| (*first, rest))? else {
            return None;
        };
        let (x, y) = coordinates.split_at_checked(32)?;
        Some(Self { x: x.try_into().ok()?, y: y.try_into().ok()? })
    }

    /// Returns the point in the uncompressed form of SEC 1 §2.3.3.
    pub fn to_point(self) -> [u8; 65] {
        let mut point = [4; 65];
        point[1..33].copy_from_slice(&self.x);
        point[33..].copy_from_slice(&self.y);
        point
    }

    /// Reads the members of a JWK (RFC 7518 §6.2.1).
    ///
    /// `use`, `alg` and `key_ops` must allow ES256 signatures to be verified where they stand.
    /// Members that mean nothing here are ignored (RFC 7517 §4).
    pub fn parse(members: &Map<String, Value>) -> Result<Self, JwkError> {
        if SECRET.iter().any(|name| members.contains_key(*name)) {
            return Err(JwkError::Private);
        }
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        if !members.get("kty").is_some_and(Value::is_string) {
            return Err(JwkError::Malformed);
        }
        let suits = |name: &str, wanted: &str| {
            members.get(name).is_none_or(|value| value.as_str() == Some(wanted))
        };
        let is_p256 = text("kty") == Some("EC") && text("crv") == Some("P-256");
        let verifies = members.get("key_ops").is_none_or(|operations| {
            operations.as_array().is_some_and(|all| all.contains(&Value::from("verify")))
        });
        if !is_p256 || !suits("use", "sig") || !suits("alg", "ES256") || !verifies {
            return Err(JwkError::OtherKind);
        }
        let coordinate =
            |name| text(name).and_then(base64url::decode_array).ok_or(JwkError::Malformed);
        Ok(Self { x: coordinate("x")?, y: coordinate("y")? })
    }

    /// Computes the thumbprint (RFC 7638 §3.2: `crv`, `kty`, `x`, `y`, in that order).
    pub fn thumbprint(&self) -> Thumbprint {
        // The members are ASCII without a character that JSON escapes.
        let canonical = format!(
            r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#,
            base64url::encode(self.x),
            base64url::encode(self.y),
        );
        let hash = digest::digest(&digest::SHA256, canonical.as_bytes());
        Thumbprint(hash.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }
}

#[derive(Serialize)]
struct Members {
    kty: &'static str,
    crv: &'static str,
    x: String,
    y: String,
}

impl From<&PublicJwk> for Members {
    fn from(key: &PublicJwk) -> Self {
        let PublicJwk { x, y } = key;
        Self { kty: "EC", crv: "P-256", x: base64url::encode(x), y: base64url::encode(y) }
    }
}

impl Serialize for PublicJwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Members::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PublicJwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&Map::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl Thumbprint {
    /// Reads a thumbprint in its one spelling: 43 characters of base64url.
    pub fn parse(text: &str) -> Option<Self> {
        base64url::decode_array(text).map(Self)
    }

    /// Returns the hash itself.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(self.0))
    }
}

impl Serialize for Thumbprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Thumbprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("not a SHA-256 thumbprint"))
    }
}

/// Public keys as they are published (RFC 7517 §5). Serialising it gives the document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Jwks(Vec<PublicJwk>);

impl Jwks {
    /// Adds the keys of another set; one issuer publishes the keys of all its purposes together.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Returns the keys.
    pub fn keys(&self) -> &[PublicJwk] {
        &self.0
    }
}

impl FromIterator<PublicJwk> for Jwks {
    fn from_iter<I: IntoIterator<Item = PublicJwk>>(keys: I) -> Self {
        Self(keys.into_iter().collect())
    }
}

impl Serialize for Jwks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Published {
            #[serde(flatten)]
            members: Members,
            r#use: &'static str,
            alg: &'static str,
            kid: Thumbprint,
        }
        #[derive(Serialize)]
        struct Document {
            keys: Vec<Published>,
        }
        let publish = |key: &PublicJwk| Published {
            members: key.into(),
            r#use: "sig",
            alg: "ES256",
            kid: key.thumbprint(),
        };
        Document { keys: self.0.iter().map(publish).collect() }.serialize(serializer)
    }
}

#[cfg(test)]
#[path = "jwk_tests.rs"]
mod tests;
