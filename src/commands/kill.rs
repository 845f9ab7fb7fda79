//! `writ kill`: ends tasks, wherever on this machine they run.

use crate::cli::Kill;
use crate::output::{self, OurFault};
use crate::places::Places;
use crate::session;
use anyhow::{Context, Result};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use writ_broker::authority::{self, Authority, KillError, View};
use writ_broker::clock::SystemClock;
use writ_broker::codes;
use writ_broker::event::Owner;
use writ_broker::state::Selector;
use writ_runtime::wire::Fault;

/// How long what is left to revoke is tried.
const PATIENCE: Duration = Duration::from_secs(5);

/// Kills, waits until it is so, and says what was ended.
pub(crate) fn kill(args: &Kill) -> Result<ExitCode> {
    let ledger = Places::find(&args.own)?.open_ledger()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context(OurFault("the runtime does not start"))?;
    let kill =
        authority::Kill { selector: selector(args), by: session::user(), why: args.why.clone() };
    let providers = args.credentials.as_deref().map(session::providers).transpose()?;
    // Not to be interrupted: half a kill is none, and it takes seconds at most.
    let receipt = runtime.block_on(async {
        let clock = Arc::new(SystemClock);
        let mut receipt = authority::kill(Arc::clone(&ledger), clock.clone(), kill).await?;
        if let Some(providers) = providers
            && let Ok(authority) = Authority::open(Arc::clone(&ledger), clock)
        {
            // What fails here is listed as pending.
            let _ = authority.revoke_orphans(&providers, Instant::now() + PATIENCE).await;
            receipt.pending = authority::pending(View::open(ledger)?.state());
        }
        Ok(receipt)
    });
    let receipt = receipt.map_err(|error: KillError| match error {
        KillError::NotLive(_) => anyhow::Error::new(error),
        error => Fault::new(codes::LEDGER, error.to_string()).into(),
    })?;
    output::receipt(&receipt, args.json)
}

fn selector(args: &Kill) -> Selector {
    match (&args.task, args.owner, &args.label) {
        (Some(task), _, _) => Selector::Task(task.clone()),
        (None, Some(uid), _) => Selector::Owner(Owner::User { uid }),
        (None, None, Some((name, value))) => Selector::Label(name.clone(), value.clone()),
        (None, None, None) => Selector::All,
    }
}
