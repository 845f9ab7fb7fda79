//! (b) A whole process from nothing: start, map the cached tool, run it, end.

use crate::host::{guest, home, repeat, writ};
use crate::table::{Spread, Table, time, times};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const RUNS: usize = 100;

/// What the tool is told: to print a few lines, as the script of the other sandbox does.
const WORDS: &str = "stdout";

pub(crate) fn run(table: &mut Table) {
    let tool = guest("guests", "escape");
    let mut ours = Command::new(writ());
    ours.arg("run").arg(&tool).args(["--", WORDS]);
    ours.env("WRIT_CACHE_DIR", home().join("cold")).env("WRIT_STATE_DIR", home().join("state"));
    let peers = [
        ("wasmtime run --allow-precompiled", wasmtime(&tool), "≤ 1×", 1.0),
        ("bwrap … python3 -I", bwrap(), "≤ 0.33×", 1.0 / 3.0),
    ];
    for (name, peer, mark, bound) in peers {
        const WHAT: &str = "(b) `writ run`, cold, p50";
        let Some(mut peer) = peer else {
            table.row(WHAT, "", format!("{name} cannot be run here"), "", mark, None);
            continue;
        };
        // The two take turns, so that the machine's drift is in both.
        let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            our_times.extend(repeat(1, || spawn(&mut ours)));
            their_times.extend(repeat(1, || spawn(&mut peer)));
        }
        let (ours, theirs) = (Spread::of(our_times).p50, Spread::of(their_times).p50);
        let (ratio, shown) = times(ours, theirs);
        let against = format!("{name} {}", time(theirs));
        table.row(WHAT, time(ours), against, shown, mark, Some(ratio <= bound));
    }
}

fn spawn(command: &mut Command) {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.unwrap().success(), "{command:?} failed");
}

/// The same tool, compiled by wasmtime's own program.
fn wasmtime(tool: &Path) -> Option<Command> {
    let program = find("wasmtime")?;
    let compiled = home().join("escape.cwasm");
    let made = Command::new(&program).arg("compile").arg(tool).arg("-o").arg(&compiled).status();
    made.ok().filter(|status| status.success())?;
    let mut command = Command::new(program);
    command.arg("run").arg("--allow-precompiled").arg(compiled).arg(WORDS);
    Some(command)
}

/// The usual sandbox of a script: namespaces, and an interpreter that prints the same line.
fn bwrap() -> Option<Command> {
    let program = find("bwrap")?;
    // What stands first in the path may be a script that looks for the interpreter.
    let system = PathBuf::from("/usr/bin/python3");
    let python = if system.is_file() { system } else { find("python3")? };
    let sandbox = ["--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--"];
    // Installed is not enough: it needs namespaces, which this machine may not allow.
    let tried = Command::new(&program).args(sandbox).arg("true").status();
    tried.ok().filter(|status| status.success())?;
    let mut command = Command::new(program);
    command.args(sandbox).arg(python).args(["-I", "-c", "print('hello')"]);
    Some(command)
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}
