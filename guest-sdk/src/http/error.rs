//! Why a request brought no response.

use std::{fmt, io};

use wasip2::http::types::ErrorCode;

use super::UrlError;

/// Why a request brought no response, or only a part of one.
#[derive(Debug)]
pub enum Error {
    /// The URL cannot be requested.
    Url(UrlError),
    /// The method is not a token that HTTP knows.
    Method(String),
    /// A header was not accepted.
    Header {
        /// The name of the header.
        name: String,
        /// What is wrong with it.
        problem: HeaderProblem,
    },
    /// The request went no further; the code says where it ended, in the words of `wasi:http`.
    Code(ErrorCode),
    /// The request's own body could not be read.
    RequestBody(io::Error),
    /// The body of the response is not UTF-8, though text was asked for.
    NotText,
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HeaderProblem {
    /// The name or the value has characters that a header cannot have.
    Syntax,
    /// A tool may not set this header: the host does.
    Forbidden,
}

impl Error {
    /// Says whether the grant is the reason: the request was refused, not lost.
    pub fn is_denied(&self) -> bool {
        matches!(
            self,
            Self::Code(ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited)
                | Self::Header { problem: HeaderProblem::Forbidden, .. }
        )
    }

    /// The code that `wasi:http` gave, if the request came that far.
    pub fn code(&self) -> Option<&ErrorCode> {
        match self {
            Self::Code(code) => Some(code),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(problem) => problem.fmt(out),
            Self::Method(method) => write!(out, "{method:?} is no HTTP method"),
            Self::Header { name, problem } => write!(out, "header {name:?} {problem}"),
            Self::Code(_) if self.is_denied() => {
                out.write_str("the grant of this tool does not allow the request")
            }
            Self::Code(ErrorCode::InternalError(Some(text))) => out.write_str(text),
            Self::Code(code) => write!(out, "the request failed: {code:?}"),
            Self::RequestBody(error) => write!(out, "the request's body ended early: {error}"),
            Self::NotText => out.write_str("the response is not UTF-8 text"),
        }
    }
}

impl fmt::Display for HeaderProblem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Syntax => "has characters that a header cannot have",
            Self::Forbidden => "may not be set by a tool",
        })
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Url(problem) => Some(problem),
            Self::Code(code) => Some(code),
            Self::RequestBody(error) => Some(error),
            _ => None,
        }
    }
}

impl From<UrlError> for Error {
    fn from(problem: UrlError) -> Self {
        Self::Url(problem)
    }
}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Self {
        Self::Code(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_by_the_grant_is_told_from_a_failure() {
        assert!(Error::Code(ErrorCode::HttpRequestDenied).is_denied());
        assert!(Error::Code(ErrorCode::DestinationIpProhibited).is_denied());
        assert!(!Error::Code(ErrorCode::ConnectionRefused).is_denied());
        assert!(!Error::NotText.is_denied());
    }

    #[test]
    fn a_header_that_the_host_keeps_for_itself_is_a_refusal() {
        let header = |problem| Error::Header { name: "host".into(), problem };
        assert!(header(HeaderProblem::Forbidden).is_denied());
        assert!(!header(HeaderProblem::Syntax).is_denied());
    }

    #[test]
    fn the_code_of_wasi_stays_at_hand() {
        let error = Error::from(ErrorCode::ConnectionTimeout);
        assert!(matches!(error.code(), Some(ErrorCode::ConnectionTimeout)));
    }

    #[test]
    fn a_message_shows_control_characters_escaped() {
        let text = Error::Method("GET\r\nhost: x".into()).to_string();
        assert_eq!(text, r#""GET\r\nhost: x" is no HTTP method"#);
    }
}
