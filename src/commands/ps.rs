//! `writ ps`: what lives, and what is not quite gone.

use crate::cli::Ps;
use crate::output;
use crate::places::Places;
use anyhow::Result;
use std::process::ExitCode;
use writ_broker::authority::View;
use writ_broker::clock::{Clock, SystemClock};
use writ_broker::codes;
use writ_runtime::wire::Fault;

/// Lists the tasks of every process that shares the ledger.
pub(crate) fn ps(args: &Ps) -> Result<ExitCode> {
    let ledger = Places::find(&args.own)?.open_ledger()?;
    let unreadable = |error: &dyn std::error::Error| Fault::new(codes::LEDGER, error.to_string());
    let view = View::open(ledger).map_err(|error| unreadable(&error))?;
    output::lives(view.state(), SystemClock.now(), args.json)
}
