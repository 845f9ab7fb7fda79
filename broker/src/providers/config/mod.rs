//! `credentials.toml`: which credentials the operator has, where each comes from, how far each may go.
//!
//! It stands outside every grant and every repository. It holds no secret, only where secrets are,
//! and each entry is an upper bound that no grant can exceed.

mod places;
mod read;
mod secrets;
#[cfg(test)]
mod tests;
mod upstream;

use super::files::{self, Privacy};
use super::http::Endpoint;
use super::lease::Kind;
use super::source::Source;
use crate::ask::{HttpAsk, Scheme};
use crate::codes::{self, Code};
use crate::diagnostic::Report;
use crate::grant::{GrantFile, LARGEST_FILE};
use crate::pattern::{HostPattern, PathPattern};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One credential of the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The name that grants use.
    pub name: String,
    /// The requests it may be injected into; none for a database.
    pub allow: Vec<Places>,
    /// Whether a grant may hand it to the guest.
    pub expose: bool,
    /// Where it comes from.
    pub upstream: Upstream,
}

/// Requests that a credential may be injected into; always over TLS. All parts must fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The host.
    pub host: HostPattern,
    /// The port.
    pub port: u16,
    /// The methods.
    pub methods: Vec<String>,
    /// The paths.
    pub paths: Vec<PathPattern>,
}

/// Where a credential comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    /// A static secret.
    Secret(Source),
    /// A role of a database.
    Postgres(PostgresConfig),
    /// A token of an authorization server.
    Oauth(Box<OauthConfig>),
    /// A token of a GitHub App's installation.
    GithubApp(Box<GithubAppConfig>),
}

/// A PostgreSQL database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresConfig {
    /// The connection string of the admin role.
    pub admin: Source,
    /// The role whose member each lease's role is.
    pub role: String,
    /// How many sessions a lease's role may have at a time.
    pub connections: u16,
    /// A file of certificate authorities beside Mozilla's.
    pub ca: Option<PathBuf>,
}

/// A client of an OAuth 2.0 authorization server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthConfig {
    /// Where tokens come from.
    pub token_endpoint: Endpoint,
    /// Where they are revoked (RFC 7009); without it they only lapse.
    pub revocation_endpoint: Option<Endpoint>,
    /// The client.
    pub client_id: String,
    /// How it shows that it is the client.
    pub auth: ClientAuth,
    /// Whether the task's own token is exchanged (RFC 8693), instead of client credentials.
    pub exchange: bool,
    /// The words of scope that may be asked for.
    pub scope: Vec<String>,
    /// Whom the tokens are for, where the server wants to be told.
    pub audience: Option<String>,
    /// How long a token may live; one that would live longer is revoked and refused.
    pub longest_life: Duration,
    /// A file of certificate authorities beside Mozilla's.
    pub ca: Option<PathBuf>,
}

/// How a client authenticates (RFC 6749 §2.3, RFC 7523).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAuth {
    /// `client_secret_basic`
    Basic(Source),
    /// `client_secret_post`
    Post(Source),
    /// `private_key_jwt`
    PrivateKey {
        /// The key, as PEM.
        key: Source,
        /// What the server calls it.
        key_id: Option<String>,
    },
}

/// An installation of a GitHub App.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GithubAppConfig {
    /// The App's id or client id.
    pub app_id: String,
    /// The installation.
    pub installation_id: u64,
    /// The App's key, as PEM.
    pub private_key: Source,
    /// The base of the API; GitHub Enterprise has its own.
    pub api: Endpoint,
    /// The names of the repositories that tokens may be good for, without their owner.
    pub repositories: Vec<String>,
    /// The permissions that tokens may have, each with its highest level.
    pub permissions: BTreeMap<String, String>,
    /// A file of certificate authorities beside Mozilla's.
    pub ca: Option<PathBuf>,
}

impl Credential {
    /// Returns the kind.
    pub fn kind(&self) -> Kind {
        match self.upstream {
            Upstream::Secret(_) => Kind::Secret,
            Upstream::Postgres(_) => Kind::Postgres,
            Upstream::Oauth(_) => Kind::Oauth,
            Upstream::GithubApp(_) => Kind::GithubApp,
        }
    }

    /// Reports whether the operator lets the credential go into a request.
    ///
    /// It is asked of each request, after the grant allowed it, so no rule of a grant can be wider.
    pub fn covers(&self, ask: &HttpAsk) -> bool {
        self.allow.iter().any(|places| places.cover(ask))
    }
}

impl Places {
    fn cover(&self, ask: &HttpAsk) -> bool {
        ask.scheme == Scheme::Https
            && self.host.matches(&ask.authority.host)
            && self.port == ask.authority.port
            && self.methods.contains(&ask.method)
            && self.paths.iter().any(|pattern| pattern.matches(&ask.path))
    }
}

/// Every credential of one file, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Credentials(Vec<Credential>);

impl Credentials {
    /// Returns one by its name.
    pub fn get(&self, name: &str) -> Option<&Credential> {
        self.0.iter().find(|credential| credential.name == name)
    }
}

impl IntoIterator for Credentials {
    type Item = Credential;
    type IntoIter = std::vec::IntoIter<Credential>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// The outcome of parsing.
#[derive(Debug, Clone)]
pub struct ParsedCredentials {
    /// The credentials; none if there is any error.
    pub credentials: Option<Credentials>,
    /// The messages.
    pub report: Report,
}

/// Why the file was not even read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct UnreadableFile {
    /// The file.
    pub path: PathBuf,
    /// Why, with a way out.
    pub reason: String,
}

impl UnreadableFile {
    /// Returns the code of the message.
    pub fn code(&self) -> Code {
        codes::CREDENTIALS_FILE
    }
}

/// The file as it was read.
#[derive(Debug, Clone)]
pub struct CredentialsFile(GrantFile);

impl CredentialsFile {
    /// Reads the file; refused if anybody else could have changed it.
    pub fn read(path: &Path) -> Result<Self, UnreadableFile> {
        let refuse = |reason: String| UnreadableFile { path: path.to_owned(), reason };
        let absolute = std::path::absolute(path).map_err(|error| refuse(error.to_string()))?;
        let dir = absolute.parent().map(Path::to_owned).unwrap_or_default();
        let bytes = files::read(path, Privacy::Trusted, LARGEST_FILE as u64).map_err(|error| {
            refuse(match error {
                files::FileError::Mode => "others can change it; `chmod go-w` it".to_owned(),
                other => other.to_string(),
            })
        })?;
        let name = path.to_string_lossy().into_owned();
        // A link was refused, so what messages show is what the operator named.
        Ok(Self(GrantFile { name, dir, bytes: bytes.to_vec(), linked: false }))
    }

    /// Parses the file. Nothing that it names is opened.
    pub fn parse(&self) -> ParsedCredentials {
        read::parse(&self.0)
    }
}
