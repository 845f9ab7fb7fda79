//! The signing keys: for a person a table, for a script one object.

use super::{json_line, result};
use anyhow::Result;
use serde::Serialize;
use std::process::ExitCode;
use std::time::Duration;
use writ_broker::clock::UnixMillis;
use writ_broker::keys::{KeyRing, PUBLISH_AHEAD, PublicJwk, RingKey};
use writ_broker::limits::Unit;

/// The version of the JSON object; `schema/keys.json` says what is in it.
const SCHEMA: &str = "writ.keys/1";

#[derive(Serialize)]
struct Report {
    schema: &'static str,
    /// What was done just now.
    #[serde(skip_serializing_if = "Option::is_none")]
    done: Option<&'static str>,
    keys: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    kid: String,
    state: &'static str,
    /// When the key may sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    ready_ms: Option<UnixMillis>,
    jwk: PublicJwk,
}

/// Prints the keys that checkers are told of, and what was done.
pub(crate) fn keys(
    ring: &KeyRing,
    now: UnixMillis,
    done: Option<&'static str>,
    json: bool,
) -> Result<ExitCode> {
    let keys = rows(ring, now);
    if json {
        result(json_line(&Report { schema: SCHEMA, done, keys })?);
        return Ok(ExitCode::SUCCESS);
    }
    let mut lines = vec![format!("{:43}  STATE", "KEY")];
    for row in &keys {
        let wait = row.ready_ms.map(|ready| ready.saturating_since(now));
        let wait = wait.filter(|wait| !wait.is_zero()).map(|wait| {
            let seconds = Duration::from_secs(wait.as_secs() + 1);
            format!(", may sign in {}", Unit::Time.show(seconds.as_secs() * 1000))
        });
        lines.push(format!("{:43}  {}{}", row.kid, row.state, wait.unwrap_or_default()));
    }
    lines.extend(done.map(|done| match done {
        "published" if ring.next().is_some() => {
            "the next key is published; it signs from the first token on that is made after it may".to_owned()
        }
        "published" => "the first key is published and signs".to_owned(),
        "promoted" => "the next key signs from now on; the one before can be checked a while longer".to_owned(),
        _ => "the key is removed; whatever it signed is refused from now on".to_owned(),
    }));
    result(lines.join("\n"));
    Ok(ExitCode::SUCCESS)
}

fn rows(ring: &KeyRing, now: UnixMillis) -> Vec<Row> {
    let is = |key: Option<&RingKey>, jwk: &PublicJwk| key.is_some_and(|key| key.jwk == *jwk);
    let jwks = ring.jwks(now);
    let row = |jwk: &PublicJwk| {
        let (state, ready_ms) = if is(ring.current(), jwk) {
            ("signs", None)
        } else if is(ring.next(), jwk) {
            let published = ring.next().map(|key| key.published);
            ("next", published.and_then(|published| published.checked_add(PUBLISH_AHEAD)))
        } else {
            ("retiring", None)
        };
        Row { kid: jwk.thumbprint().to_string(), state, ready_ms, jwk: *jwk }
    };
    jwks.keys().iter().map(row).collect()
}
