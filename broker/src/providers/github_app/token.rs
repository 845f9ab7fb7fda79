//! What an installation token is asked to be, and whether it is that.

use super::super::LeaseAsk;
use super::super::config::GithubAppConfig;
use super::super::error::ProviderError;
use super::super::source::{Secret, token};
use super::super::when;
use crate::clock::UnixMillis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// How far GitHub's clock may be ahead of ours.
const SKEW: Duration = Duration::from_secs(60);

/// The levels of a permission, the weaker first.
pub(in super::super) const LEVELS: [&str; 3] = ["read", "write", "admin"];

/// The narrowed rights of one token. Neither part is ever empty: GitHub takes a missing one as all.
#[derive(Debug, Serialize)]
pub(super) struct Narrowed<'a> {
    repositories: Vec<&'a str>,
    permissions: BTreeMap<&'a str, &'a str>,
}

impl<'a> Narrowed<'a> {
    /// Takes what the ask names out of what the operator allows: scope `contents:read issues:write`,
    /// resource `site docs`.
    pub(super) fn new(
        config: &'a GithubAppConfig,
        ask: &'a LeaseAsk,
    ) -> Result<Self, ProviderError> {
        Ok(Self {
            repositories: repositories(config, ask.resource.as_deref())?,
            permissions: permissions(config, ask.scope.as_deref())?,
        })
    }
}

fn repositories<'a>(
    config: &'a GithubAppConfig,
    wanted: Option<&'a str>,
) -> Result<Vec<&'a str>, ProviderError> {
    let Some(wanted) = wanted else {
        return Ok(config.repositories.iter().map(String::as_str).collect());
    };
    let named: Vec<&str> = wanted.split_whitespace().collect();
    let strange = |name: &&&str| !config.repositories.iter().any(|allowed| allowed == **name);
    match named.iter().find(strange) {
        None if named.is_empty() => Err(ProviderError::beyond("the resource is empty")),
        None => Ok(named),
        Some(name) => Err(ProviderError::beyond(format!(
            "the repository \"{}\" is not in what the operator allows",
            name.escape_default()
        ))),
    }
}

fn permissions<'a>(
    config: &'a GithubAppConfig,
    wanted: Option<&'a str>,
) -> Result<BTreeMap<&'a str, &'a str>, ProviderError> {
    let Some(wanted) = wanted else {
        let all = config.permissions.iter();
        return Ok(all.map(|(name, level)| (name.as_str(), level.as_str())).collect());
    };
    let mut named = BTreeMap::new();
    for word in wanted.split_whitespace() {
        let (name, level) = word.split_once(':').unwrap_or((word, "read"));
        if !within(level, config.permissions.get(name).map(String::as_str)) {
            return Err(ProviderError::beyond(format!(
                "the permission \"{}\" is not in what the operator allows",
                word.escape_default()
            )));
        }
        named.insert(name, level);
    }
    if named.is_empty() { Err(ProviderError::beyond("the scope is empty")) } else { Ok(named) }
}

/// Reports whether a level is known, and no higher than the highest that is allowed.
fn within(level: &str, most: Option<&str>) -> bool {
    let ranks = (rank(level), most.and_then(rank));
    matches!(ranks, (Some(level), Some(most)) if level <= most)
}

fn rank(level: &str) -> Option<usize> {
    LEVELS.iter().position(|known| *known == level)
}

/// GitHub's answer.
#[derive(Deserialize)]
pub(super) struct Installed {
    #[serde(deserialize_with = "token")]
    pub(super) token: Secret,
    expires_at: String,
    permissions: BTreeMap<String, String>,
    repository_selection: Option<String>,
    repositories: Option<Vec<Repository>>,
}

#[derive(Deserialize)]
struct Repository {
    name: String,
}

impl Installed {
    /// Checks that the token is no wider and lives no longer than it may; returns when it ends.
    pub(super) fn check(
        &self,
        asked: &Narrowed<'_>,
        latest: UnixMillis,
    ) -> Result<UnixMillis, &'static str> {
        let expires = when::from_rfc3339(&self.expires_at).ok_or("the token has no end")?;
        if expires > when::after(latest, SKEW) {
            return Err("the token lives for more than an hour");
        }
        // GitHub adds `metadata: read` to every token by itself.
        let most = |name: &str| match name {
            "metadata" => asked.permissions.get(name).copied().or(Some("read")),
            _ => asked.permissions.get(name).copied(),
        };
        if !self.permissions.iter().all(|(name, level)| within(level, most(name))) {
            return Err("the token has more permissions than were asked for");
        }
        if self.repository_selection.as_deref() == Some("all") {
            return Err("the token is good for every repository");
        }
        let strange =
            |repository: &Repository| !asked.repositories.contains(&repository.name.as_str());
        if self.repositories.as_ref().is_some_and(|all| all.iter().any(strange)) {
            return Err("the token is good for other repositories than were asked for");
        }
        Ok(expires)
    }
}
