//! What somebody with the owner's rights does to the database is found.

use super::*;
use crate::ledger::{Digest, Draft, Fault, ReadError, Record};

/// Changes a ledger of five records behind its back and reads it.
fn after(sql: &str) -> Result<Vec<Record>, ReadError> {
    let bed = Bed::new();
    let ledger = bed.filled(5);
    stranger(&bed).execute_batch(sql).unwrap();
    ledger.read(1, 100)
}

fn broken(seq: u64, fault: Fault) -> Result<Vec<Record>, ReadError> {
    Err(ReadError::Broken { seq, fault })
}

#[test]
fn an_edited_record_is_the_first_that_is_named() {
    let edit = "UPDATE record SET bytes = CAST(replace(bytes, '\"n\":2', '\"n\":7') AS BLOB) WHERE seq = 3";
    assert_eq!(after(edit), broken(3, Fault::Changed));
    let hash = "UPDATE record SET hash = zeroblob(32) WHERE seq = 3";
    assert_eq!(after(hash), broken(3, Fault::Changed));
    let empty = "UPDATE record SET bytes = zeroblob(0) WHERE seq = 1";
    assert_eq!(after(empty), broken(1, Fault::Changed));
}

#[test]
fn a_record_that_was_edited_with_its_hash_breaks_the_chain_after_it() {
    let bed = Bed::new();
    let ledger = bed.filled(5);
    let head = ledger.read(2, 1).unwrap()[0].head();
    let forged = draft(99).seal(head);
    stranger(&bed)
        .execute(
            "UPDATE record SET bytes = ?1, hash = ?2 WHERE seq = 3",
            (forged.bytes(), forged.hash().0),
        )
        .unwrap();
    assert_eq!(ledger.read(1, 100), broken(4, Fault::Unchained));
    assert_eq!(ledger.read(4, 100), broken(4, Fault::Unchained), "also when reading starts there");
}

#[test]
fn a_deleted_record_is_missed() {
    assert_eq!(after("DELETE FROM record WHERE seq = 2"), broken(2, Fault::Missing));
    assert_eq!(after("DELETE FROM record WHERE seq = 1"), broken(1, Fault::Missing));
    let renumbered =
        "DELETE FROM record WHERE seq = 2; UPDATE record SET seq = seq - 1 WHERE seq > 2";
    assert_eq!(after(renumbered), broken(2, Fault::Misplaced));
}

#[test]
fn records_that_changed_places_are_found() {
    let swap = "UPDATE record SET seq = 100 WHERE seq = 2; UPDATE record SET seq = 2 WHERE seq = 3;
                UPDATE record SET seq = 3 WHERE seq = 100";
    assert_eq!(after(swap), broken(2, Fault::Misplaced));
}

#[test]
fn a_log_that_was_cut_short_is_not_taken_for_the_whole() {
    let bed = Bed::new();
    let ledger = bed.filled(5);
    let seen = ledger.head().unwrap();
    stranger(&bed).execute("DELETE FROM record WHERE seq > 3", ()).unwrap();
    let found = ledger.read(3, 1).unwrap()[0].head();

    assert_eq!(ledger.head(), Err(ReadError::RolledBack { seen, found }));
    let refused = ledger.append(found, &[draft(9)]);
    assert_eq!(refused, Err(AppendError::Untrusted(ReadError::RolledBack { seen, found })));
    assert_eq!(ledger.read(1, 100).unwrap().len(), 3, "nothing was added to it");
}

#[test]
fn a_log_that_went_on_from_an_earlier_record_is_another_log() {
    let bed = Bed::new();
    let ledger = bed.filled(5);
    let third = ledger.read(3, 1).unwrap()[0].head();
    let stranger = stranger(&bed);
    stranger.execute("DELETE FROM record WHERE seq > 3", ()).unwrap();
    let mut head = third;
    for n in 10..20 {
        let record = draft(n).seal(head);
        head = record.head();
        insert(&stranger, record.seq(), record.hash(), record.bytes());
    }
    assert!(matches!(ledger.head(), Err(ReadError::RolledBack { .. })));
    assert!(ledger.read(1, 100).is_ok(), "by itself it is consistent");
}

#[test]
fn what_a_stranger_appends_must_be_a_record_and_follow() {
    let bed = Bed::new();
    let ledger = bed.filled(2);
    let head = ledger.head().unwrap();
    let unchained = draft(3).seal(crate::ledger::Head { hash: Digest::of(b"x"), ..head });
    let good = draft(3).seal(head);
    let spelling = String::from_utf8(good.bytes().to_vec()).unwrap().replace(',', ", ");
    let twice = String::from_utf8(good.bytes().to_vec()).unwrap().replace("{", "{\"at\":1,");
    for (bytes, fault) in [
        (unchained.bytes(), Fault::Unchained),
        (spelling.as_bytes(), Fault::Malformed),
        (twice.as_bytes(), Fault::Malformed),
        (b"\x00\xff", Fault::Malformed),
    ] {
        let stranger = stranger(&bed);
        insert(&stranger, 3, Digest::of(bytes), bytes);
        assert_eq!(ledger.read(1, 100), broken(3, fault));
        stranger.execute("DELETE FROM record WHERE seq = 3", ()).unwrap();
    }
    insert(&stranger(&bed), 3, good.hash(), good.bytes());
    assert_eq!(ledger.read(1, 100).unwrap().len(), 3, "the same right as ours");
}

#[test]
fn numbers_outside_the_log_are_not_read() {
    let bed = Bed::new();
    let ledger = bed.filled(1);
    let record = Draft::clone(&draft(5)).seal(ledger.head().unwrap());
    for seq in [0, -5, i64::MIN] {
        let insert = "INSERT INTO record VALUES (?1, ?2, ?3)";
        stranger(&bed).execute(insert, (seq, record.hash().0, record.bytes())).unwrap();
    }
    assert_eq!(ledger.read(0, 100).unwrap().len(), 1);
}

#[test]
fn a_snapshot_that_was_changed_or_belongs_elsewhere_is_not_used() {
    let bed = Bed::new();
    let ledger = bed.filled(1);
    ledger.store_snapshot(ledger.head().unwrap(), b"one").unwrap();
    fill(&ledger, 1);
    ledger.store_snapshot(ledger.head().unwrap(), b"two").unwrap();
    let latest = || ledger.latest_snapshot().unwrap().map(|snapshot| snapshot.bytes);
    assert_eq!(latest().as_deref(), Some(&b"two"[..]));

    stranger(&bed).execute("UPDATE snapshot SET bytes = x'00' WHERE seq = 2", ()).unwrap();
    assert_eq!(latest().as_deref(), Some(&b"one"[..]));
    stranger(&bed).execute("UPDATE snapshot SET hash = zeroblob(32) WHERE seq = 1", ()).unwrap();
    assert_eq!(latest(), None);
}

#[test]
fn two_snapshots_are_kept_and_only_of_states_that_are_in_the_log() {
    let bed = Bed::new();
    let ledger = bed.open().unwrap();
    for _ in 0..4 {
        let head = fill(&ledger, 1);
        ledger.store_snapshot(head, b"state").unwrap();
        ledger.store_snapshot(head, b"state").unwrap();
    }
    let seqs: String = stranger(&bed)
        .query_row("SELECT group_concat(seq) FROM snapshot", (), |row| row.get(0))
        .unwrap();
    assert_eq!(seqs, "3,4");
    let elsewhere = Head { seq: 4, hash: Digest::of(b"x") };
    assert!(matches!(ledger.store_snapshot(elsewhere, b""), Err(AppendError::Moved { .. })));
}

fn insert(stranger: &rusqlite::Connection, seq: u64, hash: Digest, bytes: &[u8]) {
    let insert = "INSERT INTO record VALUES (?1, ?2, ?3)";
    stranger.execute(insert, (i64::try_from(seq).unwrap(), hash.0, bytes)).unwrap();
}
