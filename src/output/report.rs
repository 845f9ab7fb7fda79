//! How a run is reported: to a person on standard error, to a script as one JSON object.

use super::denials::{Denials, Kept};
use super::{Sink, Weight, json_line, result, say};
use crate::commands::grants::Unsound;
use crate::commands::tools::Tool;
use crate::signals::Ended;
use anyhow::{Context, Result};
use base64::Engine as _;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::process::ExitCode;
use writ_broker::codes::{self, Code};
use writ_runtime::confinement::Confinement;
use writ_runtime::outcome::{LimitName, Outcome};
use writ_runtime::supervisor::{CallReport, Usage};
use writ_runtime::wire::Fault;

/// The version of the JSON object; `schema/run.json` says what is in it, and the tests hold every
/// report to that. A field may be added; none changes its meaning or goes.
const SCHEMA: &str = "writ.run/1";

/// Exit codes, as `writ run --help` lists them.
const TOOL_FAILED: u8 = 1;
const USAGE: u8 = 2;
const DENIED: u8 = 3;
const LIMIT: u8 = 7;
pub(super) const OUR_FAULT: u8 = 125;
const KILLED: u8 = 137;

/// One run, as a script reads it.
#[derive(Debug, Serialize)]
pub(crate) struct RunReport {
    schema: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<ToolReport>,
    outcome: &'static str,
    exit_code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<LimitName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Box<RawValue>>,
    #[serde(flatten)]
    output: Option<OutputReport>,
    truncated: Vec<LimitName>,
    denials: Vec<DenialReport>,
    denials_omitted: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confinement: Option<Confinement>,
}

#[derive(Debug, Serialize)]
struct ToolReport {
    name: String,
    digest: String,
}

/// Why nothing was run. What is wrong with a grant stands at its places, as `writ check` says it.
#[derive(Debug, Serialize)]
pub(super) struct ErrorReport {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    diagnostics: Option<Value>,
}

impl ErrorReport {
    pub(super) fn of(error: &anyhow::Error, code: Option<Code>) -> Self {
        let diagnostics = error.downcast_ref().map(|unsound: &Unsound| unsound.diagnostics.clone());
        Self { code, message: format!("{error:#}"), diagnostics }
    }
}

/// Something that neither the grant, the tool nor its caller can be blamed for.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("{0}")]
pub(crate) struct OurFault(pub(crate) &'static str);

/// What the guest printed. Bytes that are no UTF-8 come as base64 beside the readable form.
#[derive(Debug, Serialize)]
struct OutputReport {
    stdout: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdout_base64: Option<String>,
    stderr: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    stderr_base64: Option<String>,
}

/// A refusal without the way out: an agent reads this, and it may not widen its own grant.
#[derive(Debug, Serialize)]
struct DenialReport {
    code: Code,
    what: String,
    target: String,
    reason: String,
}

/// How a run ended, in three words: for the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) outcome: &'static str,
    pub(crate) exit_code: u8,
    pub(crate) limit: Option<LimitName>,
}

impl Verdict {
    pub(crate) fn of(report: &Result<RunReport>) -> Self {
        match report {
            Ok(RunReport { outcome, exit_code, limit, .. }) => {
                Self { outcome, exit_code: *exit_code, limit: *limit }
            }
            Err(error) => {
                let RunReport { outcome, exit_code, .. } = RunReport::failed(error, None);
                Self { outcome, exit_code, limit: None }
            }
        }
    }
}

impl RunReport {
    /// Reports a run that came to an end of its own or of ours.
    pub(crate) fn ended(
        tool: &Tool,
        function: bool,
        report: CallReport,
        sink: Sink,
        denials: &Denials,
    ) -> Result<Self> {
        let kept = denials.kept();
        let (outcome, exit_code) = name(&report.outcome, function, &kept);
        let (limit, reason) = match report.outcome {
            Outcome::OverLimit { limit } => (Some(limit), None),
            Outcome::Trapped { reason } => (None, Some(reason)),
            _ => (None, None),
        };
        let result = report
            .result
            .map(RawValue::from_string)
            .transpose()
            .context(OurFault("the worker's result is not JSON"))?;
        Ok(Self {
            task: Some(denials.task().to_owned()),
            tool: Some(ToolReport { name: tool.name.clone(), digest: tool.digest_text() }),
            outcome,
            exit_code,
            limit,
            reason,
            result,
            output: sink.into_kept().map(|(stdout, stderr)| OutputReport::of(stdout, stderr)),
            truncated: report.truncated,
            usage: Some(report.usage),
            confinement: Some(report.confinement),
            ..Self::empty(kept)
        })
    }

    /// Reports a run that never came to run, and may not have come to be a task.
    pub(crate) fn failed(error: &anyhow::Error, denials: Option<&Denials>) -> Self {
        let (code, exit_code) = exit_code_of(error);
        let report = Self {
            task: denials.map(|denials| denials.task().to_owned()),
            exit_code,
            ..Self::empty(denials.map(Denials::kept).unwrap_or_default())
        };
        match error.downcast_ref::<Ended>() {
            // A signal that came before the call is told like one that came in it.
            Some(ended) => Self { outcome: "killed", ..report.ended_by(ended) },
            None => Self { error: Some(ErrorReport::of(error, code)), ..report },
        }
    }

    fn empty(kept: Kept) -> Self {
        let denial = |refusal: writ_broker::Refusal| DenialReport {
            code: refusal.code,
            what: refusal.what,
            target: refusal.target,
            reason: refusal.reason,
        };
        Self {
            schema: SCHEMA,
            task: None,
            tool: None,
            outcome: "error",
            exit_code: OUR_FAULT,
            limit: None,
            reason: None,
            error: None,
            result: None,
            output: None,
            truncated: Vec::new(),
            denials: kept.listed.into_iter().map(denial).collect(),
            denials_omitted: kept.omitted,
            usage: None,
            confinement: None,
        }
    }

    /// The run was ended from outside.
    pub(crate) fn ended_by(mut self, ended: &Ended) -> Self {
        self.exit_code = ended.exit_code();
        self.reason = Some(ended.to_string());
        self
    }

    /// Prints the report as one JSON object.
    pub(crate) fn print_json(&self) -> Result<ExitCode> {
        result(json_line(self)?);
        Ok(ExitCode::from(self.exit_code))
    }

    /// Prints what a person needs to know beside the tool's own output.
    pub(crate) fn print(&self, denials: &Denials) -> ExitCode {
        let tool = self.tool.as_ref().map_or("?", |tool| &tool.name);
        let weight = if self.exit_code == 0 { Weight::Warning } else { Weight::Error };
        if let Some(value) = &self.result {
            result(value.get());
        }
        if let Some(confinement) = &self.confinement {
            super::less_confined(confinement);
        }
        let kept = denials.kept();
        for refusal in &kept.listed {
            let what = format!("tool \"{tool}\": {}: {}", refusal.target, refusal.reason);
            say(weight, Some(refusal.code.as_str()), &what, refusal.help.as_deref());
        }
        if kept.omitted > 0 {
            say(weight, None, &format!("{} more denials were not listed", kept.omitted), None);
        }
        for stream in &self.truncated {
            let what = format!("tool \"{tool}\": {} was cut off at its limit", words(*stream));
            let help = how_to_raise(&words(*stream));
            say(Weight::Warning, None, &what, Some(&help));
        }
        if let Some(limit) = self.limit {
            let help = how_to_raise(&words(limit));
            let what = format!("tool \"{tool}\" was ended: it hit the limit `{}`", words(limit));
            let code = codes::for_limit(&words(limit));
            say(Weight::Error, code.as_ref().map(Code::as_str), &what, Some(&help));
        }
        if let Some(reason) = &self.reason {
            let how = if self.outcome == "killed" { "was" } else { "trapped:" };
            say(Weight::Error, None, &format!("tool \"{tool}\" {how} {reason}"), None);
        }
        ExitCode::from(self.exit_code)
    }
}

impl OutputReport {
    fn of(stdout: Vec<u8>, stderr: Vec<u8>) -> Self {
        let (stdout, stdout_base64) = readable(stdout);
        let (stderr, stderr_base64) = readable(stderr);
        Self { stdout, stdout_base64, stderr, stderr_base64 }
    }
}

fn readable(bytes: Vec<u8>) -> (String, Option<String>) {
    match String::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let bytes = error.as_bytes();
            let exact = base64::engine::general_purpose::STANDARD.encode(bytes);
            (String::from_utf8_lossy(bytes).into_owned(), Some(exact))
        }
    }
}

/// The outcome's name and the exit code that goes with it.
///
/// A command's own code passes through. A function that failed after something was refused is
/// reported as denied: that is what its caller can act on.
fn name(outcome: &Outcome, function: bool, kept: &Kept) -> (&'static str, u8) {
    match outcome {
        Outcome::Exited { code } if !function => ("exited", *code),
        Outcome::Exited { code: 0 } => ("exited", 0),
        Outcome::Exited { .. } | Outcome::Trapped { .. } if function && !kept.listed.is_empty() => {
            ("denied", DENIED)
        }
        Outcome::Exited { .. } => ("exited", TOOL_FAILED),
        Outcome::Trapped { .. } => ("trapped", TOOL_FAILED),
        Outcome::OverLimit { .. } => ("over_limit", LIMIT),
        Outcome::Killed => ("killed", KILLED),
    }
}

/// The code and the exit code of an error that ended the program.
pub(crate) fn exit_code_of(error: &anyhow::Error) -> (Option<Code>, u8) {
    if error.is::<Unsound>() {
        return (None, DENIED);
    }
    if let Some(signal) = error.downcast_ref::<Ended>() {
        return (None, signal.exit_code());
    }
    if error.is::<OurFault>() {
        return (None, OUR_FAULT);
    }
    let Some(fault) = error.downcast_ref::<Fault>() else { return (None, USAGE) };
    let exit = match fault.code.as_str().as_bytes().first() {
        Some(b'T' | b'U') => USAGE,
        Some(b'G' | b'D') => DENIED,
        _ => OUR_FAULT,
    };
    (Some(fault.code.clone()), exit)
}

/// The flag that raises a limit: the life of the task is no bound among others.
fn how_to_raise(limit: &str) -> String {
    match limit {
        "ttl" => "raise it with `--ttl …`".to_owned(),
        other => format!("raise it with `--limit {other}=…`"),
    }
}

/// The bound's name, as a grant file spells it.
pub(crate) fn words(limit: LimitName) -> String {
    serde_json::to_value(limit)
        .ok()
        .and_then(|name| name.as_str().map(str::to_owned))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_raised_by_its_own_flag() {
        assert_eq!(how_to_raise("wall"), "raise it with `--limit wall=…`");
        assert_eq!(how_to_raise("ttl"), "raise it with `--ttl …`");
    }

    #[test]
    fn what_nobody_else_did_is_our_own_fault() {
        let absent = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let ours = anyhow::Error::from(absent()).context(OurFault("no worker starts"));
        assert_eq!(exit_code_of(&ours), (None, OUR_FAULT));
        assert!(format!("{ours:#}").starts_with("no worker starts: "));
        let theirs = anyhow::Error::from(absent()).context("cannot read absent.wasm");
        assert_eq!(exit_code_of(&theirs), (None, USAGE));
    }
}
