//! A blocking HTTP client over `wasi:http`.
//!
//! Every request is decided by the grant that the tool runs under, so a refusal is as ordinary as a
//! failed connection: see [`Error::is_denied`]. Redirects are not followed, because each hop is a new
//! request that the grant may allow or not; a tool that wants to follow one sends another request.

mod error;
mod request;
mod response;
mod url;

pub use error::{Error, HeaderProblem};
pub use request::Request;
pub use response::{Body, Response};
pub use url::{Scheme, Url, UrlError};
pub use wasip2::http::types::ErrorCode;

/// Gets a URL.
pub fn get(url: &str) -> Result<Response, Error> {
    Request::get(url)?.send()
}
