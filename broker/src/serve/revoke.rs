//! Giving a token up before its time (RFC 7009).

use super::answer::{Answer, OAuthError, oauth, text_of};
use super::body;
use super::caller::{Caller, Peer};
use super::connection::Asked;
use super::daemon::Daemon;
use super::introspect::active;
use crate::event::Owner;
use crate::keys::Thumbprint;
use crate::token::dpop::ProofExpectations;
use crate::token::{Audience, Claims};
use axum::Extension;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use std::sync::Arc;

/// Revokes a token for who holds it, or for a process of this machine.
///
/// To hold a token that is bound to a key is to prove that one has the key, in a proof for this
/// request; so a server that was sent the token cannot revoke it, nor can who found it in a log. The
/// answer is the same whether or not there was anything to revoke (§2.2).
pub(super) async fn revoke(
    State(daemon): State<Arc<Daemon>>,
    Extension(peer): Extension<Peer>,
    request: Asked,
) -> Answer {
    match asked(&daemon, peer, request).await {
        Ok(answer) | Err(answer) => answer,
    }
}

async fn asked(daemon: &Daemon, peer: Peer, request: Asked) -> Result<Answer, Answer> {
    let unavailable = || oauth(OAuthError::Unavailable);
    let (audience, by) = match (Caller::of(peer, request.headers(), &daemon.checkers)?, peer) {
        (Caller::Checker(checker), _) => (Audience::Is(checker.audience()), None),
        (_, Peer::Local { uid }) => (Audience::DangerousAny, Some(Owner::User { uid })),
        (_, Peer::Remote { .. }) => (Audience::DangerousAny, None),
    };
    let headers = request.headers().clone();
    let mut form = body::form(request).await?;
    let token = form.take("token").ok_or_else(|| oauth(OAuthError::InvalidRequest))?;
    let key = proved(daemon, &headers, &token)?;
    let claims = active(daemon, &token, audience).await.map_err(|_| unavailable())?;
    if let Some(claims) = claims.filter(|claims| by.is_some() || holds(claims, key.as_ref())) {
        let jti = claims.jti.clone();
        daemon.desk.authority().revoke_token(jti, by).await.map_err(|_| unavailable())?;
    }
    Ok(text_of(StatusCode::OK, "application/json", "{}"))
}

/// Says whether a token is its sender's own.
fn holds(claims: &Claims, key: Option<&Thumbprint>) -> bool {
    claims.bound_to.is_none() || claims.bound_to.as_ref() == key
}

/// Returns the key that the sender proved to hold. A proof that is none is refused before the token is
/// looked at.
fn proved(
    daemon: &Daemon,
    headers: &HeaderMap,
    token: &str,
) -> Result<Option<Thumbprint>, OAuthError> {
    let mut proofs = headers.get_all("dpop").iter();
    let proof = match (proofs.next(), proofs.next()) {
        (None, _) => return Ok(None),
        (Some(proof), None) => proof.to_str().map_err(|_| OAuthError::InvalidProof)?,
        (Some(_), Some(_)) => return Err(OAuthError::InvalidProof),
    };
    let target = &daemon.revocation;
    let expected = ProofExpectations { method: "POST", target, token: Some(token) };
    let proved = daemon.proofs.verify(proof, &expected, daemon.clock.now());
    proved.map(|key| Some(key.into_inner())).map_err(|_| OAuthError::InvalidProof)
}
