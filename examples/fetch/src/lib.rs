//! `fetch`: the smallest useful tool that talks to the network.
//!
//! It exports one function, `get(url)`, and asks for nothing: which hosts it reaches is decided by the
//! grant that it runs under, see `grant.toml` beside this crate. What the grant does not name comes
//! back as the error `denied`.
//!
//! ```text
//! writ run fetch.wasm --grant grant.toml --call get --args '["https://api.github.com/zen"]'
//! ```

use std::io::Read;

use bindings::exports::example::fetch::web::{Error, Guest, Response};
use writ_guest::http;

#[allow(missing_docs, unsafe_code, reason = "generated from wit/fetch.wit, which is documented")]
mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "fetch" });
    export!(Fetch with_types_in self);
    use super::Fetch;
}

/// The largest body that is returned, in bytes. An agent reads the result, and reads it whole.
const LARGEST_BODY: u64 = 1 << 20;

struct Fetch;

impl Guest for Fetch {
    fn get(url: String) -> Result<Response, Error> {
        let mut response = http::Request::get(&url)
            .map(|request| request.header("user-agent", "writ-example-fetch"))
            .and_then(http::Request::send)
            .map_err(explain)?;
        let body = read_text(response.body())?;
        let content_type = response.header("content-type").map(str::to_owned);
        Ok(Response { status: response.status(), content_type, body })
    }
}

fn read_text(body: &mut http::Body) -> Result<String, Error> {
    let mut bytes = Vec::new();
    // One byte more than allowed tells a body that is too large from one that just fits.
    let read = body.take(LARGEST_BODY + 1).read_to_end(&mut bytes);
    read.map_err(|error| Error::Failed(error.to_string()))?;
    if bytes.len() as u64 > LARGEST_BODY {
        return Err(Error::TooLarge(LARGEST_BODY));
    }
    String::from_utf8(bytes).map_err(|_| Error::NotText)
}

fn explain(error: http::Error) -> Error {
    match error {
        http::Error::Url(problem) => Error::BadUrl(problem.to_string()),
        denied if denied.is_denied() => Error::Denied,
        other => Error::Failed(other.to_string()),
    }
}
