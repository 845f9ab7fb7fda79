//! What waits for the writer.

use super::{Committed, Decided, State, WriteError};
use crate::ledger::{Draft, Head};
use std::ops::Range;
use tokio::sync::oneshot;

/// A piece of work for the writer's thread.
pub(super) enum Work<S> {
    /// Decide, record, answer.
    Decide(Box<dyn Job<S>>),
    /// Take in what others wrote, without the lock that writing needs.
    CatchUp(oneshot::Sender<Result<Head, WriteError>>),
}

/// A decision whose answer has some type.
pub(super) trait Job<S>: Send {
    /// Decides on a state. The latest decision is the one that counts.
    fn decide(&mut self, state: &S) -> Vec<Draft>;
    /// Answers: the records of the latest decision are durable.
    fn succeed(self: Box<Self>, records: Range<u64>);
    /// Answers that nothing came of it.
    fn fail(self: Box<Self>, error: WriteError);
}

/// A closure that decides, and who waits for it.
struct Decision<T, F> {
    decide: F,
    answer: Option<T>,
    reply: oneshot::Sender<Result<Committed<T>, WriteError>>,
}

/// Where the answer arrives.
pub(super) type Answer<T> = oneshot::Receiver<Result<Committed<T>, WriteError>>;

/// Makes work of a closure, and says where its answer arrives.
pub(super) fn decision<S, T, F>(decide: F) -> (Work<S>, Answer<T>)
where
    S: State,
    T: Send + 'static,
    F: FnMut(&S) -> Decided<T> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (Work::Decide(Box::new(Decision { decide, answer: None, reply })), answer)
}

impl<S, T: Send, F: FnMut(&S) -> Decided<T> + Send> Job<S> for Decision<T, F> {
    fn decide(&mut self, state: &S) -> Vec<Draft> {
        // Gone before deciding again: an answer never outlives the decision that it belongs to.
        self.answer = None;
        let decided = (self.decide)(state);
        self.answer = Some(decided.answer);
        decided.drafts
    }

    fn succeed(self: Box<Self>, records: Range<u64>) {
        let answer = self.answer.ok_or(WriteError::Panicked);
        // A caller who has gone away is told nothing.
        let _ = self.reply.send(answer.map(|answer| Committed { records, answer }));
    }

    fn fail(self: Box<Self>, error: WriteError) {
        let _ = self.reply.send(Err(error));
    }
}
