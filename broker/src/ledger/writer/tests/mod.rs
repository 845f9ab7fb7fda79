#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod faults;
mod groups;
mod measure;
mod model;

use super::*;
use crate::clock::UnixMillis;
use crate::ledger::tests::{Bed, fill};
use crate::ledger::{AppendError, Digest, MemoryLedger, Settings, Snapshot, SqliteLedger, Turn};
use serde_json::json;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

/// The sum of what was added, which must never pass a bound: decided at the turn.
#[derive(Default)]
struct Account {
    sum: u64,
    applied: u64,
    shown: Arc<Shown>,
}

/// What others see of an account.
#[derive(Default)]
struct Shown {
    sum: Mutex<u64>,
    shows: AtomicU64,
    resets: AtomicU64,
    from_snapshot: AtomicU64,
    sealed: Mutex<Option<WriteError>>,
}

const BOUND: u64 = 100;

impl State for Account {
    fn reset(&mut self, snapshot: Option<&[u8]>) -> Result<(), Unfit> {
        self.shown.resets.fetch_add(1, Ordering::SeqCst);
        (self.sum, self.applied) = match snapshot {
            Some(bytes) => {
                let saved = serde_json::from_slice(bytes);
                self.shown.from_snapshot.fetch_add(1, Ordering::SeqCst);
                saved.map_err(|error| Unfit(error.to_string()))?
            }
            None => (0, 0),
        };
        Ok(())
    }

    fn apply(&mut self, record: &Record) -> Result<(), Unfit> {
        let added = record.members().get("n").and_then(serde_json::Value::as_u64);
        self.sum += added.ok_or_else(|| Unfit(format!("a {}", record.event())))?;
        self.applied += 1;
        Ok(())
    }

    fn committed(&mut self, head: Head) {
        assert_eq!(head.seq, self.applied, "every record once");
        *self.shown.sum.lock().unwrap() = self.sum;
        self.shown.shows.fetch_add(1, Ordering::SeqCst);
    }

    fn save(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(&(self.sum, self.applied)).ok()
    }

    fn sealed(&mut self, why: &WriteError) {
        *self.shown.sealed.lock().unwrap() = Some(why.clone());
    }
}

fn add(n: u64) -> Draft {
    Draft::of(UnixMillis(n), &json!({"event": "add", "n": n})).unwrap()
}

/// Adds one, unless that passes the bound; answers with the sum that it decided on.
fn add_below_bound(account: &Account) -> Decided<Result<u64, u64>> {
    match account.sum {
        sum if sum < BOUND => Decided { drafts: vec![add(1)], answer: Ok(sum) },
        sum => Decided { drafts: Vec::new(), answer: Err(sum) },
    }
}

fn spawn(ledger: Arc<dyn Ledger>, pace: Pace) -> (Writer<Account>, Arc<Shown>) {
    let account = Account::default();
    let shown = Arc::clone(&account.shown);
    (Writer::spawn(ledger, account, pace).unwrap(), shown)
}

/// A ledger that counts, waits and fails as it is told.
struct Faulty<L> {
    inner: L,
    commits: AtomicU64,
    /// Given out by the commits to come, the last one first.
    failures: Mutex<Vec<AppendError>>,
    gate: Gate,
}

impl<L: Ledger> Faulty<L> {
    fn new(inner: L) -> Arc<Self> {
        Arc::new(Self {
            inner,
            commits: AtomicU64::new(0),
            failures: Mutex::default(),
            gate: Gate::default(),
        })
    }

    fn fail_next(&self, error: AppendError) {
        self.failures.lock().unwrap().push(error);
    }

    fn commits(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }
}

/// What each commit passes: closed by a test, it makes jobs wait.
#[derive(Default)]
struct Gate {
    closed: Mutex<bool>,
    moved: Condvar,
}

impl Gate {
    fn close(&self) {
        *self.closed.lock().unwrap() = true;
    }

    fn open(&self) {
        *self.closed.lock().unwrap() = false;
        self.moved.notify_all();
    }

    fn pass(&self) {
        let closed = self.closed.lock().unwrap();
        drop(self.moved.wait_while(closed, |closed| *closed).unwrap());
    }
}

struct FaultyTurn<'a, L> {
    ledger: &'a Faulty<L>,
    turn: Box<dyn Turn + 'a>,
}

impl<L: Ledger> Ledger for Faulty<L> {
    fn turn(&self) -> Result<Box<dyn Turn + '_>, AppendError> {
        Ok(Box::new(FaultyTurn { ledger: self, turn: self.inner.turn()? }))
    }
    fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        self.inner.read(from, limit)
    }
    fn head(&self) -> Result<Head, ReadError> {
        self.inner.head()
    }
    fn subscribe(&self, from: u64) -> Subscription {
        self.inner.subscribe(from)
    }
    fn poke(&self) {
        self.inner.poke();
    }
    fn store_snapshot(&self, head: Head, bytes: &[u8]) -> Result<(), AppendError> {
        self.inner.store_snapshot(head, bytes)
    }
    fn latest_snapshot(&self) -> Result<Option<Snapshot>, ReadError> {
        self.inner.latest_snapshot()
    }
}

impl<L: Ledger> Turn for FaultyTurn<'_, L> {
    fn head(&self) -> Head {
        self.turn.head()
    }
    fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        self.turn.read(from, limit)
    }
    fn push(&mut self, draft: Draft) -> Result<Record, AppendError> {
        self.turn.push(draft)
    }
    fn commit(self: Box<Self>) -> Result<Head, AppendError> {
        self.ledger.gate.pass();
        self.ledger.commits.fetch_add(1, Ordering::SeqCst);
        match self.ledger.failures.lock().unwrap().pop() {
            Some(error) => Err(error),
            None => self.turn.commit(),
        }
    }
}
