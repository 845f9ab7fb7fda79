//! An older copy of the database, or none, is noticed.

use super::*;
use std::fs;

/// Puts the files of a database aside, as a backup would.
pub(super) fn back_up(bed: &Bed) -> PathBuf {
    let copy = bed.directory.path().join("backup.db");
    fs::copy(bed.path(), &copy).unwrap();
    copy
}

#[test]
fn an_older_copy_is_refused_and_says_what_was_seen() {
    let bed = Bed::new();
    drop(bed.filled(3));
    let backup = back_up(&bed);
    let ledger = bed.open().unwrap();
    let found = ledger.head().unwrap();
    let seen = fill(&ledger, 2);
    drop(ledger);
    fs::copy(&backup, bed.path()).unwrap();

    let error = bed.open().unwrap_err();

    assert_eq!(error, OpenError::RolledBack { path: bed.path(), seen, found });
    assert!(
        error.to_string().ends_with("is an older copy: it ends at record 3, and record 5 was seen")
    );
}

#[test]
fn a_database_that_is_missing_is_not_made_anew() {
    let bed = Bed::new();
    let ledger = bed.filled(2);
    let seen = ledger.head().unwrap();
    drop(ledger);
    fs::remove_file(bed.path()).unwrap();
    assert_eq!(bed.open().unwrap_err(), OpenError::Missing { path: bed.path(), seen });
    assert!(!bed.path().exists());
}

#[test]
fn another_ledger_of_the_same_length_is_refused() {
    let bed = Bed::new();
    drop(bed.filled(2));
    let other = Bed::new();
    let ledger = other.open().unwrap();
    ledger.append(Head::GENESIS, &[draft(8), draft(9), draft(10)]).unwrap();
    drop(ledger);
    fs::copy(other.path(), bed.path()).unwrap();
    assert!(matches!(bed.open(), Err(OpenError::RolledBack { .. })));
}

#[test]
fn only_the_operator_who_says_so_gets_an_older_copy() {
    let bed = Bed::new();
    drop(bed.filled(3));
    let backup = back_up(&bed);
    let ledger = bed.open().unwrap();
    fill(&ledger, 400);
    drop(ledger);
    fs::copy(&backup, bed.path()).unwrap();
    assert!(bed.open().is_err());

    let settings = Settings::default();
    let ledger =
        SqliteLedger::dangerous_open_unanchored(&bed.path(), &bed.anchor(), settings).unwrap();
    assert_eq!(ledger.head().unwrap().seq, 3);
    drop(ledger);
    drop(bed.open().unwrap());

    fs::remove_file(bed.path()).unwrap();
    assert!(bed.open().is_err());
    let ledger =
        SqliteLedger::dangerous_open_unanchored(&bed.path(), &bed.anchor(), settings).unwrap();
    assert_eq!(ledger.head(), Ok(Head::GENESIS));
}

#[test]
fn a_ledger_without_an_anchor_gets_one() {
    let bed = Bed::new();
    drop(bed.filled(2));
    fs::remove_file(bed.anchor()).unwrap();
    drop(bed.open().unwrap());
    fs::remove_file(bed.path()).unwrap();
    assert!(matches!(bed.open(), Err(OpenError::Missing { seen, .. }) if seen.seq == 2));
}

#[test]
fn an_anchor_that_was_cut_short_or_changed_is_not_guessed_at() {
    let bed = Bed::new();
    drop(bed.filled(2));
    let whole = fs::read(bed.anchor()).unwrap();
    for content in [
        Vec::new(),
        whole[..700].to_vec(),
        vec![0; whole.len()],
        String::from_utf8(whole.clone()).unwrap().replace("-1 ", "-1  ").into_bytes(),
    ] {
        fs::write(bed.anchor(), content).unwrap();
        let error = bed.open().unwrap_err();
        assert_eq!(error, OpenError::Anchor { path: bed.anchor() });
    }
}

#[test]
fn a_write_that_was_cut_short_leaves_the_record_before() {
    for torn in 0..2 {
        let bed = Bed::new();
        drop(bed.filled(5));
        let mut bytes = fs::read(bed.anchor()).unwrap();
        bytes[torn * 512 + 20..(torn + 1) * 512].fill(b'x');
        fs::write(bed.anchor(), bytes).unwrap();
        let anchor = Anchor::load(&bed.anchor()).unwrap().unwrap();
        assert!((4..=5).contains(&anchor.seen().seq));
        drop(bed.filled(1));
        assert_eq!(Anchor::load(&bed.anchor()).unwrap().unwrap().seen().seq, 6);
    }
}

#[test]
fn an_anchor_never_moves_back_under_two_who_renew_it() {
    let bed = Bed::new();
    let (one, other) = (bed.open().unwrap(), bed.open().unwrap());
    for ledger in [&one, &other, &other, &one, &one] {
        let head = fill(ledger, 1);
        assert_eq!(Anchor::load(&bed.anchor()).unwrap().unwrap().seen(), head);
    }
}
