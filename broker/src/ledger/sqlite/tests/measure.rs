//! What it costs. Run alone, in a release build, with `--ignored --nocapture`.
#![expect(clippy::disallowed_methods, reason = "a measurement takes the time")]

use super::*;
use std::io::Write;
use std::time::Instant;

fn report(line: &str) {
    writeln!(std::io::stderr(), "{line}").unwrap();
}

/// Times something often and names the middle and the slowest hundredth.
fn timed(name: &str, runs: usize, mut run: impl FnMut()) {
    let mut times: Vec<_> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    let (p50, p99) = (times[runs / 2], times[runs * 99 / 100]);
    report(&format!("{name:<44} p50 {p50:>10.1?}  p99 {p99:>10.1?}"));
}

#[test]
#[ignore = "a measurement"]
fn opening_appending_and_looking() {
    timed("write and sync 4 KiB (the floor)", 500, {
        let mut file = tempfile::tempfile().unwrap();
        move || {
            file.write_all(&[1; 4096]).unwrap();
            file.sync_data().unwrap();
        }
    });
    timed("make a new ledger", 20, || {
        let bed = Bed::new();
        std::mem::forget(bed.open().unwrap());
    });
    let bed = Bed::new();
    drop(bed.filled(300));
    let mut kept = Vec::new();
    let other = bed.open().unwrap();
    timed("open, another process has it open", 100, || kept.push(bed.open().unwrap()));
    timed("close, another process has it open", 100, || drop(kept.pop()));
    drop(other);
    timed("open, nobody had it open", 1, || {
        kept.push(bed.open().unwrap());
    });
    timed("close, nobody has it open", 1, || kept.clear());
    timed("open + close, alone", 100, || drop(bed.open().unwrap()));
    timed("open + 3 appends + close, alone", 100, || drop(bed.filled(3)));
    timed("open + 3 appends + close, alone, untidy", 100, || {
        let settings = Settings { tidy: false, ..Settings::default() };
        let ledger = SqliteLedger::open(&bed.path(), &bed.anchor(), settings).unwrap();
        fill(&ledger, 3);
    });
    let ledger = bed.open().unwrap();
    timed("append one record", 2000, || {
        fill(&ledger, 1);
    });
    timed("append 100 records", 500, || {
        let drafts: Vec<_> = (0..100).map(draft).collect();
        ledger.append(ledger.head().unwrap(), &drafts).unwrap();
    });
    timed("head, nothing changed", 10_000, || {
        ledger.head().unwrap();
    });
    timed("read and verify 1000 records", 50, || drop(ledger.read(1, 1000).unwrap()));
    timed("store a snapshot of 1 MiB", 20, || {
        ledger.store_snapshot(ledger.head().unwrap(), &[7; 1 << 20]).unwrap();
    });
    timed("seal one draft", 10_000, || drop(draft(1).seal(Head::GENESIS)));
}
