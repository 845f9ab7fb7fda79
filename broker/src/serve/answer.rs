//! Answers, and errors by the two standards that are spoken here.

use axum::body::Body;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde_json::json;

pub(super) type Answer = Response<Body>;

const JSON: &str = "application/json";

/// Answers with JSON that nobody may keep.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    match crate::json::line(body) {
        Ok(text) => text_of(status, JSON, text),
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "the answer cannot be written"),
    }
}

/// Answers with a text of a type that nobody may keep.
pub(super) fn text_of(status: StatusCode, media: &'static str, text: impl Into<Body>) -> Answer {
    let mut answer = Response::new(text.into());
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// Answers with JSON that everybody may keep for a while.
pub(super) fn public_json(body: &impl Serialize, max_age: &'static str) -> Answer {
    let mut answer = json(StatusCode::OK, body);
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(max_age));
    answer
}

/// Refuses in the words of OAuth (RFC 6749 §5.2): nothing says what exists.
pub(super) fn oauth(error: OAuthError) -> Answer {
    let (status, word) = match error {
        OAuthError::InvalidRequest => (StatusCode::BAD_REQUEST, "invalid_request"),
        OAuthError::InvalidClient => (StatusCode::UNAUTHORIZED, "invalid_client"),
        OAuthError::InvalidProof => (StatusCode::BAD_REQUEST, "invalid_dpop_proof"),
        OAuthError::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
    };
    let mut answer = json(status, &json!({ "error": word }));
    let headers = answer.headers_mut();
    match error {
        OAuthError::InvalidClient => {
            let realm = HeaderValue::from_static("Basic realm=\"writ\", charset=\"UTF-8\"");
            headers.insert(WWW_AUTHENTICATE, realm);
        }
        OAuthError::Unavailable => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        OAuthError::InvalidRequest | OAuthError::InvalidProof => {}
    }
    answer
}

impl From<OAuthError> for Answer {
    fn from(error: OAuthError) -> Self {
        oauth(error)
    }
}

/// What OAuth has a word for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OAuthError {
    /// It is not the request that it should be.
    InvalidRequest,
    /// Who asks is not known.
    InvalidClient,
    /// The proof is not for this request, or was used before.
    InvalidProof,
    /// It cannot be said now.
    Unavailable,
}

/// Refuses in the words of RFC 9457.
pub(super) fn problem(status: StatusCode, detail: &str) -> Answer {
    let body = json!({
        "status": status.as_u16(),
        "title": status.canonical_reason().unwrap_or("Error"),
        "detail": detail,
    });
    let text = crate::json::line(&body).unwrap_or_default();
    let mut answer = text_of(status, "application/problem+json", text);
    let headers = answer.headers_mut();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}

/// Refuses a body that was not read to its end; what is left of it is not worth reading.
pub(super) fn and_close(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// There is nothing here, or not for who asks.
pub(super) async fn not_found() -> Answer {
    problem(StatusCode::NOT_FOUND, "there is nothing here")
}
