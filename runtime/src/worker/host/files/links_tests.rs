#![expect(clippy::unwrap_used, reason = "a test may fail")]

use super::*;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use tempfile::TempDir;

fn granted() -> (TempDir, File) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("a/b/c")).unwrap();
    let root = File::open(dir.path()).unwrap();
    (dir, root)
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Another guest may move directories as long as no link in them leads out, and none does yet.
#[test]
fn a_link_whose_directory_is_moved_up_while_it_is_made_is_taken_away() {
    let (dir, root) = granted();
    let at = |path| Place::new(&root, &root, path);
    let b = File::open(dir.path().join("a/b")).unwrap();
    let up = || rename(at("a/b"), at("b")).unwrap();
    let made = make_while("../../x", Place::new(&root, &b, "l"), up);
    assert_eq!(made, Err(LinkError::LeadsOut));
    assert!(!is_there(&dir.path().join("b/l")), "it is gone");

    make_while("../x", Place::new(&root, &b, "l"), || ()).unwrap();
    rename(at("b"), at("a/b")).unwrap();
    make_while("../../x", Place::new(&root, &b, "m"), || ()).unwrap();
    assert!(is_there(&dir.path().join("a/b/m")));
}

#[test]
fn a_directory_that_gets_a_link_while_it_is_moved_up_goes_back() {
    let (dir, root) = granted();
    let at = |path| Place::new(&root, &root, path);
    let made = || make("../../x", at("a/b/l")).unwrap();
    assert_eq!(rename_while(at("a/b"), at("b"), made), Err(LinkError::LeadsOut));
    assert!(is_there(&dir.path().join("a/b/l")), "it is where it was");
    assert!(!is_there(&dir.path().join("b")));

    fs::remove_file(dir.path().join("a/b/l")).unwrap();
    rename_while(at("a/b"), at("b"), || make("../x", at("a/b/l")).unwrap()).unwrap();
    assert!(is_there(&dir.path().join("b/l")));
}

#[test]
fn a_file_that_turns_into_a_link_while_it_is_moved_up_goes_back() {
    let (dir, root) = granted();
    let at = |path| Place::new(&root, &root, path);
    let old = dir.path().join("a/b/f");
    fs::write(&old, "").unwrap();
    let swapped = || {
        fs::remove_file(&old).unwrap();
        make("../../x", at("a/b/f")).unwrap();
    };
    assert_eq!(rename_while(at("a/b/f"), at("f"), swapped), Err(LinkError::LeadsOut));
    assert!(!is_there(&dir.path().join("f")));
    assert!(is_there(&old));
}

#[test]
fn a_link_gets_no_second_name_from_where_it_leads_out() {
    let (dir, root) = granted();
    let at = |path| Place::new(&root, &root, path);
    symlink("../../x", dir.path().join("a/b/l")).unwrap();
    assert_eq!(hard_link(at("a/b/l"), at("l")), Err(LinkError::LeadsOut));
    assert!(!is_there(&dir.path().join("l")));
    hard_link(at("a/b/l"), at("a/b/c/l")).unwrap();
}

#[test]
fn a_slash_at_the_end_is_a_directory() {
    let (dir, root) = granted();
    let at = |path| Place::new(&root, &root, path);
    fs::write(dir.path().join("f"), "").unwrap();
    for (old, new) in [("f/", "g"), ("f", "g/")] {
        assert_eq!(rename(at(old), at(new)), Err(LinkError::Errno(Errno::NOTDIR)), "{old} {new}");
        assert_eq!(
            hard_link(at(old), at(new)),
            Err(LinkError::Errno(Errno::NOTDIR)),
            "{old} {new}"
        );
    }
    assert_eq!(make("f", at("l/")), Err(LinkError::Errno(Errno::NOENT)));
    rename(at("a/"), at("d/")).unwrap();
    rename(at("f"), at("g")).unwrap();
}
