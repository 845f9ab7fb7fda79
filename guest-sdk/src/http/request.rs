//! A request, from its parts to the wire.

use std::io::Read;

use wasip2::http::outgoing_handler;
use wasip2::http::types as wasi;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, OutgoingBody, OutgoingRequest,
};

use super::{Error, HeaderProblem, Response, Scheme, Url};

/// How much of a body is handed over at once; `blocking-write-and-flush` takes no more.
const CHUNK: usize = 4096;

/// A request that is being put together.
///
/// ```no_run
/// # use writ_guest::http::{Error, Request};
/// let response = Request::new("POST", "https://api.example.com/notes")?
///     .header("content-type", "text/plain")
///     .send_body("a note".as_bytes())?;
/// # let _ = response;
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    url: Url,
    headers: Vec<(String, Vec<u8>)>,
}

impl Request {
    /// Begins a request with any method.
    pub fn new(method: &str, url: &str) -> Result<Self, Error> {
        Ok(Self { method: method.to_owned(), url: url.parse()?, headers: Vec::new() })
    }

    /// Begins a `GET`.
    pub fn get(url: &str) -> Result<Self, Error> {
        Self::new("GET", url)
    }

    /// Adds a header; one that is already there is kept beside it.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Sends the request without a body and waits for the head of the response.
    pub fn send(self) -> Result<Response, Error> {
        self.send_body(std::io::empty())
    }

    /// Sends the request with a body, piece by piece as it is read.
    ///
    /// When the other side answers before the body has ended, the rest is not sent and the answer
    /// counts: a refusal arrives that way.
    pub fn send_body(self, body: impl Read) -> Result<Response, Error> {
        let request = self.into_wasi()?;
        // A body can be taken once, and nobody has taken it yet.
        let outgoing = request.body().map_err(|()| ErrorCode::HttpProtocolError)?;
        let answer = outgoing_handler::handle(request, None)?;
        write_body(outgoing, body)?;
        wait(&answer)
    }

    fn into_wasi(self) -> Result<OutgoingRequest, Error> {
        let fields = Fields::new();
        for (name, value) in self.headers {
            fields.append(&name, &value).map_err(|error| header_error(name, &error))?;
        }
        let request = OutgoingRequest::new(fields);
        let scheme = match self.url.scheme {
            Scheme::Http => wasi::Scheme::Http,
            Scheme::Https => wasi::Scheme::Https,
        };
        request.set_method(&method(&self.method)).map_err(|()| Error::Method(self.method))?;
        request.set_scheme(Some(&scheme)).map_err(uri_invalid)?;
        request.set_authority(Some(&self.url.authority)).map_err(uri_invalid)?;
        request.set_path_with_query(Some(&self.url.path_and_query)).map_err(uri_invalid)?;
        Ok(request)
    }
}

/// The setters of `wasi:http` do not say what they dislike, only that they do.
fn uri_invalid((): ()) -> Error {
    Error::Code(ErrorCode::HttpRequestUriInvalid)
}

fn header_error(name: String, error: &wasi::HeaderError) -> Error {
    let problem = match error {
        wasi::HeaderError::InvalidSyntax => HeaderProblem::Syntax,
        wasi::HeaderError::Forbidden | wasi::HeaderError::Immutable => HeaderProblem::Forbidden,
    };
    Error::Header { name, problem }
}

fn method(name: &str) -> wasi::Method {
    match name {
        "GET" => wasi::Method::Get,
        "HEAD" => wasi::Method::Head,
        "POST" => wasi::Method::Post,
        "PUT" => wasi::Method::Put,
        "DELETE" => wasi::Method::Delete,
        "CONNECT" => wasi::Method::Connect,
        "OPTIONS" => wasi::Method::Options,
        "TRACE" => wasi::Method::Trace,
        "PATCH" => wasi::Method::Patch,
        other => wasi::Method::Other(other.to_owned()),
    }
}

fn write_body(outgoing: OutgoingBody, mut body: impl Read) -> Result<(), Error> {
    let stream = outgoing.write().map_err(|()| ErrorCode::HttpProtocolError)?;
    let mut chunk = [0; CHUNK];
    let complete = loop {
        let length = body.read(&mut chunk).map_err(Error::RequestBody)?;
        if length == 0 {
            break true;
        }
        if stream.blocking_write_and_flush(&chunk[..length]).is_err() {
            break false;
        }
    };
    // The stream is a child of the body and must go first.
    drop(stream);
    if complete {
        // An answer that came early closes the body; then the answer says more than this error.
        let _ = OutgoingBody::finish(outgoing, None);
    }
    Ok(())
}

fn wait(answer: &FutureIncomingResponse) -> Result<Response, Error> {
    loop {
        match answer.get() {
            Some(Ok(outcome)) => return Response::from_wasi(outcome?),
            // Taken already: it cannot be, since this function alone takes it.
            Some(Err(())) => return Err(Error::Code(ErrorCode::HttpProtocolError)),
            None => answer.subscribe().block(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    #[test]
    fn headers_with_the_same_name_are_all_kept() {
        let request =
            Request::get("http://h/").unwrap().header("accept", "a").header("accept", "b");
        assert_eq!(
            request.headers,
            [("accept".into(), b"a".to_vec()), ("accept".into(), b"b".to_vec())]
        );
    }

    #[test]
    fn a_bad_url_fails_before_anything_is_sent() {
        assert!(matches!(Request::get("file:///etc/passwd"), Err(Error::Url(_))));
    }

    #[test]
    fn a_method_is_case_sensitive_as_http_has_it() {
        assert!(matches!(method("GET"), wasi::Method::Get));
        assert!(matches!(method("get"), wasi::Method::Other(name) if name == "get"));
    }
}
