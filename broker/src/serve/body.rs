//! Bodies of requests: bounded in size and time, of one type.

use super::answer::{Answer, OAuthError, and_close, oauth, problem};
use super::form::Form;
use crate::strict_json;
use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};
use std::time::Duration;
use tokio::time::timeout;

/// The largest body, bytes. A token has 8 KiB at most.
pub(super) const LARGEST: usize = 64 << 10;
/// How long a body may take.
const TIME: Duration = Duration::from_secs(5);
/// How deep a document may nest.
const DEEPEST: usize = 3;

/// Reads a form. A query is refused: what stands there ends up in logs.
pub(super) async fn form(request: Request<Body>) -> Result<Form, Answer> {
    let invalid = || oauth(OAuthError::InvalidRequest);
    if request.uri().query().is_some()
        || !is_media(request.headers(), "application/x-www-form-urlencoded")
    {
        return Err(and_close(invalid()));
    }
    let bytes = read(request).await?;
    Form::parse(&bytes).ok_or_else(invalid)
}

/// Reads a JSON object, and gives its bytes back as well.
pub(super) async fn object(request: Request<Body>) -> Result<(Map<String, Value>, Bytes), Answer> {
    if request.uri().query().is_some() {
        return Err(and_close(problem(StatusCode::BAD_REQUEST, "this path takes no query")));
    }
    if !is_media(request.headers(), "application/json") {
        let detail = "the body is application/json";
        return Err(and_close(problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)));
    }
    let bytes = read(request).await?;
    let object = strict_json::object(&bytes, DEEPEST);
    let detail = "the body is one JSON object with each member once, without null and floats";
    Ok((object.ok_or_else(|| problem(StatusCode::BAD_REQUEST, detail))?, bytes))
}

async fn read(request: Request<Body>) -> Result<Bytes, Answer> {
    let large = || and_close(problem(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"));
    let claimed = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if claimed.is_some_and(|claimed| claimed.parse::<usize>().is_ok_and(|length| length > LARGEST))
    {
        return Err(large());
    }
    let body = Limited::new(request.into_body(), LARGEST).collect();
    match timeout(TIME, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(large()),
        Ok(Err(_)) => Err(and_close(problem(StatusCode::BAD_REQUEST, "the body broke off"))),
        Err(_) => Err(and_close(problem(StatusCode::REQUEST_TIMEOUT, "the body took too long"))),
    }
}

/// Says whether the body is of a type: one `content-type`, whatever its parameters.
fn is_media(headers: &HeaderMap, wanted: &str) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(media), None) = (types.next(), types.next()) else { return false };
    let media = media.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    media.trim().eq_ignore_ascii_case(wanted)
}
