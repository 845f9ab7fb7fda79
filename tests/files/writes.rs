//! Writing where only reading was granted.

use super::each;
use std::fs;
use std::time::SystemTime;

#[test]
fn every_kind_of_write_below_a_read_grant_is_denied() {
    each(|bed| {
        let before = fs::metadata(bed.host("src/a.txt")).unwrap().modified().unwrap();
        let file = "/src/a.txt";
        let attempts: [(&[&str], &str); 11] = [
            (&["write", file, "x"], file),
            (&["append", file, "x"], file),
            (&["overwrite", file, "x"], file),
            (&["truncate", file], file),
            (&["touch", file], file),
            (&["remove", file], file),
            (&["write", "/src/new", "x"], "/src/new"),
            (&["create-new", "/src/new"], "/src/new"),
            (&["mkdir", "/src/new"], "/src/new"),
            (&["symlink", "a.txt", "/src/new"], "/src/new"),
            (&["raw-write", "/src", "new"], "/src/new"),
        ];
        for (words, target) in attempts {
            bed.stopped(words, "D0201", target);
        }
        assert_eq!(fs::read(bed.host("src/a.txt")).unwrap(), b"honest");
        assert_eq!(fs::metadata(bed.host("src/a.txt")).unwrap().modified().unwrap(), before);
        assert_ne!(before, SystemTime::UNIX_EPOCH);
        assert_eq!(fs::read_dir(bed.host("src")).unwrap().count(), 1);
        bed.still_works();
    });
}

#[test]
fn names_with_control_characters_are_shown_and_not_obeyed() {
    each(|bed| {
        let name = "/src/\u{1b}]0;owned\u{7}\r\n{\"target\":\"writ::decision\"}\u{202e}";
        let verdict = bed.run(&["write", name, "x"]);
        verdict.denied(&[("D0201", name)]).failed("error ");
        assert!(!verdict.log().contains(['\u{1b}', '\u{7}', '\r', '\u{202e}']), "{verdict:#?}");

        let words = ["run", "--read"];
        let grant = format!("{}::/src", bed.host("src").display());
        let tool = crate::harness::guest(bed.guest);
        let ran = crate::harness::Writ::new(&words)
            .args(&[&grant, tool.to_str().unwrap(), "--", "write", name, "x"])
            .done();
        assert!(ran.stderr.contains("D0201"), "{ran:?}");
        assert!(!ran.stderr.contains(['\u{1b}', '\u{7}', '\r', '\u{202e}']), "{ran:?}");
        bed.still_works();
    });
}
