//! Installation tokens of a GitHub App, narrowed to repositories and permissions, deleted at the end.

#[cfg(test)]
mod tests;
mod token;

pub(super) use token::LEVELS;

use super::attempt;
use super::config::GithubAppConfig;
use super::custody::{Attempt, Closing, Custody};
use super::http::{self, Call, Endpoint};
use super::jwt::Key;
use super::registry::Surroundings;
use super::tls::LazyTls;
use super::{
    Handle, Intent, Kind, LeaseAsk, Leased, Material, Pending, Provider, ProviderError, Revoked,
    Secret, source, when,
};
use crate::clock::UnixMillis;
use ::http::header::{ACCEPT, HeaderName, HeaderValue};
use ::http::{Method, StatusCode};
use serde_json::json;
use std::time::Duration;
use token::{Installed, Narrowed};
use zeroize::Zeroizing;

/// How long GitHub lets an installation token live; nobody can ask for less.
const TOKEN_LIFE: Duration = Duration::from_secs(3600);
/// How long the app's own JWT is good; GitHub takes ten minutes at most, and it is used at once.
const JWT_LIFE: Duration = Duration::from_secs(300);
/// How far the JWT is dated back, as GitHub advises, for clocks that differ.
const CLOCK_DRIFT: Duration = Duration::from_secs(60);
/// The version of the API that this is written against.
const API_VERSION: (&str, &str) = ("x-github-api-version", "2022-11-28");

/// One installation of a GitHub App.
pub(super) struct GithubApp {
    config: GithubAppConfig,
    around: Surroundings,
    tls: LazyTls,
    custody: Custody,
}

impl GithubApp {
    pub(super) fn new(config: GithubAppConfig, around: Surroundings) -> Self {
        let tls = LazyTls::new(config.ca.clone());
        Self { config, around, tls, custody: Custody::default() }
    }

    async fn make(
        &self,
        intent: &Intent,
        now: UnixMillis,
        narrowed: &Narrowed<'_>,
        attempt: Attempt<'_>,
    ) -> Result<Leased, ProviderError> {
        let jwt = self.jwt(now).await?;
        let path = format!("/app/installations/{}/access_tokens", self.config.installation_id);
        let endpoint = self.config.api.below(&path);
        let body = serde_json::to_vec(narrowed)
            .map_err(|_| ProviderError::never("the request cannot be written"))?;
        let body = Some(("application/json", Zeroizing::new(body)));
        let answer = self.call(Method::POST, &endpoint, &jwt, body).await?;
        if answer.status != StatusCode::CREATED {
            if answer.is_refusal() {
                attempt.nothing_made();
            }
            return Err(answer.refusal(&endpoint, None, now));
        }
        let refuse = |why: &str| ProviderError::never(format!("{endpoint}: {why}"));
        let installed: Installed =
            answer.json().ok_or_else(|| refuse("the answer is no installation token"))?;
        let token = installed.token.clone();
        let checked = installed.check(narrowed, when::after(now, TOKEN_LIFE)).map_err(refuse);
        // Kept first: what is refused now is still there to be revoked.
        attempt.keep(token.clone())?;
        let expires = checked?;
        let handle = Handle { intent: intent.clone(), expires: Some(expires) };
        Ok(Leased { material: Material::Bearer(token), expires: Some(expires), handle })
    }

    /// Signs the JWT that stands for the app.
    async fn jwt(&self, now: UnixMillis) -> Result<Secret, ProviderError> {
        let (source, around) = (self.config.private_key.clone(), self.around.clone());
        let pem = source::blocking(move || source.load(&around)).await?;
        let Some(key @ Key::Rsa(_)) = Key::from_pem(&pem) else {
            let key = &self.config.private_key;
            return Err(ProviderError::never(format!("{key}: no RSA key in PEM")));
        };
        let issued = now.0.saturating_sub(CLOCK_DRIFT.as_millis() as u64) / 1000;
        let claims = json!({
            "iat": issued,
            "exp": when::after(now, JWT_LIFE).0 / 1000,
            "iss": self.config.app_id,
        });
        let claims = claims.as_object().cloned().unwrap_or_default();
        key.sign(None, &claims)
    }

    async fn call(
        &self,
        method: Method,
        endpoint: &Endpoint,
        bearer: &Secret,
        body: Option<(&'static str, Zeroizing<Vec<u8>>)>,
    ) -> Result<http::Answer, ProviderError> {
        let (name, version) = API_VERSION;
        let headers = vec![
            http::authorization("Bearer", bearer)?,
            (ACCEPT, HeaderValue::from_static("application/vnd.github+json")),
            (HeaderName::from_static(name), HeaderValue::from_static(version)),
        ];
        http::exchange(&self.tls, Call { method, endpoint, headers, body }).await
    }

    /// Deletes a token. One that GitHub does not know any more is refused as unauthorized.
    async fn end(&self, token: &Secret, now: UnixMillis) -> Result<(), ProviderError> {
        let endpoint = self.config.api.below("/installation/token");
        let answer = self.call(Method::DELETE, &endpoint, token, None).await?;
        match answer.status {
            StatusCode::NO_CONTENT | StatusCode::UNAUTHORIZED => Ok(()),
            _ => Err(answer.refusal(&endpoint, None, now)),
        }
    }
}

impl Provider for GithubApp {
    fn kind(&self) -> Kind {
        Kind::GithubApp
    }

    fn intent(&self, ask: &LeaseAsk) -> Intent {
        Intent {
            kind: Kind::GithubApp,
            credential: ask.credential.clone(),
            lease: ask.lease.clone(),
            // GitHub names no tokens, so only the lease can be named.
            name: ask.lease.as_str().to_owned(),
            until: attempt::until(ask.at),
            lapses: Some(when::after(attempt::until(ask.at), TOKEN_LIFE)),
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
            let narrowed = Narrowed::new(&self.config, ask)?;
            let attempt = self.custody.begin(&ask.lease)?;
            attempt::bounded(self.make(intent, now, &narrowed, attempt)).await
        })
    }

    fn revoke<'a>(&'a self, handle: &'a Handle, now: UnixMillis) -> Pending<'a, Revoked> {
        Box::pin(async move {
            let lease = &handle.intent.lease;
            let token = match self.custody.close(lease)? {
                Closing::Token(token) => token,
                Closing::Over => return Ok(Revoked::Gone),
                Closing::Unknown => return Ok(Revoked::Lapses(handle.expires)),
            };
            match self.end(&token, now).await {
                Ok(()) => {
                    self.custody.forget(lease);
                    Ok(Revoked::Gone)
                }
                Err(error) if !handle.is_over(now) => Err(error),
                // Its end has come without us.
                Err(_) => {
                    self.custody.lose(lease);
                    Ok(Revoked::Lapses(handle.expires))
                }
            }
        })
    }
}
