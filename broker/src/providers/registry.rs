//! From the operator's file to providers, each made when it is first used.

use super::config::{Credential, Credentials, Upstream};
use super::error::ProviderError;
use super::github_app::GithubApp;
use super::oauth::OauthClient;
use super::postgres::Postgres;
use super::secret::StaticSecret;
use super::{Handle, Provider};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::sync::{Arc, OnceLock};
use zeroize::Zeroizing;

/// Looks up a variable of the environment.
type Environment = dyn Fn(&str) -> Option<OsString> + Send + Sync;

/// What providers see of the process they run in.
#[derive(Clone)]
pub struct Surroundings {
    environment: Arc<Environment>,
}

impl Surroundings {
    /// Takes the look-up of variables; the program reads its environment, this library does not.
    pub fn new(environment: impl Fn(&str) -> Option<OsString> + Send + Sync + 'static) -> Self {
        Self { environment: Arc::new(environment) }
    }

    /// Returns a variable's bytes.
    pub(super) fn variable(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        let value = (self.environment)(name).ok_or_else(|| {
            let why = format!("the variable {name} is not set where writ runs");
            ProviderError::never(why)
        })?;
        Ok(Zeroizing::new(value.into_encoded_bytes()))
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Surroundings(..)")
    }
}

/// Every credential of the operator's file, with its provider.
pub struct Providers {
    around: Surroundings,
    entries: BTreeMap<String, Entry>,
}

struct Entry {
    credential: Credential,
    provider: OnceLock<Arc<dyn Provider>>,
}

impl Providers {
    /// Takes over the operator's file. Nothing is opened or connected.
    pub fn new(credentials: Credentials, around: Surroundings) -> Self {
        let entry = |credential: Credential| {
            (credential.name.clone(), Entry { credential, provider: OnceLock::new() })
        };
        Self { around, entries: credentials.into_iter().map(entry).collect() }
    }

    /// Returns what the operator says of a credential.
    pub fn credential(&self, name: &str) -> Option<&Credential> {
        self.entries.get(name).map(|entry| &entry.credential)
    }

    /// Returns the provider of a credential, making it if this is its first use.
    pub fn provider(&self, name: &str) -> Option<Arc<dyn Provider>> {
        let entry = self.entries.get(name)?;
        Some(Arc::clone(entry.provider.get_or_init(|| make(&entry.credential, &self.around))))
    }

    /// Returns the provider that can revoke a handle.
    ///
    /// The operator may have removed or changed a credential while something under it was alive; then
    /// nobody can end it any more, and a person has to put the entry back.
    pub fn revoker(&self, handle: &Handle) -> Result<Arc<dyn Provider>, ProviderError> {
        let name = &handle.intent.credential;
        match self.provider(name) {
            Some(provider) if provider.kind() == handle.intent.kind => Ok(provider),
            _ => Err(ProviderError::never(format!(
                "the operator's file has no credential \"{name}\" of kind {} any more; put it back until everything under it is revoked",
                handle.intent.kind
            ))),
        }
    }
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.entries.keys()).finish()
    }
}

fn make(credential: &Credential, around: &Surroundings) -> Arc<dyn Provider> {
    let around = around.clone();
    match &credential.upstream {
        Upstream::Secret(source) => Arc::new(StaticSecret::new(source.clone(), around)),
        Upstream::Postgres(config) => Arc::new(Postgres::new(config.clone(), around)),
        Upstream::Oauth(config) => Arc::new(OauthClient::new((**config).clone(), around)),
        Upstream::GithubApp(config) => Arc::new(GithubApp::new((**config).clone(), around)),
    }
}
