//! Whether the daemon can do its work, and if not, why.

use super::answer::{Answer, json};
use super::caller::Peer;
use super::daemon::{Daemon, Trouble};
use crate::authority::Stale;
use crate::ledger::{ReadError, WriteError};
use axum::Extension;
use axum::extract::State;
use http::StatusCode;
use serde_json::json;
use std::sync::Arc;

/// Answers 200 when everything can be done, and 503 with the reasons when not.
///
/// Everybody is told the words; details, which have names of files in them, are for this machine.
pub(super) async fn health(
    State(daemon): State<Arc<Daemon>>,
    Extension(peer): Extension<Peer>,
) -> Answer {
    let mut troubles: Vec<(&str, String)> = Vec::new();
    if let Err(trouble) = daemon.fresh().await {
        let word = match &trouble {
            Trouble::Stale(stale) => word(stale),
            Trouble::Unrecorded => "kill_unrecorded",
        };
        troubles.push((word, trouble.to_string()));
    }
    if let Some(why) = daemon.key_trouble() {
        troubles.push(("key_unusable", why));
    }
    if troubles.is_empty() {
        let record = daemon.desk.read(|_, head| head.seq);
        let body = match peer {
            Peer::Local { .. } => json!({ "status": "ok", "record": record }),
            Peer::Remote { .. } => json!({ "status": "ok" }),
        };
        return json(StatusCode::OK, &body);
    }
    let reasons = troubles.iter().map(|(word, detail)| match peer {
        Peer::Local { .. } => json!({ "reason": word, "detail": detail }),
        Peer::Remote { .. } => json!({ "reason": word }),
    });
    let body = json!({ "status": "unavailable", "why": reasons.collect::<Vec<_>>() });
    json(StatusCode::SERVICE_UNAVAILABLE, &body)
}

fn word(stale: &Stale) -> &'static str {
    match stale {
        Stale::Clock(_) => "clock_stepped_back",
        Stale::Late => "ledger_late",
        Stale::Read(ReadError::Unavailable(_))
        | Stale::Followed(WriteError::Unavailable(_) | WriteError::Contended) => {
            "ledger_unavailable"
        }
        Stale::Read(_) | Stale::Followed(WriteError::Untrusted(_)) => "ledger_untrusted",
        Stale::Followed(_) => "ledger_sealed",
    }
}
