//! What each command does.

pub(crate) mod grants;
mod inspect;
mod invoke;
mod keys;
mod kill;
mod operator;
mod ps;
mod run;
mod serve;
mod task;
pub(crate) mod tools;

use crate::cli::{Cli, Command};
use crate::output::{self, Asked};
use anyhow::Result;
use clap::CommandFactory;
use std::process::ExitCode;
use writ_broker::report;

/// Runs a command and says how the process exits.
pub(crate) fn run(command: Command) -> Result<ExitCode> {
    let asked = Asked::by(&command);
    match (dispatch(command), asked) {
        (Err(error), Some(asked)) => output::failed(asked, &error),
        (done, _) => done,
    }
}

fn dispatch(command: Command) -> Result<ExitCode> {
    match command {
        Command::Run(args) => run::run(&args),
        Command::Call(args) => run::call(&args),
        Command::Task(args) => task::task(&args),
        Command::Inspect(args) => inspect::inspect(&args),
        Command::Check(args) => grants::check(&args),
        Command::Ps(args) => ps::ps(&args),
        Command::Kill(args) => kill::kill(&args),
        Command::Keys(args) => keys::keys(&args),
        Command::Serve(args) => serve::serve(&args),
        Command::Explain(args) => output::through_writers(|out, err| {
            report::explain(args.code.as_deref(), true, out, err)
        }),
        Command::Completions(args) => output::through_writers(|out, _| {
            // Into memory first: a failed write would make it panic.
            let mut script = Vec::new();
            clap_complete::generate(args.shell, &mut Cli::command(), "writ", &mut script);
            (report::DONE, out.write_all(&script))
        }),
    }
}
