//! `writ` runs an AI agent's tool calls as WebAssembly components, each under a grant.

mod cli;
mod commands;
mod output;
mod places;
mod session;
mod signals;

use clap::Parser;
use output::OurFault;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else: a worker must not parse, allocate or start what it does not need.
    if std::env::args_os().nth(1).is_some_and(|word| word == cli::WORKER) {
        writ_runtime::worker::main();
    }
    // A host holds secrets: they are for no core dump and no debugger of the same user.
    if set_dumpable_behavior(DumpableBehavior::NotDumpable).is_err() {
        return output::failure(&OurFault("this process cannot be kept out of core dumps").into());
    }
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return output::misused(&error),
    };
    output::start_log();
    match commands::run(cli.command) {
        Ok(code) => code,
        Err(error) => output::failure(&error),
    }
}
