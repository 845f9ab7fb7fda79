//! Grants from a file and flags: for a run, and for `writ check`.

use crate::cli::{Check, GrantFlags, Granted};
use crate::output;
use crate::places::Places;
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::ExitCode;
use writ_broker::Grant;
use writ_broker::diagnostic::Severity;
use writ_broker::grant::{Flags, Place};
use writ_broker::report::{self, CheckArgs, Format};

/// A grant that has errors; they were printed already.
#[derive(Debug, thiserror::Error)]
#[error("the grant has {errors}; nothing was run")]
pub(crate) struct Unsound {
    errors: String,
    /// The same messages, for a script.
    pub(crate) diagnostics: serde_json::Value,
}

/// Reads the grant of a run. Its errors are printed here, where their places are known.
pub(crate) fn load(granted: &Granted, places: &Places) -> Result<Grant> {
    load_from(granted.grant.as_ref(), (&granted.flags).into(), places)
}

/// Reads a grant that was written by us.
pub(crate) fn load_file(file: &PathBuf, places: &Places) -> Result<Grant> {
    load_from(Some(file), Flags::default(), places)
}

fn load_from(file: Option<&PathBuf>, flags: Flags, places: &Places) -> Result<Grant> {
    let parsed = report::load(file, flags, &place(places)?);
    if let Some(grant) = parsed.grant {
        return Ok(grant);
    }
    output::diagnostics(&parsed.report);
    let errors = parsed.report.count(Severity::Error);
    let errors = if errors == 1 { "an error".to_owned() } else { format!("{errors} errors") };
    Err(Unsound { errors, diagnostics: parsed.report.to_json() }.into())
}

/// `writ check`: says what is wrong with a grant and what it adds up to.
pub(crate) fn check(args: &Check) -> Result<ExitCode> {
    let places = Places::find(&args.own)?;
    let format = match (args.json, args.sarif) {
        (true, _) => Format::Json,
        (_, true) => Format::Sarif,
        _ => Format::Human,
    };
    let asked = CheckArgs {
        grant: args.grant.clone(),
        flags: (&args.flags).into(),
        format,
        deny_warnings: args.deny_warnings,
        color: true,
    };
    let place = place(&places)?;
    output::through_writers(|out, err| report::check(&asked, &place, out, err))
}

fn place(places: &Places) -> Result<Place> {
    Ok(Place {
        current_dir: std::env::current_dir().context("the current directory is gone")?,
        homes: std::env::home_dir().into_iter().collect(),
        own: vec![places.cache.clone(), places.state.clone()],
        lint: false,
    })
}

impl From<&GrantFlags> for Flags {
    fn from(flags: &GrantFlags) -> Self {
        let GrantFlags { read, write, http, tcp, env, limit, ttl } = flags.clone();
        Self { read, write, http, tcp, env, limit, ttl }
    }
}
