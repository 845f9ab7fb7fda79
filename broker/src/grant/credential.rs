//! What a grant says of credentials: which may be used, for what, and where the host puts them.
//!
//! A grant names a credential and never holds one. Where it comes from is the operator's business.

use std::fmt;
use std::time::Duration;

/// How long a credential lasts when the grant does not say: the window in which a stolen token is
/// of use, and a few times what a request takes.
pub const DEFAULT_TTL: Duration = Duration::from_secs(60);

/// The longest life of a token of our own. A verifier that is not told of a kill honours a token
/// for this long at most; raising it makes every receipt of a kill weaker.
pub const LONGEST_JWT_TTL: Duration = Duration::from_secs(300);

/// The longest life of a credential that another system issues. It is revoked when the task ends;
/// this bounds what is left if that system cannot be reached.
pub const LONGEST_TTL: Duration = Duration::from_secs(3600);

/// The name by which a grant, its rules and the operator's configuration mean one credential.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialName(String);

/// A text is no name of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a credential's name is lower-case letters, digits, \"-\" and \"_\", and starts with a letter"
)]
pub struct CredentialNameError;

impl CredentialName {
    /// Parses a name: at most 64 characters, of which none needs a quote anywhere.
    pub fn parse(text: &str) -> Result<Self, CredentialNameError> {
        let rest = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        if first && text.len() <= 64 && text.bytes().all(rest) {
            return Ok(Self(text.to_owned()));
        }
        Err(CredentialNameError)
    }

    /// Returns the name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CredentialName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who issues a credential, and how it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// A token of our own for one task and one audience (RFC 9068).
    Jwt,
    /// A static secret of the operator. It outlives the task, so the guest never gets it.
    Secret,
    /// A database role that is made for the task.
    Postgres,
    /// An access token of an authorization server (RFC 6749 §4.4, RFC 8693).
    Oauth,
    /// An installation token of a GitHub App.
    GithubApp,
}

impl CredentialKind {
    /// Every kind, in the order in which messages list them.
    pub const ALL: [Self; 5] =
        [Self::Jwt, Self::Secret, Self::Postgres, Self::Oauth, Self::GithubApp];

    /// Returns the word that a grant file uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::Secret => "secret",
            Self::Postgres => "postgres",
            Self::Oauth => "oauth",
            Self::GithubApp => "github-app",
        }
    }

    /// Reports whether the host puts the credential into HTTP requests. Any other kind is of use
    /// only to a guest that holds it itself.
    pub fn is_injected(self) -> bool {
        !matches!(self, Self::Postgres)
    }

    /// Returns how long a credential of the kind may last; none if time does not end it.
    pub fn longest_ttl(self) -> Option<Duration> {
        match self {
            Self::Jwt => Some(LONGEST_JWT_TTL),
            Self::Secret => None,
            Self::Postgres | Self::Oauth | Self::GithubApp => Some(LONGEST_TTL),
        }
    }
}

/// What a credential is good for, at most. What is absent here the operator's configuration decides.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Scope {
    /// For whom it is: the one value of `aud` (RFC 7519 §4.1.3).
    pub audience: Option<String>,
    /// What may be done with it: the words of a scope (RFC 6749 §3.3).
    pub actions: Vec<String>,
    /// What it may be done to, in the words of the issuer: a repository, a schema.
    pub resource: Option<String>,
}

/// Where in a request the host puts a credential.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Placement {
    /// `Authorization: Bearer …` (RFC 6750 §2.1).
    #[default]
    Bearer,
    /// `Authorization: DPoP …` with a proof beside it (RFC 9449 §7.1).
    Dpop,
    /// A field of this name, in lower case; its value is the credential and nothing else.
    Header(String),
    /// A query parameter of this name. Servers write queries into their logs, so a field is better.
    Query(String),
    /// `Authorization: Basic …` of this user, with the credential as the password (RFC 7617).
    Basic(String),
}

/// Why a text is no placement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// None of the known forms.
    #[error("a place is \"bearer\", \"dpop\", \"header:NAME\", \"query:NAME\" or \"basic:USER\"")]
    Unknown,
    /// A text that is no name of a field (RFC 9110 §5.1).
    #[error("this is no name of a header field")]
    HeaderName,
    /// A field that says something about the message or the connection.
    #[error("this header field is the gate's own: it says how the message travels")]
    ManagedHeader,
    /// A name that would have to be escaped, so that servers could read it in two ways.
    #[error("the name of a query parameter is letters, digits, \"-\", \".\", \"_\" and \"~\"")]
    QueryName,
    /// A user that the form of RFC 7617 cannot carry.
    #[error("a user is not empty and has no \":\" and no control characters")]
    User,
}

/// Fields that the gate itself writes or refuses; beside them whatever starts with `proxy-` or `writ-`.
const MANAGED_HEADERS: [&str; 22] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "dpop",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-host",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-host",
    "x-original-url",
    "x-rewrite-url",
];

impl Placement {
    /// Parses the word of a grant file.
    pub fn parse(text: &str) -> Result<Self, PlacementError> {
        match text.split_once(':') {
            None if text == "bearer" => Ok(Self::Bearer),
            None if text == "dpop" => Ok(Self::Dpop),
            Some(("header", name)) => header_name(name).map(Self::Header),
            Some(("query", name)) => query_name(name).map(Self::Query),
            Some(("basic", user)) => basic_user(user).map(Self::Basic),
            _ => Err(PlacementError::Unknown),
        }
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bearer => f.write_str("bearer"),
            Self::Dpop => f.write_str("dpop"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Basic(user) => write!(f, "basic:{user}"),
        }
    }
}

fn header_name(name: &str) -> Result<String, PlacementError> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(token) {
        return Err(PlacementError::HeaderName);
    }
    let name = name.to_ascii_lowercase();
    let own = MANAGED_HEADERS.contains(&name.as_str())
        || name.starts_with("proxy-")
        || name.starts_with("writ-");
    if own { Err(PlacementError::ManagedHeader) } else { Ok(name) }
}

fn query_name(name: &str) -> Result<String, PlacementError> {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(unreserved) {
        return Err(PlacementError::QueryName);
    }
    Ok(name.to_owned())
}

fn basic_user(user: &str) -> Result<String, PlacementError> {
    let fits = |c: char| c != ':' && !crate::text::is_treacherous(c);
    if user.is_empty() || user.len() > 256 || !user.chars().all(fits) {
        return Err(PlacementError::User);
    }
    Ok(user.to_owned())
}

/// One credential that a task may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialGrant {
    /// What rules and the operator call it.
    pub name: CredentialName,
    /// Who issues it.
    pub kind: CredentialKind,
    /// What it is good for.
    pub scope: Scope,
    /// How long one of it lasts; a static secret has no such end.
    pub ttl: Duration,
    /// Where it goes in a request; of no meaning for a kind that is not injected.
    pub place: Placement,
    /// Whether the guest itself gets it. Nothing that the host can inject may be exposed.
    pub expose: bool,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_needs_no_quotes_anywhere() {
        for good in ["github", "a", "db-2_x"] {
            assert_eq!(CredentialName::parse(good).unwrap().as_str(), good);
        }
        let long = "a".repeat(65);
        for bad in ["", "A", "1a", "-a", "a b", "a.b", "ä", "a\n", "a/..", &long] {
            assert_eq!(CredentialName::parse(bad), Err(CredentialNameError), "{bad:?}");
        }
    }

    #[test]
    fn a_place_is_read_back_as_it_is_shown() {
        for text in ["bearer", "dpop", "header:x-api-key", "query:key", "basic:x-access-token"] {
            assert_eq!(Placement::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            Placement::parse("header:X-Api-Key"),
            Ok(Placement::Header("x-api-key".to_owned()))
        );
    }

    #[test]
    fn a_place_that_could_change_the_request_is_refused() {
        for (text, error) in [
            ("", PlacementError::Unknown),
            ("Bearer", PlacementError::Unknown),
            ("bearer:x", PlacementError::Unknown),
            ("cookie:x", PlacementError::Unknown),
            ("header:", PlacementError::HeaderName),
            ("header:x y", PlacementError::HeaderName),
            ("header:x\r\ny", PlacementError::HeaderName),
            ("header:x: y", PlacementError::HeaderName),
            ("header::path", PlacementError::HeaderName),
            ("header:Host", PlacementError::ManagedHeader),
            ("header:transfer-encoding", PlacementError::ManagedHeader),
            ("header:Proxy-Authorization", PlacementError::ManagedHeader),
            ("header:writ-gate-error", PlacementError::ManagedHeader),
            ("header:DPoP", PlacementError::ManagedHeader),
            ("header:X-HTTP-Method-Override", PlacementError::ManagedHeader),
            ("query:", PlacementError::QueryName),
            ("query:a&b", PlacementError::QueryName),
            ("query:a%20", PlacementError::QueryName),
            ("basic:", PlacementError::User),
            ("basic:a:b", PlacementError::User),
            ("basic:a\n", PlacementError::User),
        ] {
            assert_eq!(Placement::parse(text), Err(error), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_a_place_is_the_same_place_again(text in "(header|query|basic):\\PC{1,9}") {
            if let Ok(place) = Placement::parse(&text) {
                prop_assert_eq!(Placement::parse(&place.to_string()), Ok(place));
            }
        }
    }
}
