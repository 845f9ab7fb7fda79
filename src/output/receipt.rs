//! What a kill has done: a receipt for a person or a script.

use super::{OUR_FAULT, Weight, json_line, result, say};
use anyhow::Result;
use serde::Serialize;
use std::process::ExitCode;
use writ_broker::authority::{Cut, Receipt};
use writ_broker::text::printable;

/// The version of the JSON object; `schema/kill.json` says what is in it.
const SCHEMA: &str = "writ.kill/1";

#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    exit_code: u8,
    #[serde(flatten)]
    receipt: &'a Receipt,
}

/// Prints a receipt. What it could not do makes the exit code.
pub(crate) fn receipt(receipt: &Receipt, json: bool) -> Result<ExitCode> {
    let exit_code = if receipt.is_complete() { 0 } else { OUR_FAULT };
    if json {
        result(json_line(&Report { schema: SCHEMA, exit_code, receipt })?);
        return Ok(ExitCode::from(exit_code));
    }
    result(summary(receipt));
    if let Some(why) = &receipt.undurable {
        let what = format!("the kill is not in the ledger: {why}");
        let help = "what ran was ended all the same; `writ explain C0105` says more";
        say(Weight::Error, Some("C0105"), &what, Some(help));
    }
    for (host, _) in receipt.processes.iter().filter(|(_, cut)| **cut == Cut::OutOfReach) {
        let what = format!("{host} did not answer and cannot be ended from here");
        let help = "it runs in another container: end it there; nothing new leaves it";
        say(Weight::Error, None, &what, Some(help));
    }
    for pending in &receipt.pending {
        let (name, kind) = (&pending.credential, &pending.kind);
        let what = format!("{name} ({kind}) of {} is still to be revoked", pending.task);
        say(Weight::Warning, None, &what, Some("`writ ps` says when it is"));
    }
    Ok(ExitCode::from(exit_code))
}

fn summary(receipt: &Receipt) -> String {
    let count = |count: usize, word: &str| match count {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    };
    let mut text = format!(
        "killed {} with {} and {} in {}.{:03} ms",
        count(receipt.tasks.len(), "task"),
        count(receipt.calls, "running call"),
        count(receipt.tokens, "live token"),
        receipt.micros / 1000,
        receipt.micros % 1000,
    );
    for task in &receipt.tasks {
        text.push_str(&format!("\n  {task}"));
    }
    for (host, cut) in &receipt.processes {
        let how = match cut {
            Cut::Acknowledged => "stopped what it ran",
            Cut::Fenced => "was ended, or was gone",
            Cut::OutOfReach => "did not answer",
        };
        text.push_str(&format!("\n  {host} {how}"));
    }
    printable_lines(&text)
}

fn printable_lines(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\n")
}
