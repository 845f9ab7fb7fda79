//! The URI that a proof is for (`htu`), in one spelling.

use crate::ask::Scheme;
use crate::host::Authority;
use crate::token::LARGEST_TOKEN;
use std::fmt;

/// An HTTP URI without query and fragment, normalised (RFC 3986 §6.2.2, §6.2.3).
///
/// Scheme and host are lower case, the port is left out where the scheme implies it, escapes are
/// upper case and only where they are needed, dot segments are gone, and an empty path is `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target(String);

impl Target {
    /// Normalises a URI; query and fragment are dropped (RFC 9449 §4.3, point 9).
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > LARGEST_TOKEN {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            _ => return None,
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let path = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];
        let authority = Authority::parse(authority, scheme.default_port()).ok()?;
        let path = without_dot_segments(&plain_escapes(path)?);
        Some(Self(format!("{scheme}://{}{path}", authority.for_scheme(scheme))))
    }

    /// Returns the normalised text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Decodes escapes of unreserved characters and writes the others in upper case.
fn plain_escapes(path: &str) -> Option<String> {
    let mut out = String::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let digit = |b: Option<u8>| char::from(b?).to_digit(16);
                let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
                let decoded = u8::try_from(high * 16 + low).ok()?;
                if is_unreserved(decoded) {
                    out.push(char::from(decoded));
                } else {
                    out.push_str(&format!("%{decoded:02X}"));
                }
            }
            b'/' => out.push('/'),
            _ if is_unreserved(byte) || b"!$&'()*+,;=:@".contains(&byte) => {
                out.push(char::from(byte));
            }
            _ => return None,
        }
    }
    Some(out)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Removes dot segments from an absolute or empty path (RFC 3986 §5.2.4).
fn without_dot_segments(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    for (index, segment) in segments.iter().enumerate() {
        let is_last = index + 1 == segments.len();
        match *segment {
            "." | ".." => {
                if *segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_spelling_of_a_uri_has_one_normal_form() {
        for (text, normal) in [
            ("https://api.example", "https://api.example/"),
            ("HTTPS://API.Example:443/", "https://api.example/"),
            ("https://api.example/?q=1#f", "https://api.example/"),
            ("https://api.example?q=/a", "https://api.example/"),
            ("https://api.example#/a", "https://api.example/"),
            ("http://api.example:80/a", "http://api.example/a"),
            ("https://api.example:8443/a", "https://api.example:8443/a"),
            ("https://api.example/%7euser/%41", "https://api.example/~user/A"),
            ("https://api.example/a%2fb", "https://api.example/a%2Fb"),
            ("https://api.example/a/./b/../c", "https://api.example/a/c"),
            ("https://api.example/a/%2e%2E/c", "https://api.example/c"),
            ("https://api.example/..", "https://api.example/"),
            ("https://api.example/a/..", "https://api.example/"),
            ("https://api.example/a/.", "https://api.example/a/"),
            ("https://api.example/a//b", "https://api.example/a//b"),
            ("https://[::1]:8443/a", "https://[::1]:8443/a"),
        ] {
            assert_eq!(Target::parse(text).unwrap().as_str(), normal, "{text}");
        }
    }

    #[test]
    fn what_tells_requests_apart_is_kept() {
        let target = |text| Target::parse(text).unwrap();
        for other in [
            "http://a.example/x",
            "https://b.example/x",
            "https://a.example:444/x",
            "https://a.example/X",
            "https://a.example/x/",
            "https://a.example//x",
        ] {
            assert_ne!(target("https://a.example/x"), target(other), "{other}");
        }
    }

    #[test]
    fn what_is_no_http_uri_is_refused() {
        for text in [
            "",
            "/a",
            "a.example/a",
            "//a.example/a",
            "ftp://a.example/",
            "https:a.example",
            "https://",
            "https:///a",
            "https://user@a.example/",
            "https://a.example:0/",
            "https://a.example:99999/",
            "https://a.example/ a",
            "https://a.example/\r\n",
            "https://a.example/%",
            "https://a.example/%g0",
            "https://a.example/%+1",
            "https://a.example/é",
            "https://a.example\\b/",
            " https://a.example/",
        ] {
            assert_eq!(Target::parse(text), None, "{text:?}");
        }
        assert_eq!(Target::parse(&format!("https://a.example/{}", "a".repeat(9000))), None);
    }

    proptest! {
        #[test]
        fn a_normal_form_is_its_own_normal_form(text in "https?://[a-z]{1,3}(:[0-9]{1,4})?(/|[a-z.]|%2[eEfF5]|%41|\\?|#){0,12}") {
            if let Some(target) = Target::parse(&text) {
                prop_assert_eq!(Target::parse(target.as_str()).unwrap(), target);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let _ = Target::parse(&text);
            let _ = Target::parse(&format!("https://a.example/{text}"));
        }
    }
}
