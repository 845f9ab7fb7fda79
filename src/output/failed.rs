//! What a script reads when its command failed before there was anything to report: one object all
//! the same, of that command's own schema.

use super::report::{ErrorReport, RunReport, exit_code_of};
use super::{json_line, result};
use crate::cli::Command;
use anyhow::Result;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::process::ExitCode;
use writ_broker::codes;
use writ_broker::text::printable;
use writ_runtime::wire::Fault;

/// A command that was asked for JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// `writ run --json` and `writ call --json`.
    Run,
    /// `writ inspect --json`.
    Inspect,
    /// `writ check --json`.
    Check,
    /// `writ ps --json`.
    Ps,
    /// `writ kill --json`.
    Kill,
    /// `writ keys … --json`.
    Keys,
}

impl Asked {
    /// Says which command was asked for JSON, if one was.
    pub(crate) fn by(command: &Command) -> Option<Self> {
        match command {
            Command::Run(args) => args.call.json.then_some(Self::Run),
            Command::Call(args) => args.call.json.then_some(Self::Run),
            Command::Inspect(args) => args.json.then_some(Self::Inspect),
            Command::Check(args) => args.json.then_some(Self::Check),
            Command::Ps(args) => args.json.then_some(Self::Ps),
            Command::Kill(args) => args.json.then_some(Self::Kill),
            Command::Keys(args) => args.common.json.then_some(Self::Keys),
            Command::Task(_)
            | Command::Serve(_)
            | Command::Explain(_)
            | Command::Completions(_) => None,
        }
    }

    /// The same, for a command line that makes no sense: what is a flag and what is the value of one
    /// cannot be told for certain there. What follows `--` belongs to the tool.
    fn in_words(mut words: impl Iterator<Item = OsString>) -> Option<Self> {
        let asked = match words.next()?.to_str()? {
            "run" | "call" => Self::Run,
            "inspect" => Self::Inspect,
            "check" => Self::Check,
            "ps" => Self::Ps,
            "kill" => Self::Kill,
            "keys" => Self::Keys,
            _ => return None,
        };
        words.take_while(|word| word != "--").any(|word| word == "--json").then_some(asked)
    }
}

/// Prints the object of a command that failed.
pub(crate) fn failed(asked: Asked, error: &anyhow::Error) -> Result<ExitCode> {
    let (_, exit_code) = exit_code_of(error);
    match asked {
        Asked::Run => return RunReport::failed(error, None).print_json(),
        Asked::Inspect => plain("writ.inspect/1", error)?,
        Asked::Ps => plain("writ.ps/1", error)?,
        Asked::Kill => plain("writ.kill/1", error)?,
        Asked::Keys => plain("writ.keys/1", error)?,
        Asked::Check => result(json_line(&check_object(error))?),
    }
    Ok(ExitCode::from(exit_code))
}

/// An object that has nothing but the error.
fn plain(schema: &str, error: &anyhow::Error) -> Result<()> {
    let (code, exit_code) = exit_code_of(error);
    let error = ErrorReport::of(error, code);
    result(json_line(&json!({ "schema": schema, "exit_code": exit_code, "error": error }))?);
    Ok(())
}

/// In the words of a check, what went wrong is a message that has no place in the grant.
fn check_object(error: &anyhow::Error) -> Value {
    let code = exit_code_of(error).0.unwrap_or(codes::USAGE);
    json!({
        "schema": "writ.check/1",
        "ok": false,
        "errors": 1,
        "warnings": 0,
        "left_out": 0,
        "diagnostics": [{
            "code": code,
            "severity": "error",
            "message": printable(&format!("{error:#}")),
            "place": null,
            "related": [],
            "help": null,
        }],
        "grant": null,
    })
}

/// Says what is wrong with a command line, to a person and, where one asked, to a script; prints the
/// help and the version as well, which come the same way.
pub(crate) fn misused(error: &clap::Error) -> ExitCode {
    let said = error.print();
    let exit = u8::try_from(error.exit_code()).unwrap_or(2);
    if error.use_stderr()
        && let Some(asked) = Asked::in_words(std::env::args_os().skip(1))
    {
        let fault = Fault::new(codes::USAGE, first_paragraph(&error.render().to_string()));
        drop(failed(asked, &fault.into()));
    }
    // Nobody is left to be told that nobody listens.
    drop(said);
    ExitCode::from(exit)
}

/// What stands before the usage, on one line.
fn first_paragraph(text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Option<Asked> {
        Asked::in_words(line.split(' ').map(OsString::from))
    }

    #[test]
    fn json_is_asked_for_before_the_words_of_the_tool() {
        assert_eq!(asked("run --frobnicate --json"), Some(Asked::Run));
        assert_eq!(asked("check --json"), Some(Asked::Check));
        assert_eq!(asked("run x.wasm -- --json"), None);
        assert_eq!(asked("--json run"), None);
        assert_eq!(asked("inspect"), None);
    }
}
