//! What resource servers have to know before they can check a token.

use super::answer::{Answer, OAuthError, oauth as refuse, public_json};
use super::daemon::Daemon;
use crate::keys::Purpose;
use axum::extract::State;
use serde_json::{Value, json};
use std::sync::Arc;

/// How long the metadata may be kept: an hour, as it changes with the configuration only.
const METADATA: &str = "public, max-age=3600";
/// How long the key set may be kept. Less than [`PUBLISH_AHEAD`](crate::keys::PUBLISH_AHEAD), so that
/// nobody meets a key that they cannot have heard of; and short, since a checker that does not ask us
/// accepts what a removed key signed for as long.
const KEYS: &str = "public, max-age=60";

/// Answers with the metadata of an authorization server (RFC 8414).
pub(super) async fn oauth(State(daemon): State<Arc<Daemon>>) -> Answer {
    public_json(&metadata(&daemon.issuer.url), METADATA)
}

/// Answers with the same to those who look for it where OpenID Connect has it.
pub(super) async fn openid(State(daemon): State<Arc<Daemon>>) -> Answer {
    let mut metadata = metadata(&daemon.issuer.url);
    metadata["subject_types_supported"] = json!(["public"]);
    metadata["id_token_signing_alg_values_supported"] = json!(["ES256"]);
    public_json(&metadata, METADATA)
}

/// Answers with the keys that sign, will sign, or have signed what may still be good.
pub(super) async fn jwks(State(daemon): State<Arc<Daemon>>) -> Answer {
    let Ok(now) = daemon.fresh().await else { return refuse(OAuthError::Unavailable) };
    let keys = daemon.desk.read(|state, _| state.keys(Purpose::Access).jwks(now));
    public_json(&keys, KEYS)
}

/// Nobody gets a token here yet, so there is neither a token endpoint nor a grant type.
fn metadata(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": [],
        "grant_types_supported": [],
        "introspection_endpoint": format!("{issuer}/introspect"),
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic"],
        "revocation_endpoint": format!("{issuer}/revoke"),
        "revocation_endpoint_auth_methods_supported": ["none", "client_secret_basic"],
        "dpop_signing_alg_values_supported": ["ES256"],
        "authorization_details_types_supported": ["writ_resource"],
    })
}
