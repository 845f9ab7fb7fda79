//! A directory to be written inside one to be read: the normal build step.

use super::each;
use crate::harness::{Writ, guest};
use crate::verdict::Verdict;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// `/src` for reading, and `/src/out` in it for writing.
struct Nested {
    dir: TempDir,
    guest: &'static str,
}

impl Nested {
    fn new(guest: &'static str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("src/out")).unwrap();
        fs::write(dir.path().join("src/a.txt"), "honest").unwrap();
        fs::write(dir.path().join("src/out/own.txt"), "own").unwrap();
        Self { dir, guest }
    }

    fn host(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn run(&self, words: &[&str]) -> Verdict {
        let run = Writ::run(&guest(self.guest)).read(&self.host("src"), "/src");
        Verdict::of(run.write(&self.host("src/out"), "/src/out").args(&["--"]).args(words))
    }

    #[track_caller]
    fn stopped(&self, words: &[&str], code: &str, target: &str) {
        self.run(words).denied(&[(code, target)]).failed("error ");
        let names = fs::read_dir(self.host("src/out")).unwrap();
        assert_eq!(names.count(), 1, "{words:?} put something there");
    }

    #[track_caller]
    fn still_works(&self) {
        self.run(&["read", "/src/a.txt"]).worked("honest");
        self.run(&["write", "/src/out/b.txt", "built"]).worked("wrote 5 bytes");
        self.run(&["rename", "/src/out/b.txt", "/src/out/c.txt"]).worked("renamed");
        self.run(&["link", "/src/out/c.txt", "/src/out/d.txt"]).worked("linked");
        self.run(&["symlink", "d.txt", "/src/out/e.txt"]).worked("made a symbolic link");
        self.run(&["read", "/src/out/e.txt"]).worked("built");
        self.run(&["remove", "/src/out/c.txt"]).worked("removed");
        self.run(&["deep", "/src/out", "40"]).worked("made 40 directories");
        assert_eq!(fs::read(self.host("src/out/d.txt")).unwrap(), b"built");
        assert_eq!(fs::read(self.host("src/a.txt")).unwrap(), b"honest");
    }
}

fn each_nested(test: impl Fn(Nested)) {
    each(|bed| test(Nested::new(bed.guest)));
}

#[test]
fn a_hard_link_does_not_make_a_read_grant_writable() {
    each_nested(|bed| {
        bed.stopped(&["link", "/src/a.txt", "/src/out/stolen"], "D0201", "/src/a.txt");
        bed.stopped(&["link", "/src/out/own.txt", "/src/new"], "D0201", "/src/new");
        bed.still_works();
    });
}

#[test]
fn nothing_is_renamed_across_the_border() {
    each_nested(|bed| {
        bed.stopped(&["rename", "/src/a.txt", "/src/out/stolen"], "D0201", "/src/a.txt");
        bed.stopped(&["rename", "/src/out/own.txt", "/src/own.txt"], "D0201", "/src/own.txt");
        bed.stopped(&["rename", "/src/out/own.txt", "/src/a.txt"], "D0201", "/src/a.txt");
        bed.still_works();
    });
}

#[test]
fn no_symbolic_link_crosses_the_border() {
    each_nested(|bed| {
        bed.stopped(&["symlink", "../a.txt", "/src/out/link"], "D0202", "/src/out/link");
        bed.stopped(&["symlink", "out/own.txt", "/src/link"], "D0201", "/src/link");
        bed.still_works();
    });
}

/// The directory that is only to be read leads into the other one as well; its own access counts.
#[test]
fn the_read_grant_gives_no_writing_even_where_another_grant_does() {
    each_nested(|bed| {
        bed.stopped(&["raw-write", "/src", "out/own.txt"], "D0201", "/src/out/own.txt");
        assert_eq!(fs::read(bed.host("src/out/own.txt")).unwrap(), b"own");
        bed.run(&["raw-write", "/src/out", "own.txt"]).worked("wrote 7 bytes");
        bed.still_works();
    });
}
