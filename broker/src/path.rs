//! Request paths: what is sent, and the reading of it that rules are matched against.

/// A request target's path and query, kept as sent, with one unambiguous reading.
///
/// Nothing is rewritten: a path that servers could read in two ways is refused instead. That holds
/// for needless escapes such as `%41` for `A` too. RFC 3986 §6.2.2.2 calls the two equivalent, but
/// a server that compares bytes does not, and a client that follows the RFC never sends one; so one
/// text has one reading, and two allowed texts never differ only in spelling (but for the case of
/// hexadecimal digits, which rules ignore).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPath {
    sent: String,
    path_len: usize,
}

/// Why a path has no unambiguous reading.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// Not starting with `/`, or with a control character, space, backslash or fragment in it.
    #[error("the path has a character that is not allowed in a request target")]
    Character,
    /// A dot segment, an empty segment or a needless or dangerous escape, which servers read
    /// differently.
    #[error(
        "servers read this path differently: it has dot segments, empty segments or encoded separators"
    )]
    Ambiguous,
}

impl RequestPath {
    /// Parses path-and-query as a client would send it (RFC 9112 §3.2.1).
    ///
    /// The query is kept and sent, but no rule speaks of it; it only has to be printable ASCII with
    /// whole percent triplets, so that it cannot end the request line.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let path_len = text.find('?').unwrap_or(text.len());
        let (path, query) = text.split_at(path_len);
        check_path(path)?;
        check_query(query)?;
        Ok(Self { sent: text.to_owned(), path_len })
    }

    /// Returns the exact bytes that go out, query included.
    pub fn as_sent(&self) -> &str {
        &self.sent
    }

    /// Returns the path as sent, without the query.
    pub fn path(&self) -> &str {
        &self.sent[..self.path_len]
    }

    /// Returns the segments between slashes; a trailing slash gives a last, empty one.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.path()[1..].split('/')
    }
}

/// Checks a path without query: it has exactly one reading.
pub(crate) fn check_path(path: &str) -> Result<(), PathError> {
    let Some(rest) = path.strip_prefix('/') else { return Err(PathError::Character) };
    if !path.bytes().all(|b| b == b'/' || b == b'%' || is_segment_byte(b)) {
        return Err(PathError::Character);
    }
    let segments = rest.split('/').count();
    for (index, segment) in rest.split('/').enumerate() {
        if segment.is_empty() && index + 1 < segments {
            return Err(PathError::Ambiguous);
        }
        check_segment(segment)?;
    }
    Ok(())
}

/// RFC 3986 `pchar` without escapes.
fn is_segment_byte(b: u8) -> bool {
    is_unreserved(b) || b"!$&'()*+,;=:@".contains(&b)
}

fn is_unreserved(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._~".contains(&b)
}

fn check_segment(segment: &str) -> Result<(), PathError> {
    let decoded = decode(segment)?;
    // Some servers cut path parameters off before they resolve dots: `/a/..;x/b` is then `/b`.
    let without_parameters = decoded.split(';').next().unwrap_or_default();
    let vanishes = without_parameters.is_empty() && !segment.is_empty();
    // Others drop spaces, and dots beside them, from the end of a name: `/a/..%20/b` is then `/b`.
    let without_spaces = without_parameters.trim_end_matches([' ', '.']);
    let trimmed = without_spaces.is_empty() && without_parameters.contains(' ');
    if vanishes || trimmed || matches!(without_parameters, "." | "..") {
        return Err(PathError::Ambiguous);
    }
    Ok(())
}

/// Decodes escapes and refuses those that change the structure of the path on some servers.
fn decode(segment: &str) -> Result<String, PathError> {
    let mut bytes = segment.bytes();
    let mut decoded = Vec::with_capacity(segment.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let escaped = triplet(bytes.next(), bytes.next()).ok_or(PathError::Ambiguous)?;
        if is_unreserved(escaped) || escaped.is_ascii_control() || b"/\\%".contains(&escaped) {
            return Err(PathError::Ambiguous);
        }
        decoded.push(escaped);
    }
    // Overlong UTF-8 (`%C0%AE` for a dot) still decodes on old servers; C1 controls are controls.
    let decoded = String::from_utf8(decoded).map_err(|_| PathError::Ambiguous)?;
    if decoded.chars().any(char::is_control) { Err(PathError::Ambiguous) } else { Ok(decoded) }
}

fn triplet(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    Some(digit(high?)? * 16 + digit(low?)?)
}

fn check_query(query: &str) -> Result<(), PathError> {
    if !query.bytes().all(|b| b.is_ascii_graphic() && b != b'#') {
        return Err(PathError::Character);
    }
    let mut bytes = query.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' && triplet(bytes.next(), bytes.next()).is_none() {
            return Err(PathError::Ambiguous);
        }
    }
    Ok(())
}

/// Reports whether two segments are the same but for the case of hexadecimal digits in escapes.
pub(crate) fn same_segment(a: &str, b: &str) -> bool {
    a.len() == b.len() && upper_escapes(a).eq(upper_escapes(b))
}

fn upper_escapes(segment: &str) -> impl Iterator<Item = u8> {
    let mut digits_left = 0u8;
    segment.bytes().map(move |b| {
        if b == b'%' {
            digits_left = 2;
            return b;
        }
        let in_escape = digits_left > 0;
        digits_left = digits_left.saturating_sub(1);
        if in_escape { b.to_ascii_uppercase() } else { b }
    })
}

#[cfg(test)]
#[path = "path_tests.rs"]
mod tests;
