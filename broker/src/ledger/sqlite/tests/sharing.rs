//! Several connections to one ledger, in one process.

use super::*;
use crate::ledger::{Record, Turn};
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn a_head_is_known_as_soon_as_another_connection_has_committed() {
    let bed = Bed::new();
    let (one, other) = (bed.open().unwrap(), bed.open().unwrap());
    for _ in 0..3 {
        let head = fill(&one, 2);
        assert_eq!(other.head(), Ok(head));
        let head = fill(&other, 1);
        assert_eq!(one.head(), Ok(head));
    }
    assert_eq!(events(&one).len(), 9);
}

#[test]
fn who_decided_on_an_older_head_is_told_the_new_one() {
    let bed = Bed::new();
    let (one, other) = (bed.filled(1), bed.open().unwrap());
    let old = one.head().unwrap();
    let head = fill(&other, 1);
    assert_eq!(one.append(old, &[draft(9)]), Err(AppendError::Moved { head }));
    assert!(one.append(head, &[draft(9)]).is_ok());
}

#[test]
fn nobody_reads_what_is_not_committed_and_nobody_waits_to_read() {
    let bed = Bed::new();
    let ledger = bed.filled(1);
    let head = ledger.head().unwrap();
    let other = bed.open().unwrap();
    let mut turn = ledger.turn().unwrap();
    turn.push(draft(5)).unwrap();
    for reader in [&ledger, &other] {
        assert_eq!(reader.head(), Ok(head));
        assert_eq!(events(reader), [0]);
    }
    assert!(ledger.0.reader.lock().unwrap().is_some(), "it has a connection of its own now");
    let head = turn.commit().unwrap();
    assert_eq!((ledger.head(), other.head()), (Ok(head), Ok(head)));
    assert_eq!(events(&ledger), [0, 5]);
}

#[test]
fn a_turn_knows_what_others_wrote_before_it() {
    let bed = Bed::new();
    let (one, other) = (bed.filled(1), bed.open().unwrap());
    let head = fill(&other, 2);
    let turn = one.turn().unwrap();
    assert_eq!(turn.head(), head);
    assert_eq!(turn.read(2, 10).unwrap().last().map(Record::head), Some(head));
}

#[test]
fn writers_with_connections_of_their_own_lose_nothing() {
    const EACH: u64 = 150;
    let bed = Bed::new();
    let threads = [0, 1, 2].map(|writer| {
        let ledger = bed.open().unwrap();
        std::thread::spawn(move || {
            for n in 0..EACH {
                let mut turn: Box<dyn Turn> = ledger.turn().unwrap();
                turn.push(draft(writer * 1000 + n)).unwrap();
                turn.commit().unwrap();
            }
        })
    });
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let all = events(&bed.open().unwrap());
    assert_eq!(all.len(), 450);
    for writer in 0..3 {
        let of_one: Vec<_> = all.iter().filter(|n| **n / 1000 == writer).copied().collect();
        assert!(of_one.into_iter().eq(writer * 1000..writer * 1000 + EACH), "in its own order");
    }
}

#[test]
fn one_who_writes_without_pause_lets_others_in() {
    let bed = Bed::new();
    let busy = bed.open().unwrap();
    let other = bed.open().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let thread = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            let mut turn = busy.turn().unwrap();
            turn.push(draft(0)).unwrap();
            turn.commit().unwrap();
        }
    });
    let mut overtaken: Vec<_> = (0..50)
        .map(|_| {
            let asked = other.head().unwrap().seq;
            let mut turn = other.turn().unwrap();
            turn.push(draft(1)).unwrap();
            turn.commit().unwrap().seq - asked
        })
        .collect();
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
    overtaken.sort_unstable();
    // Not the worst: the machine may let this thread wait between looking and asking.
    assert!(overtaken[25] <= 4, "{overtaken:?} records of the busy one came first");
}

#[tokio::test]
async fn a_subscription_sees_what_another_connection_writes_under_load() {
    let bed = Bed::new();
    let (one, other) = (bed.open().unwrap(), bed.open().unwrap());
    let settings = Settings { look: Duration::from_millis(1), ..Settings::default() };
    let reader = SqliteLedger::open(&bed.path(), &bed.anchor(), settings).unwrap();
    let threads = [one, other].map(|ledger| {
        std::thread::spawn(move || {
            for n in 0..200 {
                let mut turn = ledger.turn().unwrap();
                turn.push(draft(n)).unwrap();
                turn.commit().unwrap();
            }
        })
    });
    let mut subscription = reader.subscribe(1);
    let mut seen = Vec::new();
    while seen.len() < 400 {
        let records = subscription.next().await.unwrap();
        seen.extend(records.iter().map(Record::seq));
    }
    assert!(seen.into_iter().eq(1..=400));
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_poked_looks_before_its_time() {
    let bed = Bed::new();
    let (reader, other) = (bed.open().unwrap(), bed.open().unwrap());
    let mut subscription = reader.subscribe(1);
    let now = tokio::time::Instant::now();
    let write = async {
        tokio::task::yield_now().await;
        fill(&other, 1);
        reader.poke();
    };
    let (records, ()) = tokio::join!(subscription.next(), write);
    assert_eq!(records.unwrap().len(), 1);
    assert!(now.elapsed() < Settings::default().look);
}

#[test]
fn all_who_open_a_new_ledger_at_once_find_the_same_one() {
    for _ in 0..20 {
        let bed = Arc::new(Bed::new());
        let threads = [0, 1, 2, 3].map(|n| {
            let bed = Arc::clone(&bed);
            std::thread::spawn(move || {
                let ledger = bed.open().unwrap();
                let mut turn = ledger.turn().unwrap();
                turn.push(draft(n)).unwrap();
                turn.commit().unwrap();
            })
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let mut all = events(&bed.open().unwrap());
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3]);
        let state = bed.path().parent().unwrap().to_owned();
        let names = std::fs::read_dir(state).unwrap().count();
        assert_eq!(names, 1, "nothing else is left");
    }
}

#[test]
fn what_is_left_in_the_second_file_is_there_for_the_next_who_opens_it() {
    let bed = Bed::new();
    let settings = Settings { tidy: false, ..Settings::default() };
    for round in 0..3 {
        let ledger = SqliteLedger::open(&bed.path(), &bed.anchor(), settings).unwrap();
        assert_eq!(events(&ledger).len(), round * 2);
        fill(&ledger, 2);
    }
    let count = || std::fs::read_dir(bed.path().parent().unwrap()).unwrap().count();
    assert_eq!(count(), 3, "database, write-ahead log, index");
    drop(bed.open().unwrap());
    assert_eq!(count(), 1, "whoever is tidy makes one file of them");
    assert_eq!(events(&bed.open().unwrap()).len(), 6);
}
