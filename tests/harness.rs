//! Starting the program as its users do, and reading what it says.

use crate::schema;
use serde_json::Value;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use writ_runtime::supervisor::WorkerProgram;

/// A guest that `scripts/guests` built.
pub(crate) fn guest(name: &str) -> PathBuf {
    built("guests", name)
}

/// A tool that others made, from `scripts/third-party`.
pub(crate) fn third_party(name: &str) -> PathBuf {
    built("third-party", name)
}

fn built(folder: &str, name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    let path = root.join(folder).join(format!("{name}.wasm"));
    assert!(path.exists(), "{} is missing; run scripts/{folder} first", path.display());
    path
}

/// A directory with a file `grant.toml` in it.
pub(crate) fn grant(text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("grant.toml"), text).unwrap();
    folder
}

/// The second wall's probe, which cargo builds beside the tests.
pub(crate) fn probe(attempt: &str) -> WorkerProgram {
    let path = Path::new(env!("CARGO_BIN_EXE_writ")).with_file_name("examples").join("probe");
    let way_out = "run `cargo test` without naming a target, or `cargo build --example probe`";
    assert!(path.exists(), "{} is missing; {way_out}, in the same profile", path.display());
    WorkerProgram { path, args: vec![OsString::from(attempt)] }
}

/// `writ`, with caches of the tests' own and nothing else from the environment.
pub(crate) struct Writ {
    command: Command,
    input: Vec<u8>,
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ran {
    /// What it printed, as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }
}

impl Writ {
    /// Any command line.
    pub(crate) fn new(words: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_writ"));
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-home");
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", &ours);
        command.env("WRIT_CACHE_DIR", ours.join("cache"));
        command.env("WRIT_STATE_DIR", ours.join("state"));
        command.args(words);
        Self { command, input: Vec::new() }
    }

    /// `writ run TOOL --json`.
    pub(crate) fn run(tool: &Path) -> Self {
        Self::new(&["run", tool.to_str().unwrap(), "--json"])
    }

    /// Adds words.
    pub(crate) fn args(mut self, words: &[&str]) -> Self {
        self.command.args(words);
        self
    }

    /// Grants a directory.
    pub(crate) fn read(self, host: &Path, guest: &str) -> Self {
        self.args(&["--read", &format!("{}::{guest}", host.display())])
    }

    /// Grants a directory for writing.
    pub(crate) fn write(self, host: &Path, guest: &str) -> Self {
        self.args(&["--write", &format!("{}::{guest}", host.display())])
    }

    /// Sets a variable in the environment of `writ` itself.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it in a directory.
    pub(crate) fn within(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// What it reads.
    pub(crate) fn input(mut self, bytes: &[u8]) -> Self {
        self.input = bytes.to_owned();
        self
    }

    /// Lets it and its workers have no more than so many descriptors each. To be said last.
    pub(crate) fn descriptors(mut self, most: u32) -> Self {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("ulimit -n {most} && exec \"$0\" \"$@\""));
        shell.arg(self.command.get_program()).args(self.command.get_args()).env_clear();
        shell.envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        self.command = shell;
        self
    }

    /// Starts it and returns at once; its input is a pipe to which nothing was written.
    pub(crate) fn start(mut self) -> Child {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.command.spawn().unwrap()
    }

    /// Runs it to its end.
    pub(crate) fn done(mut self) -> Ran {
        let input = std::mem::take(&mut self.input);
        let mut child = self.start();
        let mut stdin = child.stdin.take().unwrap();
        // Beside the reading below, so that neither waits for the other. Nobody has to read it.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs it and reads its one JSON object, which must fit its schema.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        schema::read(&self.done().stdout)
    }
}

/// The codes of what was denied.
pub(crate) fn denied(report: &Value) -> Vec<&str> {
    let denials = report["denials"].as_array().unwrap();
    denials.iter().map(|denial| denial["code"].as_str().unwrap()).collect()
}

/// The code of the error that ended a run before its guest began, with the message.
pub(crate) fn refused(report: &Value) -> (&str, &str) {
    assert_eq!(report["outcome"], "error", "{report}");
    let error = &report["error"];
    (error["code"].as_str().unwrap(), error["message"].as_str().unwrap())
}
