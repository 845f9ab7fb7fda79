//! Request paths: what is sent, and the reading of it that rules are matched against.

/// A request target's path and query, kept as sent, with one unambiguous reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPath {
    sent: String,
}

/// Why a path has no unambiguous reading.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// Not starting with `/`, or with a control character, space, backslash or fragment in it.
    #[error("the path has a character that is not allowed in a request target")]
    Character,
    /// A dot segment, an empty segment or an encoded `/`, `\`, `.` or `%`, which servers read differently.
    #[error(
        "servers read this path differently: it has dot segments, empty segments or encoded separators"
    )]
    Ambiguous,
}

impl RequestPath {
    /// Parses path-and-query as a client would send it (RFC 9112 §3.2.1).
    pub fn parse(_text: &str) -> Result<Self, PathError> {
        unimplemented!()
    }

    /// Returns the exact bytes that go out, query included.
    pub fn as_sent(&self) -> &str {
        &self.sent
    }
}
