//! `writ kill`: ends tasks, wherever on this machine they run.

use crate::cli::Kill;
use crate::output::{self, OurFault};
use crate::places::Places;
use crate::session;
use anyhow::{Context, Result};
use std::process::ExitCode;
use std::sync::Arc;
use writ_broker::authority;
use writ_broker::clock::SystemClock;
use writ_broker::codes;
use writ_broker::event::Owner;
use writ_broker::state::Selector;
use writ_runtime::wire::Fault;

/// Kills, waits until it is so, and says what was ended.
pub(crate) fn kill(args: &Kill) -> Result<ExitCode> {
    let ledger = Places::find(&args.own)?.open_ledger()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context(OurFault("the runtime does not start"))?;
    let kill =
        authority::Kill { selector: selector(args), by: session::user(), why: args.why.clone() };
    // Not to be interrupted: half a kill is none, and it takes two seconds at most.
    let receipt = runtime.block_on(authority::kill(ledger, Arc::new(SystemClock), kill));
    let receipt = receipt.map_err(|error| match error {
        authority::KillError::NotLive(_) => anyhow::Error::new(error),
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
