//! A list as it is published: signed, and fresh for a while.

use super::{Bits, Status, Statuses, TYPE};
use crate::base64url;
use crate::clock::UnixMillis;
use crate::keys::{KeySet, SignError, Signer};
use crate::strict_json;
use crate::token::SKEW;
use crate::token::compact::Sealer;
use crate::token::members::Members;
use crate::token::verify::{Rejection, open};
use serde_json::json;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The most bytes of a signed list that are looked at.
const LARGEST_LIST: usize = 768 << 10;

/// Signs lists with one key.
pub struct StatusIssuer {
    signer: Arc<dyn Signer>,
    sealer: Sealer,
}

impl StatusIssuer {
    /// Prepares a signer's header.
    pub fn new(signer: Arc<dyn Signer>) -> Self {
        let sealer = Sealer::named(TYPE, &*signer);
        Self { signer, sealer }
    }

    /// Signs a list (§5.1). A checker should fetch it again after `ttl` and must not use it after
    /// `life`.
    pub fn sign(
        &self,
        uri: &str,
        statuses: &Statuses,
        now: UnixMillis,
        ttl: Duration,
        life: Duration,
    ) -> Result<String, SignError> {
        let issued = now.0 / 1000;
        let payload = json!({
            "sub": uri,
            "iat": issued,
            "exp": issued.saturating_add(life.as_secs()),
            "ttl": ttl.as_secs(),
            "status_list": {
                "bits": statuses.bits().count(),
                "lst": base64url::encode(statuses.pack()),
            },
        });
        self.sealer.seal(payload.to_string().as_bytes(), &*self.signer)
    }
}

impl fmt::Debug for StatusIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusIssuer").field("kid", &self.signer.kid()).finish_non_exhaustive()
    }
}

/// A list that was checked, for as long as it may be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusSnapshot {
    uri: String,
    statuses: Statuses,
    issued: UnixMillis,
    refresh: UnixMillis,
    until: UnixMillis,
}

/// Why a list does not say that a token is valid. Each refuses the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatusError {
    /// The list itself is not ours: see the word.
    #[error("the status list is refused: {0}")]
    List(Rejection),
    /// It is another list than the one that was asked for.
    #[error("this is another status list")]
    Other,
    /// It is too old to be believed: fetch it again.
    #[error("the status list is too old; fetch it again")]
    Stale,
    /// The list has no such index.
    #[error("the status list has no such index")]
    OutOfRange,
}

impl StatusSnapshot {
    /// Checks a signed list from a stranger (§8.3).
    ///
    /// It is believed for `longest` from when it was signed, and never past its `exp`; counting from
    /// when it was fetched would let an old copy be served as new.
    pub fn open(
        token: &str,
        keys: &KeySet,
        uri: &str,
        now: UnixMillis,
        longest: Duration,
    ) -> Result<Self, StatusError> {
        let payload = open(token, keys, TYPE, LARGEST_LIST).map_err(StatusError::List)?;
        let snapshot = Self::read(&payload, longest).map_err(StatusError::List)?;
        if snapshot.uri != uri {
            return Err(StatusError::Other);
        }
        snapshot.check_age(now)?;
        Ok(snapshot)
    }

    fn read(payload: &[u8], longest: Duration) -> Result<Self, Rejection> {
        let payload = strict_json::object(payload, 4).ok_or(Rejection::Payload)?;
        let mut members = Members::new(payload);
        let moment = |seconds: u64| UnixMillis(seconds.saturating_mul(1000));
        let uri = members.text("sub")?;
        let issued = moment(members.integer("iat")?);
        let expires = moment(members.integer("exp")?);
        let ttl = members.optional_integer("ttl")?.unwrap_or(u64::MAX);
        let statuses = read_statuses(members.object("status_list")?)?;
        let after = |duration| issued.checked_add(duration).unwrap_or(expires);
        let until = after(longest).min(expires);
        let refresh = after(Duration::from_secs(ttl)).min(until);
        Ok(Self { uri, statuses, issued, refresh, until })
    }

    fn check_age(&self, now: UnixMillis) -> Result<(), StatusError> {
        let is_ahead = self.issued.saturating_since(now) > SKEW;
        if is_ahead || now >= self.until { Err(StatusError::Stale) } else { Ok(()) }
    }

    /// Returns what the list says of an index, while it may be believed.
    pub fn get(&self, index: u32, now: UnixMillis) -> Result<Status, StatusError> {
        self.check_age(now)?;
        self.statuses.get(index).ok_or(StatusError::OutOfRange)
    }

    /// Returns the name of the list.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Returns when the list should be fetched again.
    pub fn refresh_at(&self) -> UnixMillis {
        self.refresh
    }
}

fn read_statuses(mut list: Members) -> Result<Statuses, Rejection> {
    const NAME: &str = "status_list";
    let invalid = Rejection::Invalid(NAME);
    let bits = list.integer("bits").ok().and_then(Bits::parse).ok_or(invalid)?;
    // Longer than a claim may be, so it is not read as one.
    let Some(serde_json::Value::String(packed)) = list.take("lst") else { return Err(invalid) };
    let packed = base64url::decode(&packed).ok_or(invalid)?;
    Statuses::unpack(bits, &packed).ok_or(invalid)
}

#[cfg(test)]
#[path = "signed_tests.rs"]
mod tests;
