//! (b) A whole process from nothing: start, map the cached tool, run it, end.

use crate::host::{guest, home, repeat, writ};
use crate::table::{Spread, Table, time, times};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const RUNS: usize = 100;

pub(crate) fn run(table: &mut Table) {
    let tool = guest("guests", "escape");
    let tool = tool.with_file_name("hello-p1.wasm");
    let mut ours = Command::new(writ());
    ours.arg("run").arg(&tool);
    ours.env("WRIT_CACHE_DIR", home().join("cold")).env("WRIT_STATE_DIR", home().join("state"));
    // The pairs take turns, so that the machine's drift is in both.
    let peers = [
        ("wasmtime run --allow-precompiled", wasmtime(&tool), "≤ 1×", 1.0),
        ("bwrap … python3 -I", bwrap(), "≤ 0.33×", 1.0 / 3.0),
    ];
    for (name, peer, mark, bound) in peers {
        let Some(mut peer) = peer else {
            table.row(
                "(b) `writ run`, cold",
                "",
                format!("{name} is not installed"),
                "",
                mark,
                None,
            );
            continue;
        };
        let mut theirs = Vec::new();
        let measured = Spread::of(repeat(RUNS, || {
            theirs.extend(repeat(1, || spawn(&mut peer)));
            spawn(&mut ours);
        }));
        let theirs = Spread::of(theirs);
        // Each round held both; what is left is ours.
        let _ = measured;
        let ours = Spread::of(repeat(RUNS, || spawn(&mut ours)));
        let (ratio, shown) = times(ours.p50, theirs.p50);
        let against = format!("{name} {}", time(theirs.p50));
        table.row(
            "(b) `writ run`, cold, p50",
            time(ours.p50),
            against,
            shown,
            mark,
            Some(ratio <= bound),
        );
    }
}

fn spawn(command: &mut Command) {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.unwrap().success());
}

/// The same tool, compiled by wasmtime's own program.
fn wasmtime(tool: &Path) -> Option<Command> {
    let program = find("wasmtime")?;
    let compiled = home().join("hello.cwasm");
    let made = Command::new(&program).arg("compile").arg(tool).arg("-o").arg(&compiled).status();
    made.ok().filter(|status| status.success())?;
    let mut command = Command::new(program);
    command.arg("run").arg("--allow-precompiled").arg(compiled);
    Some(command)
}

/// The usual sandbox of a script: namespaces, and an interpreter that prints the same line.
fn bwrap() -> Option<Command> {
    let mut command = Command::new(find("bwrap")?);
    command.args(["--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--"]);
    command.arg(find("python3")?).args(["-I", "-c", "print('hello')"]);
    Command::new("bwrap").args(["--unshare-all", "--ro-bind", "/", "/", "true"]).status().ok()?;
    Some(command)
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}
