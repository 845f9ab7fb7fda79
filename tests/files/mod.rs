//! Attacks on a directory grant, each through the program and with a real guest.

mod borders;
mod budget;
mod nested;
mod races;
mod special;
mod writes;

use crate::harness::{Writ, guest};
use crate::verdict::Verdict;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// The same guest as a component and as a core module; every attack is tried with both.
const GUESTS: [&str; 2] = ["files", "files-p1"];

/// `/src` for reading, `/out` for writing, and a secret beside both.
struct Bed {
    dir: TempDir,
    guest: &'static str,
}

impl Bed {
    fn new(guest: &'static str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["src", "out"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        fs::write(dir.path().join("src/a.txt"), "honest").unwrap();
        fs::write(dir.path().join("secret"), "s3cret").unwrap();
        Self { dir, guest }
    }

    fn host(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn start(&self, words: &[&str]) -> Writ {
        Writ::run(&guest(self.guest))
            .read(&self.host("src"), "/src")
            .write(&self.host("out"), "/out")
            .args(&["--limit", "wall=20s"])
            .args(words)
    }

    fn run(&self, words: &[&str]) -> Verdict {
        Verdict::of(self.start(&["--"]).args(words))
    }

    /// The guest is stopped, which is reported and recorded, and nothing leaks.
    #[track_caller]
    fn stopped(&self, words: &[&str], code: &str, target: &str) {
        let verdict = self.run(words);
        verdict.denied(&[(code, target)]).failed("error ");
        assert!(!verdict.stdout().contains("s3cret"), "{verdict:#?}");
    }

    /// The honest use of the same grant.
    #[track_caller]
    fn still_works(&self) {
        self.run(&["read", "/src/a.txt"]).worked("read 6 bytes: honest");
        self.run(&["write", "/out/b.txt", "built"]).worked("wrote 5 bytes");
        assert_eq!(fs::read(self.host("out/b.txt")).unwrap(), b"built");
    }
}

/// Runs a test with each kind of guest.
fn each(test: impl Fn(Bed)) {
    for guest in GUESTS {
        test(Bed::new(guest));
    }
}
