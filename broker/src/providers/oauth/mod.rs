//! Access tokens of an OAuth 2.0 server, for ourselves (client credentials) or for a task (RFC 8693).

mod request;
#[cfg(test)]
mod tests;

use super::attempt;
use super::config::{ClientAuth, OauthConfig};
use super::custody::{Attempt, Closing, Custody};
use super::http::{self, Call};
use super::jwt::Key;
use super::registry::Surroundings;
use super::tls::LazyTls;
use super::{
    Handle, Intent, Kind, LeaseAsk, Leased, Material, Pending, Provider, ProviderError, Revoked,
    Secret, source, when,
};
use crate::clock::UnixMillis;
use ::http::{Method, StatusCode};
use request::{Failure, Form, Grant};
use std::time::Duration;

/// The media type of a form (RFC 6749 §3.2).
const FORM: &str = "application/x-www-form-urlencoded";

/// A client of one authorization server.
pub(super) struct OauthClient {
    config: OauthConfig,
    around: Surroundings,
    tls: LazyTls,
    custody: Custody,
}

impl OauthClient {
    pub(super) fn new(config: OauthConfig, around: Surroundings) -> Self {
        let tls = LazyTls::new(config.ca.clone());
        Self { config, around, tls, custody: Custody::default() }
    }

    async fn make(
        &self,
        ask: &LeaseAsk,
        intent: &Intent,
        now: UnixMillis,
        scope: &[&str],
        attempt: Attempt<'_>,
    ) -> Result<Leased, ProviderError> {
        let mut form = Form::default();
        self.fill(&mut form, ask, scope)?;
        let answer = self.post(form, &self.config.token_endpoint, now).await?;
        if answer.status != StatusCode::OK {
            let word = answer.json::<Failure>().map(|failure| failure.error);
            if answer.is_refusal() {
                attempt.nothing_made();
            }
            return Err(answer.refusal(&self.config.token_endpoint, word.as_deref(), now));
        }
        let refuse =
            |why: &str| ProviderError::never(format!("{}: {why}", self.config.token_endpoint));
        let grant: Grant =
            answer.json().ok_or_else(|| refuse("the answer is no token response"))?;
        let token = grant.token.clone();
        let checked = grant.check(scope, self.config.longest_life).map_err(refuse);
        // Kept first: what is refused now is still there to be revoked.
        attempt.keep(token.clone())?;
        let expires = when::after(now, checked?);
        let handle = Handle { intent: intent.clone(), expires: Some(expires) };
        Ok(Leased { material: Material::Bearer(token), expires: Some(expires), handle })
    }

    fn fill(&self, form: &mut Form, ask: &LeaseAsk, scope: &[&str]) -> Result<(), ProviderError> {
        if self.config.exchange {
            let subject = ask.subject.as_ref().ok_or_else(|| {
                ProviderError::never("a token exchange needs a token of the task to show")
            })?;
            form.add("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
            form.add("subject_token", subject.expose());
            form.add("subject_token_type", "urn:ietf:params:oauth:token-type:jwt");
        } else {
            form.add("grant_type", "client_credentials");
        }
        if !scope.is_empty() {
            form.add("scope", &scope.join(" "));
        }
        if let Some(audience) = &self.config.audience {
            form.add("audience", audience);
        }
        Ok(())
    }

    /// Sends a form, authenticated as the client (RFC 6749 §2.3, RFC 7523).
    async fn post(
        &self,
        mut form: Form,
        to: &http::Endpoint,
        now: UnixMillis,
    ) -> Result<http::Answer, ProviderError> {
        let mut headers = vec![(::http::header::ACCEPT, "application/json".parse().map_err(bad)?)];
        match &self.config.auth {
            ClientAuth::Basic(source) => {
                let secret = self.load(source).await?;
                let pair = request::basic(&self.config.client_id, &secret)?;
                headers.push(http::authorization("Basic", &pair)?);
            }
            ClientAuth::Post(source) => {
                let secret = self.load(source).await?;
                form.add("client_id", &self.config.client_id);
                form.add("client_secret", secret.expose());
            }
            ClientAuth::PrivateKey { key, key_id } => {
                let (source, around) = (key.clone(), self.around.clone());
                let pem = source::blocking(move || source.load(&around)).await?;
                let key = Key::from_pem(&pem).ok_or_else(|| {
                    ProviderError::never(format!("{key}: no RSA or P-256 key in PEM"))
                })?;
                let claims = request::assertion(&self.config, now)?;
                let assertion = key.sign(key_id.as_deref(), &claims)?;
                form.add("client_id", &self.config.client_id);
                form.add(
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                );
                form.add("client_assertion", assertion.expose());
            }
        }
        let body = Some((FORM, form.into_bytes()));
        http::exchange(&self.tls, Call { method: Method::POST, endpoint: to, headers, body }).await
    }

    async fn load(&self, source: &source::Source) -> Result<Secret, ProviderError> {
        let (source, around) = (source.clone(), self.around.clone());
        source::blocking(move || source.secret(&around)).await
    }

    /// Revokes a token, and reports whether the server can do that at all.
    ///
    /// RFC 7009: an unknown token is no error, so a second revocation is none either.
    async fn end(&self, token: &Secret, now: UnixMillis) -> Result<bool, ProviderError> {
        let Some(endpoint) = &self.config.revocation_endpoint else { return Ok(false) };
        let mut form = Form::default();
        form.add("token", token.expose());
        form.add("token_type_hint", "access_token");
        let answer = self.post(form, endpoint, now).await?;
        if answer.status == StatusCode::OK {
            return Ok(true);
        }
        let word = answer.json::<Failure>().map(|failure| failure.error);
        if word.as_deref() == Some("unsupported_token_type") {
            return Ok(false);
        }
        Err(answer.refusal(endpoint, word.as_deref(), now))
    }
}

impl Provider for OauthClient {
    fn kind(&self) -> Kind {
        Kind::Oauth
    }

    fn intent(&self, ask: &LeaseAsk) -> Intent {
        Intent {
            kind: Kind::Oauth,
            credential: ask.credential.clone(),
            lease: ask.lease.clone(),
            // The server names its tokens itself, so only the lease can be named.
            name: ask.lease.as_str().to_owned(),
            until: attempt::until(ask.at),
            lapses: Some(when::after(attempt::until(ask.at), self.config.longest_life)),
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
            let scope = request::scope(&self.config.scope, ask.scope.as_deref())?;
            let attempt = self.custody.begin(&ask.lease)?;
            attempt::bounded(self.make(ask, intent, now, &scope, attempt)).await
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
                Ok(true) => {
                    self.custody.forget(lease);
                    Ok(Revoked::Gone)
                }
                Err(error) if !handle.is_over(now) => Err(error),
                // Nobody can do more about it than to wait for its end, or that has come.
                Ok(false) | Err(_) => {
                    self.custody.lose(lease);
                    Ok(Revoked::Lapses(handle.expires))
                }
            }
        })
    }
}

fn bad(_: ::http::header::InvalidHeaderValue) -> ProviderError {
    ProviderError::never("the request cannot be written")
}

/// How long the JWT that stands for the client is good; it is used at once.
const ASSERTION_LIFE: Duration = Duration::from_secs(60);
