//! Tasks that wait for calls, from any number of processes, and tasks below them.

use super::{Machine, words};
use crate::harness::{Ran, Writ, guest};
use crate::running::{Running, eventually, is_gone};
use crate::schema;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use writ_broker::event::{Event, TaskEnd};

impl Machine {
    /// Starts a task that waits for calls.
    fn start(&self, words: &[&str]) -> String {
        named(&self.writ(&["task", "start", "--ttl", "10m"]).args(words).done())
    }

    fn child(&self, parent: &str, words: &[&str]) -> Ran {
        self.writ(&["task", "child", parent]).args(words).done()
    }

    fn call(&self, task: &str, tool: &str) -> Writ {
        self.writ(&["call", task, guest(tool).to_str().unwrap(), "--json"])
    }
}

#[track_caller]
fn named(ran: &Ran) -> String {
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.text().trim().to_owned()
}

fn readable(path: &Path) -> String {
    format!("{}::/d", path.display())
}

#[test]
fn a_task_takes_calls_until_it_is_ended() {
    let machine = Machine::new();
    let task = machine.start(&["--label", "job=7", "--env", "TOKEN=canary-7"]);
    let waiting = &machine.tasks()[0];
    assert_eq!((&waiting["state"], &waiting["labels"]["job"]), (&"live".into(), &"7".into()));
    assert_eq!(waiting.get("pid"), None, "it waits in no process");
    for code in [0, 1] {
        let ran = machine.call(&task, "limits").args(&["--", "exit", &code.to_string()]).json();
        assert_eq!((&ran["exit_code"], &ran["task"]), (&code.into(), &task[..].into()));
    }
    assert_eq!(machine.writ(&["task", "end", &task]).done().code, 0);
    let late = machine.call(&task, "limits").args(&["--", "exit", "0"]).json();
    assert_eq!((&late["exit_code"], &late["error"]["code"]), (&3.into(), &"D0401".into()));
    assert!(machine.tasks().is_empty());
    assert_eq!(machine.writ(&["task", "end", &task]).done().code, 2);

    let story = words(&machine.records());
    let call = ["host.started", "call.started", "call.ended", "host.ended"];
    assert_eq!(story, [&["task.started"][..], &call, &call, &["task.ended"]].concat());
    for name in ["ledger.db", "ledger.db-wal"] {
        let bytes = fs::read(machine.state().join(name)).unwrap_or_default();
        assert!(!bytes.windows(8).any(|bytes| bytes == b"canary-7"), "{name}");
    }
}

#[test]
fn calls_run_side_by_side_and_a_kill_ends_them_all() {
    let machine = Machine::new();
    let parent = machine.start(&[]);
    let child = named(&machine.child(&parent, &[]));
    let other = machine.start(&[]);
    let run =
        |task: &str| Running::start(machine.call(task, "limits").args(&["--", "sleep", "3600"]));
    let (first, second, third) = (run(&parent), run(&child), run(&other));
    let receipt = machine.kill(&[&parent]);
    assert_eq!((&receipt["calls"], &receipt["exit_code"]), (&2.into(), &0.into()));
    assert!(is_gone(first.worker()) && is_gone(second.worker()) && !is_gone(third.worker()));
    for killed in [first, second] {
        assert_eq!(killed.ended().status.code(), Some(137));
    }
    assert_eq!(machine.call(&child, "limits").args(&["--", "exit", "0"]).json()["exit_code"], 3);
    // What still runs is not to be ended as if it were done.
    assert_eq!(machine.writ(&["task", "end", &other]).done().code, 2);
    machine.kill(&["--all"]);
    assert_eq!(third.ended().status.code(), Some(137));
}

#[test]
fn a_task_that_waits_needs_an_end_and_has_one() {
    let machine = Machine::new();
    let endless = machine.writ(&["task", "start"]).done();
    assert_eq!(endless.code, 2);
    assert!(endless.stderr.contains("--ttl"), "{endless:?}");
    let task = named(&machine.writ(&["task", "start", "--ttl", "1s"]).done());
    eventually("the end of its time", || machine.tasks()[0]["state"] == "overdue");
    let late = machine.call(&task, "limits").args(&["--", "exit", "0"]).json();
    assert_eq!(late["error"]["code"], "D0401", "{late}");
    machine.start(&[]);
    let over = |event: &Event| matches!(event, Event::TaskEnded { how: TaskEnd::Deadline, .. });
    assert!(machine.records().iter().any(over));
}

#[test]
fn a_call_ends_with_the_time_of_its_task() {
    let machine = Machine::new();
    let task = named(&machine.writ(&["task", "start", "--ttl", "2s"]).done());
    let ran = machine.call(&task, "limits").args(&["--", "spin"]).json();
    assert_eq!((&ran["outcome"], &ran["limit"]), (&"over_limit".into(), &"ttl".into()));
}

#[test]
fn a_child_may_do_no_more_than_its_parent() {
    let machine = Machine::new();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("below")).unwrap();
    fs::write(folder.path().join("below/file"), "seen").unwrap();
    let parent = machine.start(&["--read", &readable(folder.path())]);
    let below = readable(&folder.path().join("below"));
    let child = named(&machine.child(&parent, &["--read", &below, "--ttl", "1m"]));
    let tasks = machine.tasks();
    let row = tasks.iter().find(|task| task["task"] == child[..]).unwrap();
    assert_eq!(row["parent"], parent[..]);
    assert!(row["deadline_ms"].as_u64() < tasks[0]["deadline_ms"].as_u64());

    for wider in [
        &["--write", &below][..],
        &["--read", "/etc::/d"],
        &["--http", "GET https://a.test/**"],
        &["--limit", "memory=4GiB"],
        &["--ttl", "1h"],
    ] {
        let ran = machine.child(&parent, wider);
        assert_eq!(ran.code, 3, "{wider:?}: {ran:?}");
        assert!(ran.stderr.contains("D0403"), "{ran:?}");
    }
    assert_eq!(machine.tasks().len(), 2);
    // Nor has a grandchild more than the child.
    assert_eq!(machine.child(&child, &["--read", &readable(folder.path())]).code, 3);
}

#[test]
fn a_directory_that_was_swapped_since_is_not_opened() {
    let machine = Machine::new();
    let folder = tempfile::tempdir().unwrap();
    let granted = folder.path().join("d");
    fs::create_dir(&granted).unwrap();
    let task = machine.start(&["--read", &readable(&granted)]);
    let honest = machine.call(&task, "limits").args(&["--", "exit", "0"]).json();
    assert_eq!(honest["exit_code"], 0, "{honest}");
    fs::rename(&granted, folder.path().join("aside")).unwrap();
    symlink("/etc", &granted).unwrap();
    let ran = machine.call(&task, "limits").args(&["--", "exit", "0"]).done();
    let report = schema::read(&ran.stdout);
    assert_eq!(ran.code, 2, "{report}");
    assert!(report["error"]["message"].as_str().unwrap().contains("replaced"), "{report}");
}

#[test]
fn the_grant_of_a_task_is_readable_by_nobody_else() {
    let machine = Machine::new();
    let task = machine.start(&["--env", "TOKEN=canary-7"]);
    let folder = machine.state().join("tasks");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join(format!("{task}.toml"))), 0o600);
}
