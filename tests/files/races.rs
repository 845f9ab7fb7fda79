//! Names that change while they are looked at.

use super::{Bed, each};
use crate::verdict::Verdict;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use writ_broker::Grant;
use writ_broker::grant::{Flags, Place};
use writ_runtime::authority::Authority;
use writ_runtime::confinement::Requirement;
use writ_runtime::gate::{Gate, GateSettings};
use writ_runtime::outcome::LimitName;
use writ_runtime::record::{Record, Recorder};
use writ_runtime::supervisor::{Task, TaskSettings, WorkerProgram};

/// The guest can make no such link, so what it races against is the refusal itself.
#[test]
fn a_guest_that_makes_and_opens_a_link_in_turns_gets_nothing() {
    each(|bed| {
        let words = ["race-symlink", "/out/d", "../secret", "100"];
        bed.stopped(&words, "D0202", "/out/d");
        bed.run(&["race-symlink", "/out/e", "inside", "100"]).worked("300 attempts refused");
        bed.still_works();
    });
}

/// Swaps `out/x` between a directory and a link to the secret's directory, until it is dropped.
struct Swapper {
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Swapper {
    fn start(bed: &Bed) -> Self {
        let (name, parked) = (bed.host("out/x"), bed.host("out/parked"));
        fs::create_dir(&parked).unwrap();
        fs::write(parked.join("file"), "harmless").unwrap();
        let outside = bed.host("elsewhere");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), "s3cret").unwrap();
        let link = bed.host("out/link");
        symlink("../elsewhere", &link).unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&done);
        let swap = move || {
            while !seen.load(Ordering::Relaxed) {
                for there in [&parked, &link] {
                    fs::rename(there, &name).unwrap();
                    fs::rename(&name, there).unwrap();
                }
            }
        };
        Self { done, thread: Some(std::thread::spawn(swap)) }
    }
}

impl Drop for Swapper {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

#[test]
fn a_directory_that_turns_into_a_link_in_between_leads_nowhere() {
    each(|bed| {
        let swapping = Swapper::start(&bed);
        let verdict = bed.run(&["open-loop", "/out/x", "3000"]);
        drop(swapping);
        assert!(verdict.stdout().starts_with("ok read the harmless file"), "{verdict:#?}");
        // By the first wall, or, where the name changed under its hands, by landlock.
        let refused = |code: &str| matches!(code, "D0202" | "D0204");
        assert!(verdict.denials().iter().all(|(code, _)| refused(code)), "{verdict:#?}");
        let listed = verdict.denials().len() as u64;
        let omitted = verdict.report["denials_omitted"].as_u64().unwrap();
        let refusals = verdict.events.iter().filter(|event| event["decision"] == "forbid");
        assert_eq!(refusals.count() as u64, listed + omitted, "each is recorded once");
        bed.still_works();
    });
}

/// Two guests on one directory: one that changes the name, and one that opens it.
#[test]
fn two_guests_that_race_for_a_link_get_nothing() {
    each(|bed| {
        let swap = bed.start(&["--", "swap", "/out/x", "../secret", "500"]);
        let swapping = std::thread::spawn(move || Verdict::of(swap));
        let opened = bed.run(&["open-loop", "/out/x", "500"]);
        let swapped = swapping.join().unwrap();
        swapped.denied(&[("D0202", "/out/x.link")]).failed("error ");
        opened.worked("ok read the harmless file");

        fs::remove_dir_all(bed.host("out/x.directory")).unwrap();
        let swap = bed.start(&["--", "swap", "/out/x", "b.txt", "500"]);
        let swapping = std::thread::spawn(move || Verdict::of(swap));
        bed.run(&["open-loop", "/out/x", "500"]).worked("ok read the harmless file");
        swapping.join().unwrap().worked("swapped 500 times");
        bed.still_works();
    });
}

struct Nobody;

impl Authority for Nobody {}

impl Recorder for Nobody {
    fn record(&self, _: Record) {}

    fn over_limit(&self, _: LimitName) {}
}

/// Starts a task with a grant of `web` that was decided before `between` happened.
fn decided_then(root: &Path, between: impl FnOnce()) -> bool {
    let flags = Flags {
        read: vec![format!("{}::/src", root.join("parent/web").display())],
        ..Flags::default()
    };
    let place = Place { current_dir: root.to_owned(), homes: vec![], own: vec![], lint: false };
    let grant: Grant = writ_broker::report::load(None, flags, &place).grant.unwrap();
    between();
    let settings = TaskSettings {
        program: WorkerProgram {
            path: env!("CARGO_BIN_EXE_writ").into(),
            args: vec!["__worker".into()],
        },
        require: Requirement::Full,
        gate: Gate::new(GateSettings::default()).unwrap(),
    };
    let artifacts = fs::File::open(root).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let started = Task::start(settings, grant, Arc::new(Nobody), artifacts.as_fd(), None).await;
        let opened = started.is_ok();
        if let Ok(task) = started {
            task.kill().await;
        }
        opened
    })
}

/// A grant is decided on a real path. Whoever puts a link there afterwards gets no other directory.
#[test]
fn a_granted_directory_that_becomes_a_link_after_the_decision_is_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    fs::create_dir_all(root.join("parent/web")).unwrap();
    fs::create_dir_all(root.join("private/web")).unwrap();
    assert!(decided_then(&root, || {}), "the honest start");

    assert!(!decided_then(&root, || {
        fs::rename(root.join("parent/web"), root.join("kept")).unwrap();
        symlink("../private/web", root.join("parent/web")).unwrap();
    }));
    fs::remove_file(root.join("parent/web")).unwrap();
    fs::rename(root.join("kept"), root.join("parent/web")).unwrap();

    assert!(!decided_then(&root, || {
        fs::rename(root.join("parent"), root.join("kept")).unwrap();
        symlink("private", root.join("parent")).unwrap();
    }));
}
