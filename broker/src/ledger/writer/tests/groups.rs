//! What shares a transaction, and what each job sees.

use super::*;
use futures_util::future::join_all;

#[tokio::test]
async fn what_waits_shares_one_commit_and_each_job_sees_those_before_it() {
    let ledger = Faulty::new(MemoryLedger::new());
    let (writer, shown) = spawn(ledger.clone(), Pace::default());
    ledger.gate.close();
    // The first is taken alone and waits at the gate; the others wait for it.
    let jobs: Vec<_> = (0..50).map(|_| Box::pin(writer.transact(add_below_bound))).collect();
    let mut all = Box::pin(join_all(jobs));
    assert!(tokio::time::timeout(Duration::from_millis(1), &mut all).await.is_err());
    assert_eq!(*shown.sum.lock().unwrap(), 0, "nothing is shown before it is durable");
    ledger.gate.open();

    let answers: Vec<_> = all.await.into_iter().map(Result::unwrap).collect();

    let mut sums: Vec<_> = answers.iter().map(|done| done.answer.unwrap()).collect();
    sums.sort_unstable();
    assert!(sums.into_iter().eq(0..50), "each decided on the state after another");
    let mut places: Vec<_> = answers.into_iter().flat_map(|done| done.records).collect();
    places.sort_unstable();
    assert!(places.into_iter().eq(1..=50));
    assert!(ledger.commits() <= 3, "{} commits", ledger.commits());
    assert_eq!(*shown.sum.lock().unwrap(), 50);
}

#[tokio::test]
async fn a_bound_that_is_checked_at_the_turn_holds_under_any_number_of_askers() {
    let bed = Bed::new();
    let writers: Vec<_> =
        (0..2).map(|_| Arc::new(spawn(Arc::new(bed.open().unwrap()), Pace::default()).0)).collect();
    let jobs = (0..300).map(|n: usize| writers[n % 2].transact(add_below_bound));
    let answers = join_all(jobs).await;
    let (done, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().map(Result::unwrap).partition(|done| done.answer.is_ok());
    assert_eq!((done.len(), refused.len()), (100, 200));
    assert!(refused.into_iter().all(|done| done.answer == Err(BOUND) && done.records.is_empty()));
    assert_eq!(bed.open().unwrap().head().unwrap().seq, BOUND);
}

#[tokio::test]
async fn the_drafts_of_one_job_stand_together_and_in_order() {
    let ledger = Arc::new(MemoryLedger::new());
    let (writer, _) = spawn(ledger.clone(), Pace::default());
    let appends = (0..20).map(|n| writer.append(vec![add(n), add(n), add(n)]));
    for range in join_all(appends).await {
        let range = range.unwrap();
        assert_eq!(range.end - range.start, 3);
        let records = ledger.read(range.start, 3).unwrap();
        assert!(records.windows(2).all(|pair| pair[0].members() == pair[1].members()));
    }
}

#[tokio::test]
async fn a_batch_ends_at_its_bytes_and_at_its_jobs() {
    for pace in [
        Pace { bytes: 1, ..Pace::default() },
        Pace { jobs: 1, ..Pace::default() },
        Pace { queue: 1, jobs: 1, ..Pace::default() },
    ] {
        let ledger = Faulty::new(MemoryLedger::new());
        let (writer, _) = spawn(ledger.clone(), pace);
        join_all((0..10).map(|n| writer.append(vec![add(n)]))).await;
        assert_eq!(ledger.commits(), 10);
    }
}

#[tokio::test]
async fn a_job_is_carried_out_although_its_caller_has_gone() {
    let ledger = Faulty::new(MemoryLedger::new());
    let (writer, _) = spawn(ledger.clone(), Pace::default());
    ledger.gate.close();
    let append = writer.append(vec![add(1)]);
    assert!(tokio::time::timeout(Duration::ZERO, append).await.is_err());
    ledger.gate.open();
    drop(writer);
    assert_eq!(ledger.head().unwrap().seq, 1, "a dropped writer finishes what it was given");
}

#[test]
fn a_thread_that_may_wait_needs_no_runtime() {
    let (writer, _) = spawn(Arc::new(MemoryLedger::new()), Pace::default());
    let done = writer.transact_blocking(add_below_bound).unwrap();
    assert_eq!(done, Committed { records: 1..2, answer: Ok(0) });
    assert_eq!(writer.applied(), 1);
}

#[tokio::test]
async fn what_others_write_is_shown_after_catching_up() {
    let bed = Bed::new();
    let other = bed.open().unwrap();
    let (writer, shown) = spawn(Arc::new(bed.open().unwrap()), Pace::default());
    let head = fill(&other, 4);
    assert_eq!(writer.catch_up().await, Ok(head));
    assert_eq!(*shown.sum.lock().unwrap(), 6);
    fill(&other, 3);
    let done =
        writer.transact(|account: &Account| Decided { drafts: Vec::new(), answer: account.sum });
    assert_eq!(done.await.unwrap().answer, 9, "a decision knows it without being told");
    assert_eq!(writer.applied(), 7);
}

#[tokio::test]
async fn a_writer_that_follows_shows_what_another_process_writes() {
    let bed = Bed::new();
    let other = bed.open().unwrap();
    let settings = Settings { look: Duration::from_millis(1), ..Settings::default() };
    let ledger = SqliteLedger::open(&bed.path(), &bed.anchor(), settings).unwrap();
    let subscription = ledger.subscribe(1);
    let (writer, shown) = spawn(Arc::new(ledger), Pace::default());
    let shows = async {
        fill(&other, 4);
        while *shown.sum.lock().unwrap() != 6 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        error = writer.follow(subscription) => panic!("{error}"),
        () = shows => {}
    }
}

#[tokio::test]
async fn a_start_takes_the_snapshot_and_what_came_after() {
    let bed = Bed::new();
    let pace = Pace { snapshot: 10, ..Pace::default() };
    let (writer, _) = spawn(Arc::new(bed.open().unwrap()), pace);
    for _ in 0..25 {
        writer.append(vec![add(2)]).await.unwrap();
    }
    drop(writer);
    let saved = bed.open().unwrap().latest_snapshot().unwrap().unwrap();
    assert_eq!((saved.head.seq, &saved.bytes[..]), (20, &b"[40,20]"[..]));

    let (_writer, shown) = spawn(Arc::new(bed.open().unwrap()), pace);
    assert_eq!(*shown.sum.lock().unwrap(), 50);
    assert_eq!(shown.from_snapshot.load(Ordering::SeqCst), 1);
}

/// A state that is as long as twenty records when it is written down.
struct Large;

impl State for Large {
    fn reset(&mut self, _: Option<&[u8]>) -> Result<(), Unfit> {
        Ok(())
    }

    fn apply(&mut self, _: &Record) -> Result<(), Unfit> {
        Ok(())
    }

    fn committed(&mut self, _: Head) {}

    fn save(&self) -> Option<Vec<u8>> {
        Some(vec![0; 20 * 512])
    }

    fn sealed(&mut self, _: &WriteError) {}
}

#[tokio::test]
async fn a_large_state_is_saved_less_often() {
    let bed = Bed::new();
    let pace = Pace { snapshot: 10, ..Pace::default() };
    let mut saved = Vec::new();
    for appended in [25, 1, 6] {
        let writer = Writer::spawn(Arc::new(bed.open().unwrap()), Large, pace).unwrap();
        for _ in 0..appended {
            writer.append(vec![add(1)]).await.unwrap();
        }
        drop(writer);
        saved.push(bed.open().unwrap().latest_snapshot().unwrap().unwrap().head.seq);
    }
    assert_eq!(saved, [10, 10, 30]);
}

#[tokio::test]
async fn a_snapshot_that_does_not_fit_costs_a_replay_and_no_more() {
    let ledger = Arc::new(MemoryLedger::new());
    let head = fill(&*ledger, 5);
    ledger.store_snapshot(head, b"of another version").unwrap();
    let (_writer, shown) = spawn(ledger, Pace::default());
    assert_eq!(*shown.sum.lock().unwrap(), 10);
}
