//! One request and what came of it.

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    Fields, FutureIncomingResponse, FutureTrailers, HeaderError, IncomingBody, IncomingResponse,
    Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme, http_error_code,
};
use wasip2::io::streams::{InputStream, StreamError};

use crate::code;
use crate::options::{Field, Options};

/// A millisecond, in the unit of WASI's clocks.
const MILLISECOND: u64 = 1_000_000;

/// Sends one request and prints what came back; an error is the word for what refused.
pub(crate) fn once(options: &Options) -> Result<(), String> {
    let request = request(options)?;
    let body = request.body().map_err(|()| "request body taken".to_owned())?;
    let timeouts = options.timeout_ms.map(timeouts).transpose()?;
    let answer = handle(request, timeouts).map_err(|error| code::name(&error))?;
    let sent = send_body(body, options);
    let response = wait(&answer)?;
    if let Err(problem) = sent {
        println!("note {problem}");
    }
    show_head(&response);
    if options.hold {
        answer.subscribe().block();
        wasip2::clocks::monotonic_clock::subscribe_duration(u64::MAX / 2).block();
    }
    read_body(&response, options)
}

fn request(options: &Options) -> Result<OutgoingRequest, String> {
    let request = OutgoingRequest::new(fields(&options.headers)?);
    let refused = |setter: &str| format!("{setter} refused");
    request.set_method(&method(&options.method)).map_err(|()| refused("set-method"))?;
    request.set_scheme(Some(&scheme(&options.scheme))).map_err(|()| refused("set-scheme"))?;
    let authority = options.authority.as_deref();
    request.set_authority(authority).map_err(|()| refused("set-authority"))?;
    let path = options.path.as_deref();
    request.set_path_with_query(path).map_err(|()| refused("set-path-with-query"))?;
    Ok(request)
}

fn fields(list: &[Field]) -> Result<Fields, String> {
    let fields = Fields::new();
    for (name, value) in list {
        fields.append(name, value).map_err(|error| {
            let word = match error {
                HeaderError::InvalidSyntax => "invalid-syntax",
                HeaderError::Forbidden => "forbidden",
                HeaderError::Immutable => "immutable",
            };
            format!("header {word}: {}", name.escape_debug())
        })?;
    }
    Ok(fields)
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

fn scheme(name: &str) -> Scheme {
    match name {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    }
}

fn timeouts(ms: u64) -> Result<RequestOptions, String> {
    let options = RequestOptions::new();
    let duration = Some(ms.saturating_mul(MILLISECOND));
    options
        .set_connect_timeout(duration)
        .and_then(|()| options.set_first_byte_timeout(duration))
        .and_then(|()| options.set_between_bytes_timeout(duration))
        .map_err(|()| "set-timeout refused".to_owned())?;
    Ok(options)
}

fn send_body(body: OutgoingBody, options: &Options) -> Result<(), String> {
    let stream = body.write().map_err(|()| "request stream taken".to_owned())?;
    let mut left = options.body_bytes.unwrap_or(0);
    while left > 0 {
        let length = left.min(4096);
        stream
            .blocking_write_and_flush(&vec![b'x'; length as usize])
            .map_err(|error| format!("body ended {left} bytes early: {}", explain(&error)))?;
        left -= length;
    }
    drop(stream);
    let trailers =
        if options.trailers.is_empty() { None } else { Some(fields(&options.trailers)?) };
    OutgoingBody::finish(body, trailers).map_err(|error| code::name(&error))
}

fn wait(answer: &FutureIncomingResponse) -> Result<IncomingResponse, String> {
    loop {
        match answer.get() {
            Some(Ok(outcome)) => return outcome.map_err(|error| code::name(&error)),
            Some(Err(())) => return Err("response taken".to_owned()),
            None => answer.subscribe().block(),
        }
    }
}

fn show_head(response: &IncomingResponse) {
    println!("status {}", response.status());
    show_fields("header", &response.headers());
}

fn show_fields(kind: &str, fields: &Fields) {
    for (name, value) in fields.entries() {
        println!("{kind} {name}: {}", String::from_utf8_lossy(&value).escape_debug());
    }
}

fn read_body(response: &IncomingResponse, options: &Options) -> Result<(), String> {
    let body = response.consume().map_err(|()| "response body taken".to_owned())?;
    let stream = body.stream().map_err(|()| "response stream taken".to_owned())?;
    let mut had = 0;
    while had < options.read_bytes {
        match stream.blocking_read((options.read_bytes - had).min(65536)) {
            Ok(chunk) => {
                had += chunk.len() as u64;
                if options.show {
                    println!("text {}", String::from_utf8_lossy(&chunk).escape_debug());
                }
            }
            Err(StreamError::Closed) => return finish(body, stream, had),
            Err(error) => return Err(format!("after {had} bytes: {}", explain(&error))),
        }
    }
    println!("body {had} bytes, the rest dropped");
    Ok(())
}

/// Ends a body that was read whole, and prints its trailers.
fn finish(body: IncomingBody, stream: InputStream, had: u64) -> Result<(), String> {
    println!("body {had} bytes");
    drop(stream);
    let trailers: FutureTrailers = IncomingBody::finish(body);
    loop {
        match trailers.get() {
            Some(Ok(Ok(found))) => {
                if let Some(fields) = found {
                    show_fields("trailer", &fields);
                }
                return Ok(());
            }
            Some(Ok(Err(error))) => return Err(code::name(&error)),
            Some(Err(())) => return Err("trailers taken".to_owned()),
            None => trailers.subscribe().block(),
        }
    }
}

fn explain(error: &StreamError) -> String {
    match error {
        StreamError::Closed => "closed".to_owned(),
        StreamError::LastOperationFailed(error) => {
            http_error_code(error).map_or_else(|| error.to_debug_string(), |code| code::name(&code))
        }
    }
}
