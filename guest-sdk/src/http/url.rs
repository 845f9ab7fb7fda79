//! From the text of a URL to the three parts that a request is made of.

use std::fmt;
use std::str::FromStr;

/// How a request travels.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

/// An absolute `http` or `https` URL, split where a request needs it.
///
/// Host and path are kept as they were written: the host of the sandbox canonicalises them before it
/// decides, and a second opinion here could only disagree with it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Url {
    pub(crate) scheme: Scheme,
    pub(crate) authority: String,
    pub(crate) path_and_query: String,
}

/// Why a text is no URL that can be requested.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UrlError {
    /// It begins with neither `http://` nor `https://`.
    Scheme,
    /// It names no host.
    NoHost,
    /// It carries a user name or password; credentials are injected by the host.
    Credentials,
    /// It contains a space or a control character.
    Character,
}

impl Url {
    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host, with the port if one was written.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path with the query; at least `/`.
    pub fn path_and_query(&self) -> &str {
        &self.path_and_query
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(UrlError::Character);
        }
        let (scheme, rest) = split_scheme(text)?;
        let rest = rest.split_once('#').map_or(rest, |(before, _fragment)| before);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(UrlError::Credentials);
        }
        if authority.is_empty() || authority.starts_with(':') {
            return Err(UrlError::NoHost);
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self {
            scheme,
            authority: authority.to_owned(),
            path_and_query: format!("{slash}{path}"),
        })
    }
}

fn split_scheme(text: &str) -> Result<(Scheme, &str), UrlError> {
    let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
    if scheme.eq_ignore_ascii_case("https") {
        Ok((Scheme::Https, rest))
    } else if scheme.eq_ignore_ascii_case("http") {
        Ok((Scheme::Http, rest))
    } else {
        Err(UrlError::Scheme)
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Scheme => "a URL begins with http:// or https://",
            Self::NoHost => "the URL names no host",
            Self::Credentials => "a URL may not carry a user name or password",
            Self::Character => "a URL may not contain spaces or control characters",
        })
    }
}

impl std::error::Error for UrlError {}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    fn parts(text: &str) -> (Scheme, String, String) {
        let url: Url = text.parse().unwrap();
        (url.scheme, url.authority, url.path_and_query)
    }

    #[test]
    fn a_url_is_split_into_scheme_authority_and_path() {
        let expected = (Scheme::Https, "api.example.com:8443".into(), "/a/b?c=d".into());
        assert_eq!(parts("https://api.example.com:8443/a/b?c=d"), expected);
    }

    #[test]
    fn a_missing_path_is_the_root() {
        assert_eq!(parts("http://h").2, "/");
        assert_eq!(parts("http://h?q=1").2, "/?q=1");
    }

    #[test]
    fn a_fragment_stays_at_home() {
        assert_eq!(parts("http://h/p#top").2, "/p");
        assert_eq!(parts("http://h#top").1, "h");
    }

    #[test]
    fn the_scheme_is_read_in_any_case() {
        assert_eq!(parts("HTTPS://h/").0, Scheme::Https);
    }

    #[test]
    fn the_path_is_kept_as_it_was_written() {
        assert_eq!(parts("http://h/a/%2e%2e//b").2, "/a/%2e%2e//b");
    }

    #[test]
    fn an_address_in_brackets_is_an_authority() {
        assert_eq!(parts("http://[::1]:80/x").1, "[::1]:80");
    }

    #[test]
    fn what_is_no_url_is_refused_with_its_reason() {
        let refused = |text: &str| text.parse::<Url>().unwrap_err();
        assert_eq!(refused("ftp://h/"), UrlError::Scheme);
        assert_eq!(refused("h/path"), UrlError::Scheme);
        assert_eq!(refused("http:///path"), UrlError::NoHost);
        assert_eq!(refused("http://:80/"), UrlError::NoHost);
        assert_eq!(refused("http://user:word@h/"), UrlError::Credentials);
        assert_eq!(refused("http://h/\r\nhost: other"), UrlError::Character);
        assert_eq!(refused("http://h/a b"), UrlError::Character);
    }

    #[test]
    fn an_at_sign_in_the_path_is_no_credential() {
        assert_eq!(parts("http://h/@user").2, "/@user");
    }
}
