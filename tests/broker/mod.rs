//! Tasks in the ledger: what is told of them, and how they are killed from another shell.

mod credentials;
mod keys;
mod postgres;
mod serve;
mod tasks;

use crate::harness::{Writ, guest};
use crate::running::{Running, eventually, is_gone};
use crate::schema;
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;
use writ_broker::event::{CallStarted, Event, HostEnd, TaskEnd};
use writ_broker::ledger::{Ledger, Settings, SqliteLedger};
use writ_test_support::{DnsStub, RawServer, Then};

/// A state directory of one test's own.
struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn state(&self) -> &Path {
        self.0.path()
    }

    fn writ(&self, words: &[&str]) -> Writ {
        Writ::new(words).env("WRIT_STATE_DIR", self.state())
    }

    fn run(&self, words: &[&str]) -> Writ {
        let tool = guest("limits");
        let limits = ["--limit", "wall=1h", "--limit", "cpu=1h"];
        self.writ(&["run", tool.to_str().unwrap(), "--json"]).args(&limits).args(words)
    }

    fn kill(&self, words: &[&str]) -> Value {
        let ran = self.writ(&["kill", "--json"]).args(words).done();
        let receipt = schema::read(&ran.stdout);
        assert_eq!(receipt["exit_code"], ran.code, "{receipt}");
        receipt
    }

    fn tasks(&self) -> Vec<Value> {
        let report = self.writ(&["ps", "--json"]).json();
        report["tasks"].as_array().unwrap().clone()
    }

    /// The one task that lives.
    fn task(&self) -> String {
        let tasks = self.tasks();
        assert_eq!(tasks.len(), 1, "{tasks:?}");
        tasks[0]["task"].as_str().unwrap().to_owned()
    }

    fn ledger(&self) -> SqliteLedger {
        ledger(self.state())
    }

    fn records(&self) -> Vec<Event> {
        let records = self.ledger().read(1, usize::MAX).unwrap();
        records.iter().map(|record| record.decode().unwrap()).collect()
    }

    /// Every byte that is kept in the state directory.
    fn bytes(&self) -> Vec<u8> {
        let files = fs::read_dir(self.state()).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.is_file()).flat_map(|path| fs::read(path).unwrap()).collect()
    }
}

fn ledger(state: &Path) -> SqliteLedger {
    let (path, anchor) = (state.join("ledger.db"), state.join("ledger.anchor"));
    SqliteLedger::open(&path, &anchor, Settings::default()).unwrap()
}

fn words(events: &[Event]) -> Vec<String> {
    let word = |event| serde_json::to_value(event).unwrap()["event"].as_str().unwrap().to_owned();
    events.iter().map(word).collect()
}

#[test]
fn a_run_stands_in_the_ledger_from_its_start_to_its_end() {
    let machine = Machine::new();
    let tool = guest("limits");
    let run = machine.writ(&["run", tool.to_str().unwrap(), "--json", "--env", "TOKEN=canary-7"]);
    let report = run.args(&["--label", "job=7", "--", "exit", "3"]).json();
    let records = machine.records();
    let story =
        ["host.started", "task.started", "call.started", "call.ended", "task.ended", "host.ended"];
    assert_eq!(words(&records), story);
    let Event::TaskStarted(started) = &records[1] else { panic!("{records:?}") };
    assert_eq!(report["task"], started.task.as_str());
    assert_eq!(started.labels["job"], "7");
    assert_eq!(started.grant["env"]["TOKEN"], "(not recorded)");
    let Event::CallStarted(CallStarted { digest, tool, .. }) = &records[2] else {
        panic!("{records:?}")
    };
    assert_eq!(
        (&report["tool"]["digest"], &report["tool"]["name"]),
        (&digest[..].into(), &tool[..].into())
    );
    let Event::CallEnded { outcome, exit_code, .. } = &records[3] else { panic!("{records:?}") };
    assert_eq!(report["outcome"], outcome[..]);
    assert_eq!(report["exit_code"], *exit_code);
    assert!(machine.tasks().is_empty());
    assert!(!machine.bytes().windows(8).any(|bytes| bytes == b"canary-7"));
}

#[test]
fn each_denial_is_one_record() {
    let machine = Machine::new();
    let tool = guest("http");
    let run =
        machine.writ(&["run", tool.to_str().unwrap(), "--json", "--", "get", "http://a.test/"]);
    let report = run.json();
    let denials = report["denials"].as_array().unwrap();
    let asked: Vec<Value> = machine
        .records()
        .into_iter()
        .filter_map(|event| match event {
            Event::AskDecided(asked) => Some(serde_json::to_value(asked).unwrap()),
            _ => None,
        })
        .collect();
    assert_eq!(denials.len(), 1, "{report}");
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0]["refused"]["code"], denials[0]["code"]);
    assert_eq!(asked[0]["target"], denials[0]["target"]);
}

#[test]
fn a_task_is_killed_from_another_shell_by_its_name_and_everything_with_it() {
    let machine = Machine::new();
    for words in [&["spin"][..], &["sleep", "3600"], &["stdin"]] {
        let running = Running::start(machine.run(&["--ttl", "1h", "--"]).args(words));
        let tasks = machine.tasks();
        assert_eq!(tasks.len(), 1);
        assert_eq!((&tasks[0]["state"], &tasks[0]["pid"]), (&"live".into(), &running.id().into()));
        let mut calls = tasks[0]["calls"].as_object().unwrap().values();
        assert!(calls.all(|call| call["tool"] == "limits" && call["pid"] == running.id()));

        let task = machine.task();
        let receipt = machine.kill(&[&task, "--why", "it went astray"]);
        assert!(is_gone(running.worker()), "the guest runs on after the kill has returned");
        assert_eq!(receipt["tasks"], serde_json::json!([task]));
        assert_eq!((&receipt["calls"], &receipt["durable"]), (&1.into(), &true.into()));
        let processes = receipt["processes"].as_object().unwrap();
        assert_eq!(processes.values().collect::<Vec<_>>(), ["acknowledged"]);
        assert!(machine.tasks().is_empty());

        let output = running.ended();
        assert_eq!(output.status.code(), Some(137));
        let report = schema::read(&output.stdout);
        assert_eq!(report["outcome"], "killed");
        let reason = report["reason"].as_str().unwrap();
        assert!(reason.starts_with("killed by user ") && reason.ends_with(": it went astray"));
    }
    let killed =
        machine.records().into_iter().filter(|event| matches!(event, Event::TaskKilled { .. }));
    assert_eq!(killed.count(), 3);
}

#[test]
fn a_kill_cuts_the_connections() {
    let machine = Machine::new();
    let (upstream, names) = (RawServer::start("", Then::Hold), DnsStub::start());
    names.answer("slow.test", &["127.0.0.1"]);
    let url = format!("http://slow.test:{}/", upstream.address().port());
    let tool = guest("http");
    let run = machine
        .writ(&[
            "run",
            tool.to_str().unwrap(),
            "--json",
            "--name-server",
            &names.address().to_string(),
        ])
        .args(&["--dangerous-loopback", "--http", &format!("GET {url}**")])
        .args(&["--limit", "wall=1h", "--limit", "http_time=1h", "--", "get", &url]);
    let running = Running::start(run);
    eventually("a request", || upstream.received().ends_with(b"\r\n\r\n"));
    assert_eq!((upstream.accepted(), upstream.ended()), (1, 0), "it was held open until now");
    let receipt = machine.kill(&["--all"]);
    assert_eq!(receipt["exit_code"], 0);
    eventually("the end of the connection", || upstream.ended() == 1);
    assert_eq!(running.ended().status.code(), Some(137));
    // What left the machine was recorded before it did.
    let story = words(&machine.records());
    let place = |word| story.iter().position(|other| other == word);
    assert!(place("ask.decided").unwrap() < place("task.killed").unwrap(), "{story:?}");
}

#[test]
fn a_kill_by_label_leaves_others_alone() {
    let machine = Machine::new();
    let first = Running::start(machine.run(&["--label", "job=1", "--", "sleep", "3600"]));
    let second = Running::start(machine.run(&["--label", "job=2", "--", "sleep", "3600"]));
    let receipt = machine.kill(&["--label", "job=1"]);
    assert_eq!(receipt["calls"], 1);
    assert!(is_gone(first.worker()) && !is_gone(second.worker()));
    assert_eq!(first.ended().status.code(), Some(137));
    let left = machine.tasks();
    assert_eq!((left.len(), &left[0]["labels"]["job"]), (1, &"2".into()));
    let owner = rustix::process::getuid().as_raw().to_string();
    assert_eq!(machine.kill(&["--owner", &owner])["calls"], 1);
    assert_eq!(second.ended().status.code(), Some(137));
}

#[test]
fn a_process_that_is_stopped_is_ended_when_its_lease_is_over() {
    let machine = Machine::new();
    let running = Running::start(machine.run(&["--", "spin"]));
    running.signal(Signal::STOP);
    let receipt = machine.kill(&["--all"]);
    assert!(is_gone(running.worker()), "the guest runs on after the kill has returned");
    let processes = receipt["processes"].as_object().unwrap();
    assert_eq!(processes.values().collect::<Vec<_>>(), ["fenced"]);
    assert_eq!(receipt["exit_code"], 0);
    assert_eq!(running.ended().status.code(), None, "it was ended by a signal");
    assert!(machine.tasks().is_empty());
    let fenced = |event: &Event| matches!(event, Event::HostEnded { how: HostEnd::Fenced, .. });
    assert!(machine.records().iter().any(fenced));
}

#[test]
fn what_a_process_left_that_was_killed_is_lost_and_found() {
    let machine = Machine::new();
    let running = Running::start(machine.run(&["--", "spin"]));
    running.crash();
    assert_eq!(machine.tasks()[0]["state"], "lost");
    // The next run records it before its own start.
    assert_eq!(machine.run(&["--", "exit", "0"]).json()["exit_code"], 0);
    assert!(machine.tasks().is_empty());
    let lost = |event: &Event| matches!(event, Event::HostEnded { how: HostEnd::Lost, .. });
    assert!(machine.records().iter().any(lost));
}

#[test]
fn a_signal_and_the_end_of_time_stand_in_the_ledger_as_such() {
    let machine = Machine::new();
    let running = Running::start(machine.run(&["--", "spin"]));
    running.signal(Signal::INT);
    assert_eq!(running.ended().status.code(), Some(130));
    assert_eq!(machine.run(&["--ttl", "300ms", "--", "spin"]).json()["limit"], "ttl");
    let ends = machine.records().into_iter().filter_map(|event| match event {
        Event::TaskEnded { how, .. } => Some(how),
        _ => None,
    });
    assert_eq!(ends.collect::<Vec<_>>(), [TaskEnd::Interrupted, TaskEnd::Deadline]);
}

#[test]
fn what_does_not_live_is_not_killed_and_that_is_said() {
    let machine = Machine::new();
    let ran = machine.writ(&["kill", "task-0123456789abcdef0123"]).done();
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("is not live"), "{}", ran.stderr);
    for words in [&["kill"][..], &["kill", "task-1"], &["kill", "--all", "--owner", "1"]] {
        assert_eq!(machine.writ(words).done().code, 2, "{words:?}");
    }
    assert!(machine.kill(&["--all"])["tasks"].as_array().unwrap().is_empty());
    assert!(machine.records().is_empty());
}

#[test]
fn without_a_ledger_nothing_runs() {
    let machine = Machine::new();
    assert_eq!(machine.run(&["--", "exit", "0"]).json()["exit_code"], 0);
    let refused = |why: &str| {
        let report = machine.run(&["--", "exit", "0"]).json();
        assert_eq!(
            (&report["exit_code"], &report["error"]["code"]),
            (&125.into(), &"C0105".into())
        );
        let message = report["error"]["message"].as_str().unwrap();
        assert!(message.contains(why), "{message}");
        for words in [&["ps", "--json"][..], &["kill", "--all", "--json"]] {
            let report = machine.writ(words).json();
            assert_eq!(report["error"]["code"], "C0105", "{report}");
        }
    };
    let ledger = machine.state().join("ledger.db");
    let older = fs::read(&ledger).unwrap();
    machine.run(&["--", "exit", "0"]).json();

    fs::set_permissions(machine.state(), fs::Permissions::from_mode(0o777)).unwrap();
    refused("chmod");
    fs::set_permissions(machine.state(), fs::Permissions::from_mode(0o700)).unwrap();

    let newer = fs::read(&ledger).unwrap();
    let log = machine.state().join("ledger.db-wal");
    let (aside, log_aside) = (machine.state().join("a"), machine.state().join("b"));
    fs::rename(&ledger, &aside).unwrap();
    let logged = fs::rename(&log, &log_aside).is_ok();
    refused("is missing");
    fs::write(&ledger, older).unwrap();
    fs::set_permissions(&ledger, fs::Permissions::from_mode(0o600)).unwrap();
    refused("is an older copy");
    fs::write(&ledger, "not a database").unwrap();
    refused("is not a ledger");
    // Restored, everything goes on.
    fs::write(&ledger, newer).unwrap();
    if logged {
        fs::rename(&log_aside, &log).unwrap();
    }
    assert_eq!(machine.run(&["--", "exit", "0"]).json()["exit_code"], 0);
}

#[test]
fn many_runs_share_one_ledger() {
    let machine = Machine::new();
    let children: Vec<_> = (0..8).map(|_| machine.run(&["--", "exit", "0"]).start()).collect();
    for child in children {
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
    }
    assert_eq!(machine.records().len(), 8 * 6);
    assert!(machine.tasks().is_empty());
}

#[test]
fn a_person_reads_a_table_and_a_receipt() {
    let machine = Machine::new();
    let nothing = machine.writ(&["ps"]).done();
    assert_eq!(nothing.text().lines().count(), 1, "{}", nothing.text());
    let running = Running::start(machine.run(&["--label", "job=7", "--ttl", "1h", "--", "spin"]));
    let table = machine.writ(&["ps"]).done();
    let row = table.text().lines().nth(1).unwrap();
    let cells: Vec<_> = row.split_whitespace().collect();
    assert!(cells[0].starts_with("task-"), "{row}");
    assert_eq!((cells[1], cells[4]), ("live", &*running.id().to_string()));
    assert!(row.contains("limits") && row.ends_with("job=7"), "{row}");
    let killed = machine.writ(&["kill", cells[0]]).done();
    assert_eq!(killed.code, 0);
    assert!(killed.text().starts_with("killed 1 task with 1 running call and 0 live tokens in "));
    assert!(killed.text().contains("stopped what it ran"));
    running.ended();
}

#[test]
fn nobody_waits_for_the_dead() {
    let machine = Machine::new();
    let running = Running::start(machine.run(&["--", "spin"]));
    running.crash();
    let receipt = machine.kill(&["--all"]);
    assert_eq!(receipt["exit_code"], 0);
    assert!(receipt["micros"].as_u64().unwrap() < 2_000_000, "{receipt}");
    assert!(machine.tasks().is_empty());
}
