//! Killing, for this machine.

use super::answer::{Answer, not_found, problem, text_of};
use super::body;
use super::caller::Peer;
use super::connection::Asked;
use super::daemon::Daemon;
use super::hub::Heard;
use super::idempotency::{Key, Turn};
use crate::authority::{Kill, KillError, Receipt, kill as carry_out};
use crate::event::Owner;
use crate::state::Selector;
use axum::Extension;
use axum::extract::State;
use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::Arc;
use tokio::time::Instant;

/// The longest reason, bytes.
const LONGEST_WHY: usize = 1024;

/// Kills what the body names, and answers with the receipt once it has stopped.
pub(super) async fn kill(
    State(daemon): State<Arc<Daemon>>,
    Extension(peer): Extension<Peer>,
    request: Asked,
) -> Answer {
    let Peer::Local { uid } = peer else { return not_found().await };
    let headers = request.headers().clone();
    let (object, bytes) = match body::object(request).await {
        Ok(read) => read,
        Err(refused) => return refused,
    };
    let Some(kill) = read(object, Owner::User { uid }) else {
        let detail = "the body has one of task, all (true), owner and label (an object with one \
                      member), and may have why, a text";
        return problem(StatusCode::BAD_REQUEST, detail);
    };
    let key = match daemon.remembered.turn(uid, &headers, &bytes) {
        Turn::Do(key) => key,
        Turn::Done(answer) => return answer,
    };
    // In a task of its own: who hangs up does not stop it half-way.
    let killing = tokio::spawn(carry(daemon, kill, key));
    let lost = |_| problem(StatusCode::INTERNAL_SERVER_ERROR, "the kill broke off; kill again");
    killing.await.unwrap_or_else(lost)
}

async fn carry(daemon: Arc<Daemon>, kill: Kill, key: Option<Key>) -> Answer {
    let started = Instant::now();
    let (ledger, clock) = (Arc::clone(&daemon.ledger), Arc::clone(&daemon.clock));
    let killed = carry_out(ledger, clock, kill.clone()).await;
    match killed {
        Ok(mut receipt) => {
            // What is not in the ledger is no reason for anybody to stop believing, but that nothing is
            // said any more: then every lease runs out.
            if !receipt.durable {
                daemon.withhold(kill);
            }
            // The heartbeats that are sent now name the record. If it cannot be seen, leases run out.
            let _ = daemon.fresh().await;
            let checkers = daemon.hub.fence(receipt.record.unwrap_or(u64::MAX)).await;
            let micros = started.elapsed().as_micros();
            receipt.micros = u64::try_from(micros).unwrap_or(u64::MAX);
            let text = text(&Fenced { receipt: &receipt, checkers });
            // It is worth another try.
            if receipt.durable {
                daemon.remembered.done(key.as_ref(), StatusCode::OK, &text);
            } else {
                daemon.remembered.undone(key.as_ref());
            }
            text_of(StatusCode::OK, "application/json", text)
        }
        Err(error) => {
            daemon.remembered.undone(key.as_ref());
            let status = match error {
                KillError::NotLive(_) => StatusCode::NOT_FOUND,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            problem(status, &error.to_string())
        }
    }
}

/// A receipt, with what became of the checkers that remember what they were told.
#[derive(Serialize)]
struct Fenced<'a> {
    #[serde(flatten)]
    receipt: &'a Receipt,
    checkers: Vec<Heard>,
}

fn text(receipt: &Fenced<'_>) -> Bytes {
    crate::json::line(receipt).unwrap_or_default().into()
}

/// Reads which tasks are meant. A member that is not known might have meant fewer.
fn read(mut object: Map<String, Value>, by: Owner) -> Option<Kill> {
    let why = match object.remove("why") {
        None => None,
        Some(Value::String(why)) if !why.is_empty() && why.len() <= LONGEST_WHY => Some(why),
        Some(_) => return None,
    };
    let mut members = object.into_iter();
    let ((name, value), None) = (members.next()?, members.next()) else { return None };
    let selector = match (name.as_str(), value) {
        ("task", Value::String(task)) => Selector::Task(task.parse().ok()?),
        ("all", Value::Bool(true)) => Selector::All,
        ("owner", owner @ Value::Object(_)) => Selector::Owner(serde_json::from_value(owner).ok()?),
        ("label", Value::Object(label)) => {
            let mut label = label.into_iter();
            match (label.next()?, label.next()) {
                ((name, Value::String(value)), None) => Selector::Label(name, value),
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(Kill { selector, by, why })
}
