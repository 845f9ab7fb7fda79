//! A PostgreSQL role per lease: made with a password that never travels, ended with its sessions.
//!
//! Dropping a role alone leaves its open sessions at work, and one that has done `SET ROLE` still
//! reads tables. So a role is ended in this order: it may log in no more, its sessions are ended, what
//! it owns is dropped, it is dropped, and then it is looked for again (see `revoke`).
//!
//! The admin role needs CREATEROLE, membership with ADMIN OPTION in the role that it gives away, and
//! a direct connection: a pooler in between would hide whose sessions are whose. It need not be a
//! superuser, and on PostgreSQL 15 it must not be NOINHERIT, or else be in `pg_signal_backend`.

mod admin;
mod create;
mod revoke;
mod scram;
mod sql;
#[cfg(test)]
mod tests;
mod tls;

use super::attempt;
use super::config::PostgresConfig;
use super::custody::{self, Attempt, Custody};
use super::registry::Surroundings;
use super::tls::LazyTls;
use super::{
    Handle, Intent, Kind, LeaseAsk, Leased, Material, Pending, Provider, ProviderError, Revoked,
    Secret, source, when,
};
use crate::clock::UnixMillis;
use crate::id::LeaseId;
use admin::Admin;
use base64::Engine;
use std::time::Duration;
use tokio_postgres::Config;
use zeroize::Zeroizing;

/// How long one pass of a revocation may take; then it is tried again from the start.
const REVOKE_TIME: Duration = Duration::from_secs(30);
/// How often a revocation starts again at once when its connection breaks.
const PASSES: usize = 3;

/// A database that gives a role to each lease.
pub(super) struct Postgres {
    config: PostgresConfig,
    around: Surroundings,
    tls: LazyTls,
    custody: Custody,
}

impl Postgres {
    pub(super) fn new(config: PostgresConfig, around: Surroundings) -> Self {
        let tls = LazyTls::new(config.ca.clone());
        Self { config, around, tls, custody: Custody::default() }
    }

    /// Reads the connection string, as late as can be.
    async fn connection(&self) -> Result<Config, ProviderError> {
        let (source, around) = (self.config.admin.clone(), self.around.clone());
        let dsn = source::blocking(move || source.secret(&around)).await?;
        // The parser's own words could hold a piece of the password.
        dsn.expose().parse().map_err(|_| {
            let source = &self.config.admin;
            ProviderError::never(format!("what is in {source} is no connection string"))
        })
    }

    async fn make(
        &self,
        ask: &LeaseAsk,
        intent: &Intent,
        now: UnixMillis,
        attempt: &Attempt<'_>,
    ) -> Result<Leased, ProviderError> {
        let connection = self.connection().await?;
        let place = admin::place(&connection)?;
        let password = password()?;
        let mut salt = [0; scram::SALT];
        getrandom::fill(&mut salt).map_err(no_randomness)?;
        let expires = when::after(now, ask.ttl);
        let role = create::NewRole {
            name: &intent.name,
            member_of: &self.config.role,
            verifier: scram::verifier(password.expose(), &salt),
            expires,
            connections: self.config.connections,
            comment: format!("writ {} {}", ask.task, ask.lease),
        };
        let admin = Admin::connect(&connection, &self.tls, &intent.name).await?;
        if attempt.is_revoked() {
            return Err(ProviderError::Gone);
        }
        create::create(&admin, &role).await?;
        let material = Material::Login {
            user: intent.name.clone(),
            password,
            host: place.host,
            port: place.port,
            database: place.database,
        };
        let handle = Handle { intent: intent.clone(), expires: Some(expires) };
        Ok(Leased { material, expires: Some(expires), handle })
    }

    async fn end(&self, name: &str) -> Result<Revoked, ProviderError> {
        let connection = self.connection().await?;
        let mut last = ProviderError::later("the database ended the connection");
        for _ in 0..PASSES {
            let pass = revoke::revoke(&connection, &self.tls, name);
            match within(REVOKE_TIME, pass).await {
                Err(error @ ProviderError::Later { after: None, .. }) => last = error,
                other => return other,
            }
        }
        Err(last)
    }
}

impl Provider for Postgres {
    fn kind(&self) -> Kind {
        Kind::Postgres
    }

    fn intent(&self, ask: &LeaseAsk) -> Intent {
        Intent {
            kind: Kind::Postgres,
            credential: ask.credential.clone(),
            lease: ask.lease.clone(),
            name: role_name(&ask.lease),
            until: attempt::until(ask.at),
            // A session that is open stays open after VALID UNTIL, so it never ends by itself.
            lapses: None,
        }
    }

    fn lease<'a>(
        &'a self,
        ask: &'a LeaseAsk,
        intent: &'a Intent,
        now: UnixMillis,
    ) -> Pending<'a, Leased> {
        Box::pin(async move {
            attempt::check(self, ask, intent, now)?;
            if ask.scope.as_deref().is_some_and(|scope| scope != self.config.role) {
                let role = &self.config.role;
                return Err(ProviderError::beyond(format!("the scope can only be \"{role}\"")));
            }
            let attempt = self.custody.begin(&ask.lease)?;
            let leased = attempt::bounded(self.make(ask, intent, now, &attempt)).await?;
            // The role is named, so nothing has to be held to end it.
            if attempt.is_revoked() { Err(ProviderError::Gone) } else { Ok(leased) }
        })
    }

    fn revoke<'a>(&'a self, handle: &'a Handle, _now: UnixMillis) -> Pending<'a, Revoked> {
        Box::pin(async move {
            check_name(&handle.intent)?;
            let under_way = self.custody.forbid(&handle.intent.lease);
            let ended = self.end(&handle.intent.name).await?;
            // A role may be made after we have looked for it, by an attempt that was under way before.
            if under_way { Err(custody::under_way()) } else { Ok(ended) }
        })
    }
}

/// Returns the name of a lease's role: ours by its prefix, and nobody else's by 80 random bits.
fn role_name(lease: &LeaseId) -> String {
    format!("writ_{}", lease.as_str().trim_start_matches("lease-"))
}

/// Refuses an intent that names another role than its own: it would be dropped in the end.
fn check_name(intent: &Intent) -> Result<(), ProviderError> {
    if intent.kind == Kind::Postgres && intent.name == role_name(&intent.lease) {
        return Ok(());
    }
    Err(ProviderError::never("the intent does not name the role of its lease"))
}

/// Makes a password of 256 bits.
fn password() -> Result<Secret, ProviderError> {
    let mut random = Zeroizing::new([0; 32]);
    getrandom::fill(&mut random[..]).map_err(no_randomness)?;
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&random[..]);
    Secret::new(text).map_err(|error| ProviderError::never(error.to_string()))
}

fn no_randomness(_: getrandom::Error) -> ProviderError {
    ProviderError::later("the system gave no random bytes")
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, ProviderError>>,
) -> Result<T, ProviderError> {
    tokio::time::timeout(limit, work)
        .await
        .unwrap_or_else(|_| Err(ProviderError::later("the database did not answer in time")))
}
