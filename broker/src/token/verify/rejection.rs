//! Why a token is refused, in words that say nothing about its content.

use crate::token::compact::CompactError;
use crate::token::members::{Fault, Flaw};

/// Why a token is refused. In OAuth each is `invalid_token`, and its text the description
/// (RFC 6750 §3.1); no text holds a part of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// Longer than any token of ours.
    #[error("the token is too long")]
    TooLarge,
    /// Not three parts of strict base64url with an object in front and 64 bytes at the end.
    #[error("the token is malformed")]
    Malformed,
    /// Not signed with ES256.
    #[error("the token is not signed with ES256")]
    Algorithm,
    /// A token of another type.
    #[error("this is a token of another type")]
    Type,
    /// The header has no `kid`, or a member that no header of ours has.
    #[error("the header of the token is not one of ours")]
    Header,
    /// No such key is known: fetch the key set again, if it is old.
    #[error("the key of the token is not known")]
    UnknownKey,
    /// The signature is not the key's own.
    #[error("the signature of the token does not fit")]
    Signature,
    /// The payload is not one object with each member once, or nests too deep.
    #[error("the payload of the token is malformed")]
    Payload,
    /// A claim that must be there is not.
    #[error("the claim `{0}` is missing")]
    Missing(&'static str),
    /// A claim is of the wrong type or out of bounds.
    #[error("the claim `{0}` is not valid")]
    Invalid(&'static str),
    /// Somebody else signed it.
    #[error("the token is from another issuer")]
    Issuer,
    /// It is for somebody else.
    #[error("the token is for another audience")]
    Audience,
    /// Its life has not begun.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Its life is over: get a new one.
    #[error("the token has expired")]
    Expired,
    /// It is bound to a key that its sender did not prove to hold, or not bound where it must be.
    #[error("the token is not bound to the key of its sender")]
    Binding,
}

impl Rejection {
    /// Returns the error code (RFC 6750 §3.1).
    pub fn error(self) -> &'static str {
        "invalid_token"
    }
}

impl From<CompactError> for Rejection {
    fn from(error: CompactError) -> Self {
        match error {
            CompactError::TooLarge => Self::TooLarge,
            CompactError::Malformed => Self::Malformed,
        }
    }
}

impl From<Flaw> for Rejection {
    fn from((name, fault): Flaw) -> Self {
        match fault {
            Fault::Missing => Self::Missing(name),
            Fault::Invalid => Self::Invalid(name),
        }
    }
}
