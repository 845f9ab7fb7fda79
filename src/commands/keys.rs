//! `writ keys`: the keys that sign tokens, and how one takes the place of another.

use crate::cli::{Keys, KeysAction, KeysCommon};
use crate::output::{self, OurFault};
use crate::places::Places;
use crate::session;
use anyhow::{Context, Result};
use std::process::ExitCode;
use std::sync::Arc;
use writ_broker::authority::{Authority, KeysError, Rotation};
use writ_broker::clock::{Clock, SystemClock};
use writ_broker::codes;
use writ_broker::keys::{KeyFiles, KeyRing, Purpose};
use writ_runtime::wire::Fault;

/// The keys of access tokens: the only ones that anybody but us checks.
const PURPOSE: Purpose = Purpose::Access;

/// Lists or changes the keys.
pub(crate) fn keys(args: &Keys) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context(OurFault("the runtime does not start"))?;
    runtime.block_on(async {
        let KeysCommon { json, own } = &args.common;
        let places = Places::find(own)?;
        let authority = session::open(&places).await?;
        let now = SystemClock.now();
        let (ring, done) = match &args.action {
            KeysAction::List => (current(&authority).await?, None),
            KeysAction::Jwks => {
                let jwks = current(&authority).await?.jwks(now);
                output::result(output::json_line(&jwks)?);
                return Ok(ExitCode::SUCCESS);
            }
            KeysAction::Rotate => match authority.rotate_keys(&files(&places)?, PURPOSE).await {
                Ok(Rotation::Published(ring)) => (ring, Some("published")),
                Ok(Rotation::Promoted(ring)) => (ring, Some("promoted")),
                Err(error) => return Err(fault(&error)),
            },
            KeysAction::Remove { kid } => {
                let removed = authority.remove_key(&files(&places)?, PURPOSE, *kid).await;
                (removed.map_err(|error| fault(&error))?, Some("removed"))
            }
        };
        output::keys(&ring, now, done, *json)
    })
}

async fn current(authority: &Authority) -> Result<KeyRing> {
    authority.keys(PURPOSE).await.map_err(|error| fault(&error))
}

fn files(places: &Places) -> Result<Arc<KeyFiles>> {
    let files = KeyFiles::open(&places.keys());
    Ok(Arc::new(files.map_err(|error| Fault::new(codes::KEYS, error.to_string()))?))
}

/// What the keys do not allow is the caller's to mend; the rest is not.
fn fault(error: &KeysError) -> anyhow::Error {
    match error {
        KeysError::Ring(ring) => anyhow::Error::new(*ring),
        KeysError::Refused(refused) => session::fault(refused).into(),
        other => Fault::new(codes::KEYS, other.to_string()).into(),
    }
}
