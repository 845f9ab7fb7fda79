//! Every line that a person or a script reads comes from here.

mod denials;
mod failed;
mod keys;
mod lives;
mod progress;
mod receipt;
mod report;
mod sink;

pub(crate) use denials::Denials;
pub(crate) use failed::{Asked, failed, misused};
pub(crate) use keys::keys;
pub(crate) use lives::lives;
pub(crate) use progress::Progress;
pub(crate) use receipt::receipt;
pub(crate) use report::{OurFault, RunReport, Verdict, exit_code_of, words};
pub(crate) use sink::Sink;
pub(crate) use writ_broker::json::line as json_line;

use crate::commands::grants::Unsound;
use anstyle::{AnsiColor, Style};
use report::OUR_FAULT;
use std::fmt::Display;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;
use writ_broker::diagnostic::Report;
use writ_broker::grant::Wider;
use writ_broker::text::printable;
use writ_runtime::confinement::{Confinement, Layer};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HELP: Style = AnsiColor::Cyan.on_default().bold();

/// How much a message weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// The run failed for this.
    Error,
    /// The run went on.
    Warning,
}

/// Prints a result to standard output. A reader that has gone has seen enough; that a disk is full is
/// said, and changes nothing about how the run ended.
pub(crate) fn result(text: impl Display) {
    let written = writeln!(anstream::stdout(), "{text}");
    if let Err(error) = written.or_else(unless_closed) {
        let help = "look at where standard output leads";
        say(Weight::Error, None, &format!("the result cannot be written: {error}"), Some(help));
    }
}

/// Prints text that is finished, with its own line ends, to standard error.
pub(crate) fn message(text: impl Display) {
    // If it cannot be written there is nobody left to tell.
    let _ = write!(anstream::stderr(), "{text}");
}

/// Prints one message in the form of rustc: what is wrong, then a way out.
pub(crate) fn say(weight: Weight, code: Option<&str>, what: &str, help: Option<&str>) {
    let (style, word) = match weight {
        Weight::Error => (ERROR, "error"),
        Weight::Warning => (WARNING, "warning"),
    };
    let code = code.map(|code| format!("[{code}]")).unwrap_or_default();
    let mut text = format!("{style}{word}{code}{style:#}: {}\n", lines(what));
    if let Some(help) = help {
        text.push_str(&format!("  {HELP}help{HELP:#}: {}\n", printable(help)));
    }
    message(text);
}

/// Escapes everything but line ends, and sets the lines after the first off from our own.
fn lines(text: &str) -> String {
    text.trim_end().split('\n').map(printable).collect::<Vec<_>>().join("\n    ")
}

/// Prints the messages about a grant.
pub(crate) fn diagnostics(report: &Report) {
    message(report.render(true));
}

/// Says that a compiled tool in the cache was not used.
pub(crate) fn cache_rejected(tool: &str, why: &str) {
    let what = format!("the compiled form of \"{tool}\" was not used: {why}");
    say(Weight::Warning, Some("C0102"), &what, Some("it is compiled anew; nothing to do"));
}

/// Says that the whole compile cache was not used.
pub(crate) fn cache_unused(why: &str) {
    let what = format!("the compile cache is not used: {why}");
    let help = "the tool is compiled for this run only; `writ explain C0103` says more";
    say(Weight::Warning, Some("C0103"), &what, Some(help));
}

/// Says where the daemon listens, once it does.
pub(crate) fn listening(socket: &Path, addresses: &[SocketAddr], tls: bool) {
    let scheme = if tls { "https" } else { "http" };
    let tcp = addresses.iter().map(|address| format!("listening on {scheme}://{address}\n"));
    let unix = printable(&socket.display().to_string()).into_owned();
    message(format!("listening on {unix}\n{}", tcp.collect::<String>()));
}

/// Says where a grant goes beyond the one above it.
pub(crate) fn wider(wider: &[Wider]) {
    for Wider { field, why, help } in wider {
        say(Weight::Error, None, &format!("{field}: {why}"), help.as_deref());
    }
}

/// Says that credentials still exist upstream.
pub(crate) fn still_to_be_revoked(count: usize) {
    let what = match count {
        1 => "a credential is still to be revoked upstream".to_owned(),
        count => format!("{count} credentials are still to be revoked upstream"),
    };
    let help =
        "it is tried again with every run that has the same `--credentials`; `writ ps` lists them";
    say(Weight::Warning, None, &what, Some(help));
}

/// Says that the second wall was not complete; a run that went well would hide it otherwise.
pub(crate) fn less_confined(confinement: &Confinement) {
    if confinement.weakest() == Layer::Full {
        return;
    }
    let layers = serde_json::to_string(confinement).unwrap_or_default();
    let what = format!("the worker was confined less than in full: {layers}");
    let help = "`--require-confinement` refuses to run so; `writ explain C0101` says more";
    say(Weight::Warning, Some("C0101"), &what, Some(help));
}

/// Prints an error that ended the program and returns how it exits.
pub(crate) fn failure(error: &anyhow::Error) -> ExitCode {
    let (code, exit) = exit_code_of(error);
    if error.is::<Unsound>() {
        message(format!("{error}\n"));
        return ExitCode::from(exit);
    }
    let help = code.as_ref().map(|code| format!("`writ explain {code}` says more"));
    let code = code.as_ref().map(|code| code.as_str());
    say(Weight::Error, code, &format!("{error:#}"), help.as_deref());
    ExitCode::from(exit)
}

/// Lets a library write its own text, with colours where the terminal has them. The exit code is the
/// library's, whether anybody reads the text or not.
pub(crate) fn through_writers(
    write: impl FnOnce(&mut dyn Write, &mut dyn Write) -> (u8, io::Result<()>),
) -> anyhow::Result<ExitCode> {
    let (code, written) = write(&mut anstream::stdout(), &mut anstream::stderr());
    match written.or_else(unless_closed) {
        // What could not be written to a full disk may not look like a success.
        Err(error) if code == 0 => Err(error.into()),
        _ => Ok(ExitCode::from(code)),
    }
}

/// Whoever reads has seen enough, as with `| head`.
fn unless_closed(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}

/// Starts the log: `WRIT_LOG` filters it, `WRIT_LOG_FORMAT=json` makes each line one object.
pub(crate) fn start_log() {
    let Ok(filter) = EnvFilter::try_from_env("WRIT_LOG") else { return };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match std::env::var("WRIT_LOG_FORMAT") {
        Ok(format) if format == "json" => log.json().init(),
        _ => log.with_ansi(false).init(),
    }
}
