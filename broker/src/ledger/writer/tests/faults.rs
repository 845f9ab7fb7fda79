//! What becomes of a batch that fails.

use super::*;
use futures_util::future::join_all;

#[tokio::test]
async fn a_commit_that_wrote_nothing_fails_its_batch_and_the_state_is_as_before() {
    let ledger = Faulty::new(MemoryLedger::new());
    let (writer, shown) = spawn(ledger.clone(), Pace::default());
    writer.append(vec![add(5)]).await.unwrap();
    ledger.fail_next(AppendError::Unavailable(Cause::Full));

    let failed = writer.append(vec![add(7)]).await;

    assert_eq!(failed, Err(WriteError::Unavailable(Cause::Full)));
    assert_eq!(*shown.sum.lock().unwrap(), 5);
    let done = writer.transact(add_below_bound).await.unwrap();
    assert_eq!(done, Committed { records: 2..3, answer: Ok(5) }, "the 7 never happened");
    assert_eq!(writer.sealed(), None);
}

#[tokio::test]
async fn a_commit_of_which_nobody_knows_seals_the_writer() {
    let ledger = Faulty::new(MemoryLedger::new());
    let (writer, shown) = spawn(ledger.clone(), Pace::default());
    ledger.fail_next(AppendError::Unknown(Cause::Io("no sync".into())));
    ledger.gate.close();
    let mut appends = Box::pin(join_all((0..5).map(|n| writer.append(vec![add(n)]))));
    assert!(tokio::time::timeout(Duration::from_millis(1), &mut appends).await.is_err());
    ledger.gate.open();

    for failed in appends.await {
        let error = failed.unwrap_err();
        assert!(matches!(error, WriteError::Unknown(_) | WriteError::Sealed(_)), "{error}");
    }
    assert!(matches!(writer.append(vec![add(1)]).await, Err(WriteError::Sealed(_))));
    assert!(matches!(writer.catch_up().await, Err(WriteError::Sealed(_))));
    assert!(matches!(writer.sealed(), Some(WriteError::Sealed(_))));
    let told = shown.sealed.lock().unwrap().clone();
    assert!(matches!(told, Some(WriteError::Unknown(_))), "the state knows first");
    assert_eq!(ledger.commits(), 1, "nothing is tried after that");
}

#[tokio::test]
async fn a_batch_that_others_overtook_is_decided_anew() {
    let ledger = Faulty::new(MemoryLedger::new());
    let (writer, _) = spawn(ledger.clone(), Pace::default());
    ledger.gate.close();
    let mut job = Box::pin(writer.transact(add_below_bound));
    assert!(tokio::time::timeout(Duration::from_millis(1), &mut job).await.is_err());
    let before = ledger.commits();
    fill(&ledger.inner, 4);
    ledger.gate.open();

    let done = job.await.unwrap();

    assert_eq!(done, Committed { records: 5..6, answer: Ok(6) });
    assert!(ledger.commits() - before <= 2);
}

#[tokio::test]
async fn others_who_are_always_first_are_not_waited_for_without_end() {
    let ledger = Faulty::new(MemoryLedger::new());
    let (writer, _) = spawn(ledger.clone(), Pace { tries: 3, ..Pace::default() });
    for _ in 0..3 {
        ledger.fail_next(AppendError::Moved { head: Head::GENESIS });
    }
    assert_eq!(writer.append(vec![add(1)]).await, Err(WriteError::Contended));
    assert_eq!(ledger.commits(), 3);
    assert_eq!(writer.append(vec![add(1)]).await, Ok(1..2));
}

#[tokio::test]
async fn a_log_that_was_rolled_back_seals_the_writer() {
    let bed = Bed::new();
    let (writer, _) = spawn(Arc::new(bed.open().unwrap()), Pace::default());
    writer.append(vec![add(1), add(2)]).await.unwrap();
    let stranger = rusqlite::Connection::open(bed.path()).unwrap();
    stranger.execute("DELETE FROM record WHERE seq = 2", ()).unwrap();
    let error = writer.append(vec![add(1)]).await.unwrap_err();
    assert!(matches!(error, WriteError::Untrusted(ReadError::RolledBack { .. })), "{error}");
    assert!(writer.sealed().is_some());
}

#[tokio::test]
async fn a_record_that_cannot_be_followed_seals_the_writer() {
    let bed = Bed::new();
    let (writer, shown) = spawn(Arc::new(bed.open().unwrap()), Pace::default());
    let later = Draft::of(UnixMillis(1), &json!({"event": "of a later version"})).unwrap();
    bed.open().unwrap().append(Head::GENESIS, &[later]).unwrap();
    let astray = |error| matches!(error, WriteError::Astray { seq: 1, .. });
    assert!(astray(writer.append(vec![add(1)]).await.unwrap_err()));
    assert!(shown.sealed.lock().unwrap().clone().is_some_and(astray));
    let start = Writer::spawn(Arc::new(bed.open().unwrap()), Account::default(), Pace::default());
    assert!(start.err().is_some_and(astray), "and none starts on it");
}

#[tokio::test]
async fn a_job_that_decides_the_impossible_fails_alone() {
    let ledger = Faulty::new(MemoryLedger::new());
    let (writer, shown) = spawn(ledger.clone(), Pace::default());
    let impossible = Draft::of(UnixMillis(1), &json!({"event": "what"})).unwrap();
    ledger.gate.close();
    let appends = [vec![add(1)], vec![add(2), impossible], vec![add(3)], vec![add(4)]];
    let mut appends = Box::pin(join_all(appends.into_iter().map(|drafts| writer.append(drafts))));
    assert!(tokio::time::timeout(Duration::from_millis(1), &mut appends).await.is_err());
    ledger.gate.open();

    let answers = appends.await;

    assert_eq!(answers[0], Ok(1..2));
    assert_eq!(answers[1], Err(WriteError::Unfit(Unfit("a what".into()))));
    assert_eq!((&answers[2], &answers[3]), (&Ok(2..3), &Ok(3..4)));
    assert_eq!(*shown.sum.lock().unwrap(), 8);
}

#[tokio::test]
async fn a_job_that_panics_fails_alone() {
    let ledger = Arc::new(MemoryLedger::new());
    let (writer, shown) = spawn(ledger, Pace::default());
    let panics = writer.transact(|account: &Account| -> Decided<()> {
        panic!("at {}", account.sum);
    });
    let (panicked, done) = tokio::join!(panics, writer.append(vec![add(3)]));
    assert_eq!(panicked, Err(WriteError::Panicked));
    assert_eq!(done, Ok(1..2));
    assert_eq!(*shown.sum.lock().unwrap(), 3);
}

#[tokio::test]
async fn a_job_that_panics_when_asked_again_gives_no_stale_answer() {
    let ledger = Faulty::new(MemoryLedger::new());
    let (writer, _) = spawn(ledger.clone(), Pace::default());
    ledger.fail_next(AppendError::Moved { head: Head::GENESIS });
    let mut asked = 0;
    let job = writer.transact(move |_: &Account| {
        asked += 1;
        assert!(asked < 2, "asked again");
        Decided { drafts: vec![add(1)], answer: asked }
    });
    assert_eq!(job.await, Err(WriteError::Panicked));
    assert_eq!(ledger.head(), Ok(Head::GENESIS));
}

#[tokio::test]
async fn a_full_disk_fails_every_job_and_the_writer_goes_on_when_there_is_room() {
    let bed = Bed::new();
    let ledger = bed.open().unwrap();
    let pages = |count| {
        let pragma = format!("PRAGMA max_page_count = {count}");
        ledger.for_tests(|connection| connection.query_row(&pragma, (), |_| Ok(())).unwrap());
    };
    let (writer, shown) = spawn(Arc::new(ledger.clone()), Pace::default());
    writer.append(vec![add(1)]).await.unwrap();
    pages(1);
    let large = || writer.append((0..500).map(add).collect());
    assert_eq!(large().await, Err(WriteError::Unavailable(Cause::Full)));
    assert_eq!(large().await, Err(WriteError::Unavailable(Cause::Full)));
    assert_eq!(*shown.sum.lock().unwrap(), 1);
    pages(100_000);
    assert_eq!(large().await, Ok(2..502));
    assert_eq!(ledger.read(1, 1).unwrap()[0].prev(), Digest::ZERO);
}
