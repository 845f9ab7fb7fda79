//! The description of everything that is answered here (OpenAPI 3.1).

use super::answer::{Answer, text_of};
use http::StatusCode;

/// Written by hand; a test holds it against the routes.
pub(super) const DOCUMENT: &str = include_str!("openapi.json");

/// Answers with the description.
pub(super) async fn document() -> Answer {
    text_of(StatusCode::OK, "application/json", DOCUMENT)
}
