//! Paths and links that lead out.

use super::each;
use crate::harness::{Writ, guest};
use crate::verdict::Verdict;
use std::fs;
use std::os::unix::fs::symlink;

#[test]
fn a_path_that_climbs_out_is_denied() {
    each(|bed| {
        bed.stopped(&["raw-read", "/src", "../secret"], "D0202", "/secret");
        bed.stopped(&["raw-read", "/src", "x/../../secret"], "D0202", "/secret");
        bed.stopped(&["raw-write", "/out", "../new"], "D0202", "/new");
        bed.stopped(&["raw-read", "/src", "../../../../etc/passwd"], "D0202", "/etc/passwd");
        assert!(!bed.host("new").exists());
        bed.still_works();
    });
}

#[test]
fn an_absolute_path_is_denied() {
    each(|bed| {
        let secret = bed.host("secret");
        let secret = secret.to_str().unwrap();
        bed.stopped(&["raw-read", "/src", secret], "D0202", secret);
        bed.stopped(&["raw-write", "/out", "/tmp/writ-was-here"], "D0202", "/tmp/writ-was-here");
        bed.still_works();
    });
}

/// The guest's own C library finds no directory for such a path, so nobody is asked.
#[test]
fn a_path_outside_of_every_directory_does_not_exist() {
    each(|bed| {
        let secret = bed.host("secret");
        for path in [secret.to_str().unwrap(), "/etc/passwd", "/proc/self/environ"] {
            bed.run(&["read", path]).denied(&[]).failed("error ");
        }
        bed.still_works();
    });
}

#[test]
fn a_link_of_the_host_that_leads_out_is_not_followed() {
    each(|bed| {
        symlink("../secret", bed.host("src/relative")).unwrap();
        symlink(bed.host("secret"), bed.host("src/absolute")).unwrap();
        symlink("..", bed.host("src/up")).unwrap();
        symlink("../../../../../../../../etc/passwd", bed.host("out/far")).unwrap();
        symlink("/proc/self/environ", bed.host("out/magic")).unwrap();
        for path in ["/src/relative", "/src/absolute", "/src/up/secret", "/out/far", "/out/magic"] {
            bed.stopped(&["read", path], "D0202", path);
        }
        bed.stopped(&["write", "/out/far", "x"], "D0202", "/out/far");
        bed.stopped(&["list", "/src/up"], "D0202", "/src/up");
        bed.still_works();
    });
}

#[test]
fn a_link_inside_the_directory_is_followed() {
    each(|bed| {
        fs::create_dir(bed.host("src/deep")).unwrap();
        symlink("../a.txt", bed.host("src/deep/link")).unwrap();
        bed.run(&["read", "/src/deep/link"]).worked("honest");
    });
}

#[test]
fn a_guest_cannot_make_a_link_that_leads_out() {
    each(|bed| {
        for target in ["../secret", "/etc/passwd", "x/../../secret", "../src/a.txt"] {
            bed.stopped(&["symlink", target, "/out/link"], "D0202", "/out/link");
        }
        assert!(bed.host("out/link").symlink_metadata().is_err());
        bed.run(&["symlink", "b.txt", "/out/link"]).worked("made a symbolic link");
        bed.still_works();
    });
}

#[test]
fn nothing_of_the_host_process_is_in_reach() {
    for name in ["secrets", "secrets-p1"] {
        let dir = tempfile::tempdir().unwrap();
        let run = Writ::run(&guest(name)).read(dir.path(), "/src").env("WRIT_SECRET", "s3cret");
        let verdict = Verdict::of(run.args(&["--env", "OPEN=1", "--", "own"]));
        for wrong in ["leaked", "listed", "s3cret", "WRIT_", "HOME", "PATH:"] {
            assert!(!verdict.stdout().contains(wrong), "{wrong}: {verdict:#?}");
        }
        assert!(verdict.stdout().contains("variable OPEN: 1"), "{verdict:#?}");
        assert!(verdict.stdout().contains("preopen: /src"), "{verdict:#?}");
        assert!(!verdict.denials().is_empty());
        assert!(verdict.denials().iter().all(|(code, _)| *code == "D0202"), "{verdict:#?}");
        let refusals = verdict.events.iter().filter(|event| event["decision"] == "forbid");
        assert_eq!(refusals.count(), verdict.denials().len());
    }
}
