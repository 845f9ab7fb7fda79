//! (e) What a worker costs that waits for its task.

use crate::host::Host;
use crate::table::Table;
use std::time::Duration;
use writ_runtime::supervisor::Worker;

const WORKERS: usize = 100;

pub(crate) fn run(table: &mut Table) {
    let host = Host::new();
    let workers: Vec<Worker> = host
        .runtime
        .block_on(async { (0..WORKERS).map(|_| Worker::start(&host.program).unwrap()).collect() });
    // Each is idle once it sleeps in its first read; a second is long for that.
    std::thread::sleep(Duration::from_secs(1));
    let total: u64 = workers.iter().map(|worker| proportional_set_size(worker.id().unwrap())).sum();
    let each = total as f64 / WORKERS as f64 / 1024.0;
    table.row(
        "(e) 100 idle workers, proportional set size each",
        format!("{each:.2} MiB"),
        "",
        "",
        "≤ 1.5 MiB",
        Some(each <= 1.5),
    );
    let _enter = host.runtime.enter();
    drop(workers);
}

/// Memory of a process with what it shares divided by those who share it, KiB.
fn proportional_set_size(pid: u32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}
