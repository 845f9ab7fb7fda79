//! How much a task may put on the disk.

use super::each;
use crate::verdict::Verdict;
use std::fs;

#[test]
fn a_file_beyond_the_limit_ends_the_task() {
    each(|bed| {
        let run = bed.start(&["--limit", "disk=1MiB", "--", "fill", "/out/big", "20000000"]);
        Verdict::of(run).denied(&[]).over("disk");
        assert!(fs::metadata(bed.host("out/big")).unwrap().len() <= 1 << 20);
        let run = bed.start(&["--limit", "disk=1MiB", "--", "fill", "/out/big", "1000000"]);
        Verdict::of(run).worked("wrote 1000000 bytes");
        bed.still_works();
    });
}

/// No single file is large here: eight bytes are written, removed and written again.
#[test]
fn the_limit_is_on_all_that_was_ever_written() {
    each(|bed| {
        let words = ["--limit", "disk=256KiB", "--", "race-symlink", "/out/d", "inside", "100000"];
        Verdict::of(bed.start(&words)).denied(&[]).over("disk");
        let words = ["--limit", "disk=256KiB", "--", "race-symlink", "/out/e", "inside", "10"];
        Verdict::of(bed.start(&words)).worked("30 attempts refused");
        bed.still_works();
    });
}

#[test]
fn empty_files_and_directories_count_as_well() {
    each(|bed| {
        let words = ["--limit", "disk=1MiB", "--", "many", "/out", "100000"];
        Verdict::of(bed.start(&words)).denied(&[]).over("disk");
        assert!(fs::read_dir(bed.host("out")).unwrap().count() <= 257);
        let words = ["--limit", "disk=64KiB", "--", "deep", "/out", "100"];
        Verdict::of(bed.start(&words)).denied(&[]).over("disk");
        bed.run(&["many", "/out", "500"]).worked("created 500 files");
        bed.still_works();
    });
}

#[test]
fn very_deep_directories_fail_in_the_ordinary_way() {
    each(|bed| {
        let verdict = bed.run(&["deep", "/out", "5000"]);
        assert_eq!(verdict.report["outcome"], "exited", "{verdict:#?}");
        verdict.denied(&[]);
        bed.still_works();
    });
}
