//! What a request is refused with.

use crate::token::Rejection;
use crate::token::dpop::ProofRejection;
use http::header::{HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};

/// Why a request is refused. No text holds a part of what was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// It brings no token, or one by a scheme that is not taken.
    #[error("a token is needed")]
    NoToken,
    /// It brings several tokens, or came to an address that no proof can speak of.
    #[error("the request brings more than one token, or its address cannot be read")]
    Request,
    /// The token says something wrong.
    #[error(transparent)]
    Token(#[from] Rejection),
    /// The token is bound to a key, and there is not one proof of it.
    #[error("the token needs one proof of possession")]
    NoProof,
    /// The proof is refused.
    #[error("{rejection}")]
    Proof {
        /// Why.
        rejection: ProofRejection,
        /// The nonce for the next proof, where nonces are asked for.
        nonce: Option<String>,
    },
    /// The token was revoked, or its task has ended.
    #[error("the token is not active")]
    Inactive,
    /// The broker cannot be asked, so nothing is accepted.
    #[error("tokens cannot be checked now")]
    Unavailable,
}

impl Refused {
    /// Returns the status to answer with.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Request => StatusCode::BAD_REQUEST,
            Self::Unavailable | Self::Proof { rejection: ProofRejection::Unavailable, .. } => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            _ => StatusCode::UNAUTHORIZED,
        }
    }

    /// Returns the headers to answer with (RFC 6750 §3, RFC 9449 §7.1 and §9).
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            return headers;
        }
        let error = match self {
            // Who brought nothing is not told that it was wrong (RFC 6750 §3.1).
            Self::NoToken => None,
            Self::Request => Some("invalid_request"),
            Self::Token(rejection) => Some(rejection.error()),
            Self::NoProof => Some("invalid_dpop_proof"),
            Self::Proof { rejection, .. } => Some(rejection.error()),
            Self::Inactive | Self::Unavailable => Some("invalid_token"),
        };
        let error = error.map(|error| format!("error=\"{error}\", error_description=\"{self}\", "));
        let challenge = format!("DPoP {}algs=\"ES256\"", error.unwrap_or_default());
        if let Ok(challenge) = HeaderValue::from_str(&challenge) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Self::Proof { nonce: Some(nonce), .. } = self
            && let Ok(nonce) = HeaderValue::from_str(nonce)
        {
            headers.insert(HeaderName::from_static("dpop-nonce"), nonce);
        }
        headers
    }
}
