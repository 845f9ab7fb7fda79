//! Which path is answered by what. `openapi.json` says the same, and a test compares the two.

use super::answer::not_found;
use super::daemon::Daemon;
use super::{discovery, events, health, introspect, kill, openapi, revoke, tasks};
use axum::Router;
use axum::routing::{get, post};
use std::sync::Arc;

/// What everybody may ask.
pub(super) fn public(daemon: &Arc<Daemon>) -> Router {
    open().fallback(not_found).with_state(Arc::clone(daemon))
}

/// What a process of this machine may ask as well.
pub(super) fn local(daemon: &Arc<Daemon>) -> Router {
    open()
        .route("/v1/tasks", get(tasks::list))
        .route("/v1/kill", post(kill::kill))
        .route("/openapi.json", get(openapi::document))
        .fallback(not_found)
        .with_state(Arc::clone(daemon))
}

fn open() -> Router<Arc<Daemon>> {
    Router::new()
        .route("/.well-known/oauth-authorization-server", get(discovery::oauth))
        .route("/.well-known/openid-configuration", get(discovery::openid))
        .route("/jwks", get(discovery::jwks))
        .route("/health", get(health::health))
        .route("/introspect", post(introspect::introspect))
        .route("/revoke", post(revoke::revoke))
        .route("/v1/events", get(events::events))
        .route("/v1/ack", post(events::ack))
}
