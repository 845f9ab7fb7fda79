//! Who asks: by the other end of the connection, and by what it knows.

use super::answer::OAuthError;
use super::checkers::{Checker, Checkers};
use super::form;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use std::net::SocketAddr;
use zeroize::Zeroizing;

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    /// A process of this machine that may do everything: it could read the ledger itself.
    Local {
        /// Its user, by the kernel's word.
        uid: u32,
    },
    /// Anybody.
    Remote {
        /// To which of our addresses it came.
        here: SocketAddr,
    },
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Caller<'a> {
    /// A process of this machine.
    Local,
    /// A registered resource server.
    Checker(&'a Checker),
    /// Anybody.
    Nobody,
}

impl<'a> Caller<'a> {
    /// Finds out who asks. Credentials that are wrong are refused, whoever else it may be.
    pub(super) fn of(
        peer: Peer,
        headers: &HeaderMap,
        checkers: &'a Checkers,
    ) -> Result<Self, OAuthError> {
        let mut credentials = headers.get_all(AUTHORIZATION).iter();
        match (credentials.next(), credentials.next(), peer) {
            (None, _, Peer::Local { .. }) => Ok(Self::Local),
            (None, _, Peer::Remote { .. }) => Ok(Self::Nobody),
            (Some(one), None, _) => {
                let checker = known(one.as_bytes(), checkers);
                checker.map(Self::Checker).ok_or(OAuthError::InvalidClient)
            }
            (Some(_), Some(_), _) => Err(OAuthError::InvalidClient),
        }
    }

    /// Returns the checker, where only one of them may ask.
    pub(super) fn checker(self) -> Result<&'a Checker, OAuthError> {
        match self {
            Self::Checker(checker) => Ok(checker),
            Self::Local | Self::Nobody => Err(OAuthError::InvalidClient),
        }
    }
}

/// Finds the checker that knows its secret, as `Basic` (RFC 6749 §2.3.1) or as `Bearer`.
fn known<'a>(credentials: &[u8], checkers: &'a Checkers) -> Option<&'a Checker> {
    let text = std::str::from_utf8(credentials).ok()?;
    let (scheme, rest) = text.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return checkers.by_secret(rest.as_bytes());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = Zeroizing::new(STANDARD.decode(rest).ok()?);
    let colon = pair.iter().position(|byte| *byte == b':')?;
    let (name, secret) = (form::decode(&pair[..colon])?, form::decode(&pair[colon + 1..])?);
    checkers.by_name(&name, secret.as_bytes())
}
