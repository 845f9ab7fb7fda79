//! What the machine refuses.

use super::*;
use crate::ledger::ReadError;
use std::fs::File;
use std::time::Duration;

#[test]
fn a_full_database_takes_nothing_and_goes_on_when_there_is_room() {
    let bed = Bed::new();
    let ledger = bed.filled(2);
    let head = ledger.head().unwrap();
    let pages = |count: u32| {
        let pragma = format!("PRAGMA max_page_count = {count}");
        let link = ledger.0.writer();
        link.connection.query_row(&pragma, (), |_| Ok(())).unwrap();
    };
    let drafts: Vec<_> = (0..1000).map(draft).collect();
    pages(1);
    for _ in 0..3 {
        assert_eq!(ledger.append(head, &drafts), Err(AppendError::Unavailable(Cause::Full)));
        assert_eq!(ledger.head(), Ok(head));
    }
    assert_eq!(events(&ledger), [0, 1]);
    pages(1_000_000);
    assert_eq!(ledger.append(head, &drafts).unwrap().seq, 1002);
}

#[test]
fn a_turn_that_failed_takes_nothing_more() {
    let bed = Bed::new();
    let ledger = bed.filled(1);
    let head = ledger.head().unwrap();
    {
        let link = ledger.0.writer();
        link.connection.query_row("PRAGMA max_page_count = 1", (), |_| Ok(())).unwrap();
    }
    let mut turn = ledger.turn().unwrap();
    let failed = (0..1000).find_map(|n| turn.push(draft(n)).err());
    assert_eq!(failed, Some(AppendError::Unavailable(Cause::Full)));
    assert!(turn.push(draft(1)).is_err(), "not even in a transaction of its own");
    assert!(turn.commit().is_err());
    assert_eq!(ledger.head(), Ok(head));
}

#[test]
fn a_read_only_database_is_read_and_not_written() {
    let bed = Bed::new();
    let ledger = bed.filled(2);
    let head = ledger.head().unwrap();
    ledger.0.writer().connection.execute_batch("PRAGMA query_only = ON").unwrap();
    assert_eq!(ledger.append(head, &[draft(1)]), Err(AppendError::Unavailable(Cause::ReadOnly)));
    assert_eq!(events(&ledger), [0, 1]);
}

#[test]
fn a_ledger_that_another_holds_is_waited_for_a_bounded_time() {
    let bed = Bed::new();
    let ledger = bed.filled(1);
    let head = ledger.head().unwrap();
    let patience = Duration::from_millis(2);
    let settings = Settings { patience, ..Settings::default() };
    let hasty = SqliteLedger::open(&bed.path(), &bed.anchor(), settings).unwrap();
    let turn = ledger.turn().unwrap();

    assert_eq!(hasty.append(head, &[draft(1)]), Err(AppendError::Unavailable(Cause::Busy)));
    assert_eq!(hasty.head(), Ok(head), "reading goes on");
    assert_eq!(events(&hasty), [0]);

    drop(turn);
    assert!(hasty.append(head, &[draft(1)]).is_ok());
}

#[test]
fn a_queue_that_does_not_move_costs_order_and_no_more() {
    let bed = Bed::new();
    let ledger = bed.filled(1);
    let patience = Duration::from_millis(2);
    let settings = Settings { patience, ..Settings::default() };
    let hasty = SqliteLedger::open(&bed.path(), &bed.anchor(), settings).unwrap();
    let stopped = File::open(bed.path().parent().unwrap()).unwrap();
    stopped.lock().unwrap();
    assert!(hasty.append(ledger.head().unwrap(), &[draft(1)]).is_ok());
}

#[test]
fn a_damaged_page_is_no_answer() {
    use std::os::unix::fs::FileExt;
    let bed = Bed::new();
    let ledger = bed.open().unwrap();
    let drafts: Vec<_> = (0..2000).map(draft).collect();
    ledger.append(Head::GENESIS, &drafts).unwrap();
    ledger.0.writer().checkpoint();
    let path = bed.path();
    drop(ledger);
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let length = file.metadata().unwrap().len();
    for page in (8..length / 4096).step_by(5) {
        file.write_all_at(&[0xa5; 512], page * 4096).unwrap();
    }
    match bed.open() {
        Err(_) => {}
        Ok(ledger) => match ledger.read(1, usize::MAX) {
            Err(ReadError::Broken { .. } | ReadError::Unavailable(Cause::Io(_))) => {}
            other => panic!("{:?} records", other.map(|records| records.len())),
        },
    }
}
