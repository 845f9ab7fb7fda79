//! Whether a token is good (RFC 7662).

use super::answer::{Answer, OAuthError, json, oauth};
use super::body;
use super::caller::{Caller, Peer};
use super::connection::Asked;
use super::daemon::{Daemon, Trouble};
use crate::token::{Audience, Claims, Expectations, Holder, Verified};
use axum::Extension;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;

/// What is said of a good token.
#[derive(Serialize)]
struct Active<'a> {
    active: bool,
    token_type: &'static str,
    #[serde(flatten)]
    claims: &'a Claims,
}

/// Answers what is so of a token, to a checker of its audience or to a process of this machine.
pub(super) async fn introspect(
    State(daemon): State<Arc<Daemon>>,
    Extension(peer): Extension<Peer>,
    request: Asked,
) -> Answer {
    match asked(&daemon, peer, request).await {
        Ok(answer) | Err(answer) => answer,
    }
}

async fn asked(daemon: &Daemon, peer: Peer, request: Asked) -> Result<Answer, Answer> {
    let audience = match Caller::of(peer, request.headers(), &daemon.checkers)? {
        Caller::Local => Audience::DangerousAny,
        Caller::Checker(checker) => Audience::Is(checker.audience()),
        Caller::Nobody => return Err(oauth(OAuthError::InvalidClient)),
    };
    let mut form = body::form(request).await?;
    let token = form.take("token").ok_or_else(|| oauth(OAuthError::InvalidRequest))?;
    let found = active(daemon, &token, audience).await;
    let found = found.map_err(|_| oauth(OAuthError::Unavailable))?;
    Ok(match found {
        Some(claims) => {
            let token_type = if claims.bound_to.is_some() { "DPoP" } else { "Bearer" };
            json(StatusCode::OK, &Active { active: true, token_type, claims: &claims })
        }
        // One answer for all: that a token was revoked is a thing to know, too.
        None => json(StatusCode::OK, &json!({ "active": false })),
    })
}

/// Returns the claims of a token, if it is good now: signed by a key that is published, not over, not
/// revoked, and of a task that lives.
pub(super) async fn active(
    daemon: &Daemon,
    token: &str,
    audience: Audience<'_>,
) -> Result<Option<Verified<Claims>>, Trouble> {
    let now = daemon.fresh().await?;
    let expected = Expectations { issuer: &daemon.issuer.url, audience, holder: Holder::Inquirer };
    let Ok(claims) = daemon.verifier(now).verify(token, &expected, now) else { return Ok(None) };
    let is_good = daemon.desk.read(|state, _| {
        let minted = state.token(&claims.jti);
        let fits = minted.is_some_and(|minted| {
            minted.audience == claims.audience && minted.task.as_str() == claims.task.id
        });
        fits && state.is_active(&claims.jti, now)
    });
    Ok(is_good.then_some(claims))
}
