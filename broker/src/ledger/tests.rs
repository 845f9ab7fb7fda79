#![expect(clippy::unwrap_used, reason = "a test may fail")]
//! What every engine promises.

use super::*;
use crate::clock::UnixMillis;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// A private directory with a ledger in it, and its anchor beside it.
pub(super) struct Bed {
    pub(super) directory: TempDir,
}

impl Bed {
    pub(super) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(super) fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("state/ledger.db")
    }

    pub(super) fn anchor(&self) -> std::path::PathBuf {
        self.directory.path().join("keys/anchor")
    }

    pub(super) fn open(&self) -> Result<SqliteLedger, OpenError> {
        SqliteLedger::open(&self.path(), &self.anchor(), Settings::default())
    }

    /// A ledger with this many records.
    pub(super) fn filled(&self, records: u64) -> SqliteLedger {
        let ledger = self.open().unwrap();
        fill(&ledger, records);
        ledger
    }
}

/// The event with number `n`.
pub(super) fn draft(n: u64) -> Draft {
    Draft::of(UnixMillis(n), &json!({"event": "test", "n": n})).unwrap()
}

/// Appends one record at a time.
pub(super) fn fill(ledger: &dyn Ledger, records: u64) -> Head {
    let mut head = ledger.head().unwrap();
    for n in 0..records {
        head = ledger.append(head, &[draft(n)]).unwrap();
    }
    head
}

/// The numbers of the events, in the order of the log.
pub(super) fn events(ledger: &dyn Ledger) -> Vec<u64> {
    let records = ledger.read(1, usize::MAX).unwrap();
    records.iter().map(|record| record.members()["n"].as_u64().unwrap()).collect()
}

/// Each engine, empty.
fn engines() -> Vec<(Box<dyn Ledger>, Option<Bed>)> {
    let bed = Bed::new();
    let sqlite = bed.open().unwrap();
    vec![(Box::new(MemoryLedger::new()), None), (Box::new(sqlite), Some(bed))]
}

#[test]
fn what_was_appended_is_read_back_in_order_and_chained() {
    for (ledger, _bed) in engines() {
        assert_eq!(ledger.head(), Ok(Head::GENESIS));
        let first = ledger.append(Head::GENESIS, &[draft(1), draft(2)]).unwrap();
        let second = ledger.append(first, &[draft(3)]).unwrap();

        let records = ledger.read(1, 10).unwrap();

        assert_eq!(records.iter().map(Record::seq).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!((first, second), (records[1].head(), records[2].head()));
        assert_eq!(ledger.head(), Ok(second));
        assert_eq!(records[0].prev(), Digest::ZERO);
        assert_eq!(records[2].prev(), records[1].hash());
        assert_eq!(ledger.read(0, 10).unwrap(), records);
        assert_eq!(ledger.read(2, 1).unwrap(), records[1..2]);
        assert_eq!(ledger.read(4, 10).unwrap(), []);
        assert_eq!(ledger.read(99, 10).unwrap(), []);
        assert_eq!(ledger.read(u64::MAX, 10).unwrap(), []);
    }
}

#[test]
fn an_append_on_another_head_changes_nothing() {
    for (ledger, _bed) in engines() {
        let head = fill(&*ledger, 2);
        let wrong = Head { seq: 2, hash: Digest::of(b"other") };
        for expected in [Head::GENESIS, wrong, Head { seq: 3, ..head }] {
            assert_eq!(ledger.append(expected, &[draft(9)]), Err(AppendError::Moved { head }));
        }
        assert_eq!(events(&*ledger), [0, 1]);
    }
}

#[test]
fn a_turn_that_is_dropped_leaves_nothing_behind() {
    for (ledger, _bed) in engines() {
        let head = fill(&*ledger, 1);
        let mut turn = ledger.turn().unwrap();
        assert_eq!(turn.push(draft(7)).unwrap().seq(), 2);
        assert_eq!(turn.read(1, 10).unwrap().len(), 1, "a push is not read");
        drop(turn);
        assert_eq!(ledger.head(), Ok(head));
        assert_eq!(ledger.turn().unwrap().commit(), Ok(head), "an empty turn is one");
        fill(&*ledger, 1);
        assert_eq!(events(&*ledger), [0, 0]);
    }
}

#[test]
fn the_latest_snapshot_of_this_log_is_found() {
    for (ledger, _bed) in engines() {
        assert_eq!(ledger.latest_snapshot(), Ok(None));
        let head = fill(&*ledger, 3);
        ledger.store_snapshot(head, b"three").unwrap();
        let found = ledger.latest_snapshot().unwrap().unwrap();
        assert_eq!((found.head, &found.bytes[..]), (head, &b"three"[..]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscription_gives_each_record_once_and_in_order() {
    for (ledger, _bed) in engines() {
        let ledger: Arc<dyn Ledger> = ledger.into();
        fill(&*ledger, 3);
        let mut subscription = ledger.subscribe(2);
        let writer = Arc::clone(&ledger);
        let writing = std::thread::spawn(move || fill(&*writer, 300));
        let mut seen = Vec::new();
        while seen.len() < 302 {
            let records = subscription.next().await.unwrap();
            seen.extend(records.iter().map(Record::seq));
        }
        writing.join().unwrap();
        assert!(seen.into_iter().eq(2..=303));
        assert_eq!(subscription.position(), 304);
        assert_eq!(subscription.ready(), Ok(None));
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_waits_is_told_at_once() {
    for (ledger, _bed) in engines() {
        let ledger: Arc<dyn Ledger> = ledger.into();
        let mut subscription = ledger.subscribe(1);
        let now = tokio::time::Instant::now();
        let append = async {
            tokio::task::yield_now().await;
            fill(&*ledger, 1)
        };
        let (records, head) = tokio::join!(subscription.next(), append);
        assert_eq!(records.unwrap()[0].head(), head);
        assert_eq!(now.elapsed(), Duration::ZERO, "no look was needed");
    }
}

#[tokio::test]
async fn a_subscription_that_is_dropped_while_it_waits_loses_nothing() {
    let ledger = MemoryLedger::new();
    let mut subscription = ledger.subscribe(1);
    assert!(tokio::time::timeout(Duration::ZERO, subscription.next()).await.is_err());
    fill(&ledger, 2);
    assert_eq!(subscription.next().await.unwrap().len(), 2);
}
