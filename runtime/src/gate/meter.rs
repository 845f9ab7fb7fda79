//! What one task has used on the way out, and where its bounds are.

use super::failure::{ErrorCase, Failure};
use super::request::refusal;
use super::{EgressUsage, GateTask};
use crate::authority::CredentialAsk;
use crate::injection::Injection;
use crate::outcome::LimitName;
use crate::record::Record;
use std::fmt::Display;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use writ_broker::{Grant, Limits, Refusal, codes};

/// What a task has used on the way out, by all its workers together. Clones count into the same sums.
#[derive(Debug, Clone, Default)]
pub struct EgressCount(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    asked: AtomicU64,
    allowed: AtomicU64,
    bytes_out: AtomicU64,
    bytes_in: AtomicU64,
}

impl EgressCount {
    /// Returns the sums.
    #[must_use]
    pub fn usage(&self) -> EgressUsage {
        EgressUsage {
            http_requests: self.0.allowed.load(Ordering::Relaxed),
            bytes_out: self.0.bytes_out.load(Ordering::Relaxed),
            bytes_in: self.0.bytes_in.load(Ordering::Relaxed),
        }
    }
}

/// One worker of a task: the grant, the recorder and the counters of the task.
pub(super) struct Meter {
    task: GateTask,
    hit: OnceLock<LimitName>,
    paused: AtomicBool,
}

impl Meter {
    pub(super) fn new(task: GateTask) -> Self {
        Self { task, hit: OnceLock::new(), paused: AtomicBool::new(false) }
    }

    /// Lets nothing out and nothing in, or lets it again.
    pub(super) fn pause(&self, paused: bool) {
        // What a call that begins or has ended does is on the other side of a message.
        self.paused.store(paused, Ordering::Release);
    }

    fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    /// Refuses what is asked for while no call runs: no guest asks then, so the worker does.
    pub(super) fn during_call(&self, what: &str, target: &dyn Display) -> Result<(), Failure> {
        if self.is_paused() {
            let reason = "no call runs on behalf of which it could be";
            return Err(self.refuse(refusal(what, codes::IDLE, target.to_string(), reason)));
        }
        Ok(())
    }

    pub(super) fn grant(&self) -> &Grant {
        &self.task.grant
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.task.grant.limits
    }

    /// Counts one request or tunnel, before anything is known about it.
    ///
    /// Refused ones count against the bound as well: otherwise a guest could fill the record with
    /// refusals for ever.
    pub(super) fn ask(&self) -> Result<(), Failure> {
        if self.hit.get().is_none() && add(&self.counters().asked, 1, self.limits().http_requests) {
            Ok(())
        } else {
            Err(self.over(LimitName::HttpRequests, ErrorCase::HttpRequestDenied))
        }
    }

    /// Records a refusal; returns what the guest is told.
    pub(super) fn refuse(&self, refusal: Refusal) -> Failure {
        let case = ErrorCase::of(&refusal.code);
        self.refuse_as(refusal, case)
    }

    /// Records a refusal that the guest learns of by a case of its own.
    pub(super) fn refuse_as(&self, refusal: Refusal, case: ErrorCase) -> Failure {
        self.task.authority.record(Record {
            what: refusal.what.clone(),
            target: refusal.target.clone(),
            refusal: Some(refusal.clone()),
        });
        Failure::Refused(refusal, case)
    }

    /// Records that the effect is allowed; it may happen when this returns without a refusal.
    pub(super) async fn admit(&self, what: &str, target: &str) -> Result<(), Failure> {
        let record = Record { what: what.to_owned(), target: target.to_owned(), refusal: None };
        self.task.authority.admit(record).await.map_err(recorded)?;
        self.counters().allowed.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Gets what is to be put into a request that was admitted.
    pub(super) async fn credential(&self, ask: &CredentialAsk) -> Result<Injection, Failure> {
        self.task.authority.credential(ask).await.map_err(recorded)
    }

    /// Counts bytes that are about to leave.
    pub(super) fn send(&self, bytes: u64) -> Result<(), Failure> {
        if self.is_paused() {
            return Err(Failure::Cancelled);
        }
        if add(&self.counters().bytes_out, bytes, self.limits().bytes_out) {
            return Ok(());
        }
        Err(self.over(LimitName::BytesOut, ErrorCase::HttpRequestBodySize))
    }

    /// Counts bytes that came in and are about to be passed on.
    pub(super) fn receive(&self, bytes: u64) -> Result<(), Failure> {
        if self.is_paused() {
            return Err(Failure::Cancelled);
        }
        if add(&self.counters().bytes_in, bytes, self.limits().bytes_in) {
            return Ok(());
        }
        Err(self.over(LimitName::BytesIn, ErrorCase::HttpResponseBodySize))
    }

    /// Tells the host, once per worker, that a bound was hit.
    pub(super) fn over(&self, limit: LimitName, case: ErrorCase) -> Failure {
        if self.hit.set(limit).is_ok() {
            (self.task.over_limit)(limit);
        }
        Failure::Limit(limit, case)
    }

    pub(super) fn usage(&self) -> EgressUsage {
        self.task.count.usage()
    }

    fn counters(&self) -> &Counters {
        &self.task.count.0
    }
}

/// A refusal of the authority, which has recorded it.
fn recorded(refusal: Refusal) -> Failure {
    let case = ErrorCase::of(&refusal.code);
    Failure::Refused(refusal, case)
}

/// Adds unless the sum would be over the bound; what did not fit is not counted, as it is not sent.
fn add(counter: &AtomicU64, amount: u64, bound: u64) -> bool {
    let sum = |now: u64| now.checked_add(amount).filter(|sum| *sum <= bound);
    counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum).is_ok()
}
