//! The command line, as types.

use clap::{Args, Parser, Subcommand, ValueHint};
use std::net::SocketAddr;
use std::path::PathBuf;
use writ_broker::id::TaskId;
use writ_broker::keys::Thumbprint;

/// The hidden word that makes this binary a worker.
pub(crate) const WORKER: &str = "__worker";

/// Runs an AI agent's tool calls as WebAssembly, each under a grant.
#[derive(Debug, Parser)]
#[command(name = "writ", version, arg_required_else_help = true, after_help = TOP_EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const TOP_EXAMPLES: &str = "\
Examples:
  writ run sitegen.wasm --grant grant.toml -- /site /site/out
  writ run textstat.wasm --read ./docs::/docs --call count --args '{\"path\":\"/docs\"}'
  writ check grant.toml
  writ explain D0101";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a tool under a grant
    Run(Box<Run>),
    /// Call a tool in a task that was started before
    Call(Box<Call>),
    /// Start, narrow and end tasks
    Task(Box<Task>),
    /// Show what a tool is: its kind, its imports and its functions
    Inspect(Inspect),
    /// Check a grant and print what it adds up to
    Check(Check),
    /// List what lives: tasks, what they run and the credentials they hold
    Ps(Ps),
    /// End tasks wherever they run, with their connections and credentials
    Kill(Kill),
    /// List and rotate the keys that sign tokens
    Keys(Keys),
    /// Answer resource servers about tokens, and this machine about tasks
    Serve(Serve),
    /// Explain a message code
    Explain(Explain),
    /// Print a completion script for a shell
    Completions(Completions),
}

/// What is granted on the command line; adds to the grant file, never overrides it.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Grant")]
pub(crate) struct GrantFlags {
    /// Let the tool read a directory: HOST::GUEST
    #[arg(long, value_name = "HOST::GUEST", value_hint = ValueHint::DirPath)]
    pub(crate) read: Vec<String>,
    /// Let the tool read and change a directory: HOST::GUEST
    #[arg(long, value_name = "HOST::GUEST", value_hint = ValueHint::DirPath)]
    pub(crate) write: Vec<String>,
    /// Let the tool send requests: 'METHOD[,METHOD] URL', with ** for any path below
    #[arg(long, value_name = "RULE")]
    pub(crate) http: Vec<String>,
    /// Let the tool open TCP connections: HOST:PORT
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) tcp: Vec<String>,
    /// Set a variable in the tool's environment
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// Set a limit, for example memory=64MiB or wall=5s
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) limit: Vec<String>,
    /// How long the task may live at all, for example 10m
    #[arg(long, value_name = "TIME")]
    pub(crate) ttl: Option<String>,
}

/// What is called, and how.
#[derive(Debug, Args)]
pub(crate) struct ToolCall {
    /// The tool: a WebAssembly file
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) tool: PathBuf,
    /// Call an exported function instead of the tool's command
    #[arg(long, value_name = "FUNC")]
    pub(crate) call: Option<String>,
    /// The function's arguments: a JSON object by name or array by position; @FILE reads a file
    #[arg(long, value_name = "JSON", requires = "call", default_value = "{}")]
    pub(crate) args: String,
    /// Print one JSON object with the outcome, the denials and what was used
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) operator: Operator,
    /// Arguments for the tool's command
    #[arg(last = true, value_name = "ARGS", conflicts_with = "call")]
    pub(crate) rest: Vec<String>,
}

/// What is granted to a new task.
#[derive(Debug, Args)]
pub(crate) struct Granted {
    /// The grant file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) grant: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) flags: GrantFlags,
    /// A word by which the task can be found and killed
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    pub(crate) label: Vec<(String, String)>,
}

/// Run a tool under a grant.
#[derive(Debug, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) call: ToolCall,
    #[command(flatten)]
    pub(crate) granted: Granted,
}

/// Call a tool in a task.
#[derive(Debug, Args)]
#[command(after_help = CALL_EXAMPLES)]
pub(crate) struct Call {
    /// The task, as `writ task start` printed it
    pub(crate) task: TaskId,
    #[command(flatten)]
    pub(crate) call: ToolCall,
}

const CALL_EXAMPLES: &str = "\
Examples:
  task=$(writ task start --grant grant.toml --ttl 10m)
  writ call $task sitegen.wasm -- /site /site/out
  writ task end $task

The limits of the grant bound each call.";

/// Start, narrow and end tasks.
#[derive(Debug, Args)]
#[command(after_help = TASK_EXAMPLES)]
pub(crate) struct Task {
    #[command(subcommand)]
    pub(crate) action: TaskAction,
}

/// What to do with a task.
#[derive(Debug, Subcommand)]
pub(crate) enum TaskAction {
    /// Start a task that waits for calls, and print its name
    Start {
        #[command(flatten)]
        granted: Granted,
        #[command(flatten)]
        own: OwnDirs,
    },
    /// Start a task below another one, with no more than that may do, and print its name
    Child {
        /// The task above
        parent: TaskId,
        #[command(flatten)]
        granted: Granted,
        #[command(flatten)]
        own: OwnDirs,
    },
    /// End a task that is done, with everything below it
    End {
        /// The task
        task: TaskId,
        #[command(flatten)]
        own: OwnDirs,
    },
}

const TASK_EXAMPLES: &str = "\
Examples:
  task=$(writ task start --grant grant.toml --ttl 10m --label job=42)
  child=$(writ task child $task --read ./docs::/docs --ttl 1m)
  writ call $child textstat.wasm --call count --args '{\"path\":\"/docs\"}'
  writ task end $task";

const RUN_EXAMPLES: &str = "\
Examples:
  writ run sitegen.wasm --read ./site::/site --write ./site/out::/site/out -- /site /site/out
  writ run fetch.wasm --http 'GET https://api.github.com/repos/**' \\
      --call get --args '{\"url\":\"https://api.github.com/repos/acme/site\"}' --json

Exit codes:
  0 done · 1 the tool failed · 2 usage · 3 denied by the grant · 7 a limit was hit ·
  125 our own fault · 130 interrupted · 137 killed · 143 terminated; a command's own code passes through";

/// What the operator decides, and no grant can.
#[derive(Debug, Args)]
#[command(next_help_heading = "Operator")]
pub(crate) struct Operator {
    /// Trust the certificate authorities in a PEM file as well
    #[arg(long, value_name = "PEM", value_hint = ValueHint::FilePath)]
    pub(crate) ca: Vec<PathBuf>,
    /// Ask this name server instead of the system's
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) name_server: Option<SocketAddr>,
    /// Let granted names and addresses lead to this machine; for tests and local development
    #[arg(long)]
    pub(crate) dangerous_loopback: bool,
    /// The URL that stands in tokens as their issuer, where checkers find the keys
    #[arg(long, value_name = "URL", env = "WRIT_ISSUER", value_parser = issuer)]
    pub(crate) issuer: Option<String>,
    /// The file that says where the credentials of grants come from
    #[arg(long, value_name = "FILE", env = "WRIT_CREDENTIALS", value_hint = ValueHint::FilePath)]
    pub(crate) credentials: Option<PathBuf>,
    /// Refuse to run if this machine cannot confine the worker in full
    #[arg(long)]
    pub(crate) require_confinement: bool,
    #[command(flatten)]
    pub(crate) own: OwnDirs,
}

/// Where writ keeps its own files; no grant can reach them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Operator")]
pub(crate) struct OwnDirs {
    /// Where compiled tools are kept [default: $XDG_CACHE_HOME/writ]
    #[arg(long, value_name = "DIR", env = "WRIT_CACHE_DIR", value_hint = ValueHint::DirPath)]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Where keys and the ledger are kept [default: $XDG_STATE_HOME/writ]
    #[arg(long, value_name = "DIR", env = "WRIT_STATE_DIR", value_hint = ValueHint::DirPath)]
    pub(crate) state_dir: Option<PathBuf>,
}

/// Reads an issuer (RFC 8414 §2): an `https` URL without query and fragment. `http` is for this
/// machine alone.
fn issuer(text: &str) -> Result<String, String> {
    let url = text.parse::<http::Uri>().map_err(|error| error.to_string())?;
    let host = url.host().unwrap_or_default();
    let local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    let fits = match url.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => local,
        _ => false,
    };
    if !fits || text.contains(['?', '#', '@']) || text.len() > 512 {
        let form = "an issuer is an https URL without query and fragment, such as";
        return Err(format!("{form} https://writ.example.com; http is for this machine alone"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Reads a label: both sides are words that a shell and a table take as they are.
fn label(text: &str) -> Result<(String, String), String> {
    const LONGEST: usize = 64;
    let word = |text: &str| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_./:@".contains(&b);
        !text.is_empty() && text.len() <= LONGEST && text.bytes().all(fits)
    };
    match text.split_once('=') {
        Some((name, value)) if word(name) && word(value) => Ok((name.into(), value.into())),
        _ => Err(format!(
            "a label is NAME=VALUE, each of at most {LONGEST} letters, digits and \"-_./:@\""
        )),
    }
}

/// Show what a tool is.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The tool: a WebAssembly file
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) tool: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) operator: Operator,
}

/// Check a grant.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 sound · 3 errors, or warnings with --deny-warnings")]
pub(crate) struct Check {
    /// The grant file
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) grant: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) flags: GrantFlags,
    /// Print JSON
    #[arg(long, conflicts_with = "sarif")]
    pub(crate) json: bool,
    /// Print SARIF 2.1.0, for code scanners
    #[arg(long)]
    pub(crate) sarif: bool,
    /// Treat warnings as errors
    #[arg(long)]
    pub(crate) deny_warnings: bool,
    #[command(flatten)]
    pub(crate) own: OwnDirs,
}

/// List what lives.
#[derive(Debug, Args)]
pub(crate) struct Ps {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) own: OwnDirs,
}

/// End tasks.
#[derive(Debug, Args)]
#[command(after_help = KILL_EXAMPLES)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub(crate) struct Kill {
    /// The task, with everything below it
    #[arg(group = "which")]
    pub(crate) task: Option<TaskId>,
    /// Every task
    #[arg(long, group = "which")]
    pub(crate) all: bool,
    /// Every task of a user
    #[arg(long, value_name = "UID", group = "which")]
    pub(crate) owner: Option<u32>,
    /// Every task with a label
    #[arg(long, value_name = "NAME=VALUE", value_parser = label, group = "which")]
    pub(crate) label: Option<(String, String)>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(crate) why: Option<String>,
    /// The file that says where credentials come from: what is left to revoke is revoked now
    #[arg(long, value_name = "FILE", env = "WRIT_CREDENTIALS", value_hint = ValueHint::FilePath)]
    pub(crate) credentials: Option<PathBuf>,
    /// Print the receipt as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) own: OwnDirs,
}

const KILL_EXAMPLES: &str = "\
Examples:
  writ kill task-0123456789abcdef0123
  writ kill --label job=nightly --why 'it went astray'
  writ kill --all

When this returns, nothing that was killed runs any more.

Exit codes:
  0 done · 2 there is no such task · 125 not everything is stopped or recorded; the receipt says what";

/// Answer resource servers about tokens, and this machine about tasks.
#[derive(Debug, Args)]
#[command(after_help = SERVE_EXAMPLES)]
pub(crate) struct Serve {
    /// The URL that stands in tokens as their issuer, under which this daemon is reached
    #[arg(long, value_name = "URL", env = "WRIT_ISSUER", value_parser = issuer)]
    pub(crate) issuer: String,
    /// Listen for resource servers as well; without TLS only on this machine
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Vec<SocketAddr>,
    /// The certificate chain
    #[arg(long, value_name = "PEM", requires = "tls_key", value_hint = ValueHint::FilePath)]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's private key
    #[arg(long, value_name = "PEM", requires = "tls_cert", value_hint = ValueHint::FilePath)]
    pub(crate) tls_key: Option<PathBuf>,
    /// The file that names the resource servers that may ask about tokens
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) checkers: Option<PathBuf>,
    /// The file that says where credentials come from: what is left to revoke is revoked
    #[arg(long, value_name = "FILE", env = "WRIT_CREDENTIALS", value_hint = ValueHint::FilePath)]
    pub(crate) credentials: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) own: OwnDirs,
}

const SERVE_EXAMPLES: &str = "\
Examples:
  writ serve --issuer https://writ.example.com --listen 127.0.0.1:8443 --checkers checkers.toml
  curl --unix-socket ~/.local/state/writ/writ.sock http://writ/v1/tasks

A file of checkers names each resource server:
  [checker.api]
  secret_file = \"/etc/writ/api.secret\"
  audience = \"https://api.example.com\"";

/// List and rotate the keys that sign tokens.
#[derive(Debug, Args)]
#[command(after_help = KEYS_EXAMPLES)]
pub(crate) struct Keys {
    #[command(subcommand)]
    pub(crate) action: KeysAction,
    #[command(flatten)]
    pub(crate) common: KeysCommon,
}

/// What goes with every action on keys.
#[derive(Debug, Args)]
pub(crate) struct KeysCommon {
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) own: OwnDirs,
}

/// What to do with the keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysAction {
    /// List the keys that checkers are told of
    List,
    /// Print them as a JWK set (RFC 7517), for checkers that do not fetch it
    Jwks,
    /// Publish the next key; or let it sign, once every checker can know it
    Rotate,
    /// Remove a key that is lost or stolen: whatever it signed is refused at once
    Remove {
        /// The key, as `writ keys list` shows it
        #[arg(value_parser = kid, allow_hyphen_values = true)]
        kid: Thumbprint,
    },
}

const KEYS_EXAMPLES: &str = "\
Examples:
  writ keys list
  writ keys rotate          # publishes the next key; five minutes later it signs
  writ keys jwks > jwks.json";

fn kid(text: &str) -> Result<Thumbprint, String> {
    let form = "a key is named by the 43 characters that `writ keys list` shows";
    Thumbprint::parse(text).ok_or_else(|| form.to_owned())
}

/// Reads a reason that fits into a record.
fn reason(text: &str) -> Result<String, String> {
    const LONGEST: usize = 1024;
    if text.len() > LONGEST {
        return Err(format!("a reason has at most {LONGEST} bytes"));
    }
    Ok(text.to_owned())
}

/// Explain a message code.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The code, for example D0101; without one, all are listed
    pub(crate) code: Option<String>,
}

/// Print a completion script.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
