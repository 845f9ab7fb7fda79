//! A response, and its body as it comes in.

use std::io::{self, Read};

use wasip2::http::types::{ErrorCode, IncomingBody, IncomingResponse, http_error_code};
use wasip2::io::streams::{InputStream, StreamError};

use super::Error;

/// The head of a response, with the body still to be read.
#[derive(Debug)]
pub struct Response {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Body,
}

/// The body of a response, read as it comes in.
#[derive(Debug)]
pub struct Body {
    // The stream is a child of the body: fields are dropped in this order.
    stream: InputStream,
    _body: IncomingBody,
}

impl Response {
    pub(crate) fn from_wasi(response: IncomingResponse) -> Result<Self, Error> {
        let headers = response.headers().entries();
        let status = response.status();
        // Both can be taken once, and nobody has taken them yet.
        let body = response.consume().map_err(|()| ErrorCode::HttpProtocolError)?;
        let stream = body.stream().map_err(|()| ErrorCode::HttpProtocolError)?;
        Ok(Self { status, headers, body: Body { stream, _body: body } })
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// All headers, in the order in which they came.
    pub fn headers(&self) -> &[(String, Vec<u8>)] {
        &self.headers
    }

    /// The first header of this name, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(have, _)| have.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    /// The body, to be read piece by piece.
    pub fn body(&mut self) -> &mut Body {
        &mut self.body
    }

    /// Reads the body to its end.
    pub fn into_bytes(mut self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.body.chunk(u64::from(u16::MAX))? {
            bytes.extend(chunk);
        }
        Ok(bytes)
    }

    /// Reads the body to its end as UTF-8.
    pub fn into_text(self) -> Result<String, Error> {
        String::from_utf8(self.into_bytes()?).map_err(|_| Error::NotText)
    }
}

impl Body {
    /// Waits for the next piece, of at most `limit` bytes; `None` at the end.
    fn chunk(&mut self, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        match self.stream.blocking_read(limit) {
            Ok(chunk) => Ok(Some(chunk)),
            Err(StreamError::Closed) => Ok(None),
            Err(StreamError::LastOperationFailed(error)) => {
                let text = || ErrorCode::InternalError(Some(error.to_debug_string()));
                Err(Error::Code(http_error_code(&error).unwrap_or_else(text)))
            }
        }
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        // A blocking read brings at least one byte or the end; an empty chunk would mean neither.
        loop {
            match self.chunk(buffer.len() as u64).map_err(io::Error::other)? {
                None => return Ok(0),
                Some(chunk) if chunk.is_empty() => {}
                Some(chunk) => {
                    buffer[..chunk.len()].copy_from_slice(&chunk);
                    return Ok(chunk.len());
                }
            }
        }
    }
}
