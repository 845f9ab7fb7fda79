//! Several processes on one ledger, and processes that die in the middle.

use super::*;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Tells a child which ledger to use.
const BED: &str = "WRIT_TEST_LEDGER_BED";
/// Tells a child what to do.
const JOB: &str = "WRIT_TEST_LEDGER_JOB";
/// How many records each of two processes appends.
const EACH: u64 = 200;

/// Not a test: what the children of the others do.
#[test]
#[ignore = "run by other tests in a process of its own"]
#[expect(clippy::disallowed_methods, reason = "how a child is told its job")]
fn child() {
    use std::io::Write;
    let Ok(directory) = std::env::var(BED) else { return };
    let directory = Path::new(&directory);
    let (path, anchor) = (directory.join("state/ledger.db"), directory.join("keys/anchor"));
    let open = || SqliteLedger::open(&path, &anchor, Settings::default()).unwrap();
    let mut ledger = open();
    let mut out = std::io::stderr();
    let job = std::env::var(JOB).unwrap();
    let count = if matches!(&*job, "finite" | "reopening") { EACH } else { u64::MAX };
    for n in 0..count {
        if job == "reopening" {
            drop(ledger);
            ledger = open();
        }
        let appended = ledger.turn().and_then(|mut turn| {
            turn.push(draft(n))?;
            turn.commit()
        });
        match appended {
            Ok(head) => writeln!(out, "{}", head.seq).unwrap(),
            Err(error) => return writeln!(out, "{error:?}").unwrap(),
        }
        if job == "settling" && n % 64 == 0 {
            ledger.settle();
        }
    }
}

/// Starts a child through a shell that prepares its limits.
fn start(bed: &Bed, job: &str, prepare: &str) -> Child {
    let test = "ledger::sqlite::tests::processes::child";
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{prepare} exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(BED, bed.directory.path())
        .env(JOB, job)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok)
}

#[test]
fn two_processes_interleave_without_loss() {
    let bed = Bed::new();
    let mut children = [start(&bed, "finite", ""), start(&bed, "finite", "")];
    let mut acknowledged: Vec<u64> = Vec::new();
    for child in &mut children {
        acknowledged.extend(lines(child).filter_map(|line| line.parse::<u64>().ok()));
        assert!(child.wait().unwrap().success());
    }
    acknowledged.sort_unstable();
    assert!(acknowledged.into_iter().eq(1..=2 * EACH), "each number was given once");
    assert_eq!(events(&bed.open().unwrap()).len(), 400);
}

/// Each of them is the first to open it, the last to close it, or neither, as it happens.
#[test]
fn processes_that_come_and_go_all_the_time_lose_nothing() {
    let bed = Bed::new();
    let mut children = [(); 3].map(|()| start(&bed, "reopening", ""));
    let mut acknowledged: Vec<u64> = Vec::new();
    for child in &mut children {
        acknowledged.extend(lines(child).filter_map(|line| line.parse::<u64>().ok()));
        assert!(child.wait().unwrap().success());
    }
    acknowledged.sort_unstable();
    assert!(acknowledged.into_iter().eq(1..=3 * EACH));
    assert_eq!(events(&bed.open().unwrap()).len(), 600);
}

#[test]
fn what_was_acknowledged_before_a_kill_is_there_afterwards() {
    let bed = Bed::new();
    let mut last = 0;
    for round in 1..=25 {
        let job = if round % 2 == 0 { "settling" } else { "endless" };
        let mut child = start(&bed, job, "");
        let mut lines = lines(&mut child);
        let wanted = usize::try_from(round * 7).unwrap();
        let at_kill = lines.by_ref().filter_map(|line| line.parse::<u64>().ok()).nth(wanted);
        child.kill().unwrap();
        // What it had written before it died counts as well.
        let rest = lines.filter_map(|line| line.parse::<u64>().ok()).last();
        child.wait().unwrap();
        let acknowledged = rest.or(at_kill).unwrap();

        let ledger = bed.open().unwrap();
        let records = ledger.read(1, usize::MAX).unwrap();
        let found = records.last().unwrap().seq();
        assert!(found >= acknowledged, "{acknowledged} was acknowledged, {found} is the last");
        assert!(found <= acknowledged + 1, "one append at a time");
        assert!(found > last);
        last = fill(&ledger, 1).seq;
    }
}

#[test]
fn a_process_that_dies_in_its_turn_holds_up_nobody() {
    let bed = Bed::new();
    let mut child = start(&bed, "endless", "");
    let mut lines = lines(&mut child);
    lines.by_ref().filter_map(|line| line.parse::<u64>().ok()).nth(20);
    let ledger = bed.open().unwrap();
    child.kill().unwrap();
    let mut turn = ledger.turn().unwrap();
    turn.push(draft(1)).unwrap();
    turn.commit().unwrap();
    child.wait().unwrap();
    drop(lines);
    ledger.read(1, usize::MAX).unwrap();
}

#[test]
fn a_file_that_may_not_grow_is_a_failure_that_loses_nothing() {
    let bed = Bed::new();
    drop(bed.filled(1));
    let mut child = start(&bed, "endless", "trap '' XFSZ; ulimit -f 512;");
    let (mut acknowledged, mut failure) = (0, String::new());
    for line in lines(&mut child) {
        match line.parse::<u64>() {
            Ok(seq) => acknowledged = seq,
            Err(_) if line.contains('(') => failure = line,
            Err(_) => {}
        }
    }
    child.wait().unwrap();
    let unknown = failure.starts_with("Unknown(Io(");
    assert!(unknown || failure.starts_with("Unavailable("), "{failure}");

    let ledger = bed.open().unwrap();
    let found = ledger.read(1, usize::MAX).unwrap().last().unwrap().seq();
    assert!(acknowledged > 10);
    assert!(found == acknowledged || unknown && found == acknowledged + 1);
    fill(&ledger, 1);
}

/// Every commit renews the anchor, so nothing depends on a goodbye.
#[test]
fn an_older_copy_is_refused_although_the_process_was_killed() {
    let bed = Bed::new();
    drop(bed.filled(3));
    let backup = super::anchor::back_up(&bed);
    let mut child = start(&bed, "endless", "");
    lines(&mut child).filter_map(|line| line.parse::<u64>().ok()).nth(3);
    child.kill().unwrap();
    child.wait().unwrap();
    for suffix in ["-wal", "-shm"] {
        let mut path = bed.path().into_os_string();
        path.push(suffix);
        std::fs::remove_file(path).unwrap();
    }
    std::fs::copy(&backup, bed.path()).unwrap();
    let error = bed.open().unwrap_err();
    assert!(matches!(error, OpenError::RolledBack { seen, .. } if seen.seq >= 7), "{error}");
}
