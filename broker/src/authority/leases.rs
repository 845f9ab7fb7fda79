//! The upstream credentials of one task: recorded before they are made, and revoked until they are gone.

use super::{Authority, Refused};
use crate::ask::HttpAsk;
use crate::clock::UnixMillis;
use crate::event::{Event, HostEnd, LeaseIntended};
use crate::grant::CredentialGrant;
use crate::id::{HostId, LeaseId, RANDOM_BYTES, TaskId};
use crate::providers::{
    Handle, Intent, LeaseAsk, Leased, Material, ProviderError, Providers, Revoked,
};
use crate::state::{Lease, LeasePhase, State};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until, timeout_at};

/// How long to wait before a revocation is tried again: at first, and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));

/// How long revoking goes on at least, however soon it should be over: once each is worth a try.
const ONCE: Duration = Duration::from_secs(3);

/// Why a credential cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// The operator has none of that name.
    #[error(
        "the operator has no credential of this name; `--credentials FILE` names the file that says where it comes from"
    )]
    Unknown,
    /// The operator has another kind under that name.
    #[error("the operator's credential of this name is of the kind \"{0}\"")]
    Kind(&'static str),
    /// The operator does not let it go there.
    #[error("the operator does not allow it for this request")]
    NotThere,
    /// The operator does not let guests have it.
    #[error("the operator does not let a tool hold it")]
    NotExposed,
    /// It may not be leased now.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The upstream did not give it.
    #[error(transparent)]
    Upstream(#[from] ProviderError),
    /// No randomness.
    #[error("there is no randomness")]
    Random,
}

/// What is asked for: into which request it goes, or that the guest itself gets it.
#[derive(Debug, Clone, Copy)]
pub enum Use<'a> {
    /// Into a request.
    Request(&'a HttpAsk),
    /// To the guest.
    Exposed,
}

/// The credentials of one task.
pub struct Leases {
    authority: Arc<Authority>,
    providers: Arc<Providers>,
    task: TaskId,
    host: HostId,
    held: Mutex<BTreeMap<String, Held>>,
    /// Everything that may exist upstream because of this.
    made: std::sync::Mutex<Vec<LeaseId>>,
}

struct Held {
    material: Material,
    renew: Option<UnixMillis>,
}

impl Leases {
    /// Leases nothing yet.
    pub fn new(
        authority: Arc<Authority>,
        providers: Arc<Providers>,
        (task, host): (TaskId, HostId),
    ) -> Self {
        Self {
            authority,
            providers,
            task,
            host,
            held: Mutex::default(),
            made: std::sync::Mutex::default(),
        }
    }

    /// Gives the secret part of a credential of the grant, leasing it when it is first needed.
    pub async fn obtain(
        &self,
        grant: &CredentialGrant,
        wanted: Use<'_>,
    ) -> Result<Material, LeaseError> {
        let name = grant.name.as_str();
        let operators = self.providers.credential(name).ok_or(LeaseError::Unknown)?;
        if operators.kind().as_str() != grant.kind.as_str() {
            return Err(LeaseError::Kind(operators.kind().as_str()));
        }
        match wanted {
            Use::Request(ask) if !operators.covers(ask) => return Err(LeaseError::NotThere),
            Use::Exposed if !operators.expose => return Err(LeaseError::NotExposed),
            Use::Request(_) | Use::Exposed => {}
        }
        // One at a time: of many requests that start together, one leases for all.
        let mut held = self.held.lock().await;
        // Also one that was leased before: what was admitted before a kill does not get it after it.
        self.authority.still(&self.task)?;
        let now = self.authority.clock.now();
        if let Some(held) = held.get(name)
            && held.renew.is_none_or(|renew| now < renew)
        {
            return Ok(held.material.clone());
        }
        let Leased { material, expires, .. } = self.lease(grant, now).await?;
        // The one before ends by itself, and with the task.
        let half = |end: UnixMillis| now.checked_add(end.saturating_since(now) / 2);
        let renew = expires.and_then(half);
        held.insert(name.to_owned(), Held { material: material.clone(), renew });
        Ok(material)
    }

    /// Returns what has to be revoked once nobody needs it any more.
    pub fn made(&self) -> Vec<LeaseId> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// An error or an end in the middle leaves the intent in the ledger, and so to the end of the task.
    async fn lease(&self, grant: &CredentialGrant, at: UnixMillis) -> Result<Leased, LeaseError> {
        let name = grant.name.as_str();
        let provider = self.providers.provider(name).ok_or(LeaseError::Unknown)?;
        let mut random = [0; RANDOM_BYTES];
        getrandom::fill(&mut random).map_err(|_| LeaseError::Random)?;
        let actions = &grant.scope.actions;
        let ask = LeaseAsk {
            credential: name.to_owned(),
            lease: LeaseId::from_random(random),
            task: self.task.clone(),
            at,
            ttl: grant.ttl,
            scope: (!actions.is_empty()).then(|| actions.join(" ")),
            resource: grant.scope.resource.clone(),
            subject: None,
        };
        let intent = provider.intent(&ask);
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(ask.lease.clone());
        self.authority.intend(&ask, &self.host, &intent).await?;
        let leased = provider.lease(&ask, &intent, self.authority.clock.now()).await?;
        self.authority.granted(&ask, &leased).await?;
        Ok(leased)
    }
}

impl Authority {
    async fn intend(&self, ask: &LeaseAsk, host: &HostId, intent: &Intent) -> Result<(), Refused> {
        let intended = LeaseIntended {
            task: ask.task.clone(),
            host: host.clone(),
            lease: ask.lease.clone(),
            credential: ask.credential.clone(),
            kind: intent.kind.to_string(),
            intent: serde_json::to_value(intent).ok(),
        };
        self.decide(move |state, now| Ok((vec![state.intend(now, intended.clone())?], ()))).await?;
        Ok(())
    }

    /// Records that a credential exists, whatever became of its task; but only a task that lives gets it.
    async fn granted(&self, ask: &LeaseAsk, leased: &Leased) -> Result<(), Refused> {
        let task = ask.task.clone();
        let event = Event::LeaseGranted {
            lease: ask.lease.clone(),
            expires: leased.expires,
            handle: serde_json::to_value(&leased.handle).ok(),
        };
        let granted =
            self.decide(move |state, now| Ok((vec![event.clone()], state.act(now, &task))));
        Ok(granted.await?.answer?)
    }

    /// Revokes what a process has leased, which then is done. Returns what is left.
    ///
    /// It is tried as often as it takes, but no longer than until then, or three seconds; the next
    /// process to come up goes on with what is left.
    pub async fn revoke_own(
        &self,
        providers: &Providers,
        host: &HostId,
        until: Instant,
    ) -> Result<usize, Refused> {
        let left = self.revoke(providers, Some(host), until).await?;
        self.hosts_ended(vec![(host.clone(), HostEnd::Done)]).await?;
        Ok(left)
    }

    /// Revokes what processes have left that are not there any more, under the same conditions.
    pub async fn revoke_orphans(
        &self,
        providers: &Providers,
        until: Instant,
    ) -> Result<usize, Refused> {
        self.revoke(providers, None, until).await
    }

    async fn revoke(
        &self,
        providers: &Providers,
        own: Option<&HostId>,
        until: Instant,
    ) -> Result<usize, Refused> {
        let mut wait = BACK_OFF.0;
        let cut = until.max(Instant::now() + ONCE);
        loop {
            let own = own.cloned();
            let pending =
                self.decide(move |state, _| Ok((Vec::new(), revocable(state, own.as_ref()))));
            let pending = pending.await?.answer;
            let mut asked = Duration::ZERO;
            let mut left = 0;
            for (id, lease) in pending {
                if Instant::now() >= cut {
                    left += 1;
                    continue;
                }
                let attempt = timeout_at(cut, self.revoke_one(providers, &lease)).await;
                let attempt = attempt.unwrap_or_else(|_| Err(late()));
                let event = match attempt {
                    Ok(Some(expires)) => Event::LeaseLapsing { lease: id, expires },
                    Ok(None) => Event::LeaseRevoked { lease: id },
                    Err(error) => {
                        if let ProviderError::Later { after: Some(after), .. } = &error {
                            asked = asked.max(*after);
                        }
                        left += 1;
                        let LeasePhase::Revoking { attempts } = lease.phase else { continue };
                        let attempts = attempts.saturating_add(1);
                        Event::LeaseRetrying { lease: id, attempts, error: error.to_string() }
                    }
                };
                self.decide(move |_, _| Ok((vec![event.clone()], ()))).await?;
            }
            let next = Instant::now() + wait.max(asked);
            if left == 0 || next >= until {
                return Ok(left);
            }
            sleep_until(next).await;
            wait = (wait * 2).min(BACK_OFF.1);
        }
    }

    /// Revokes one, or says when it ends because nobody can.
    async fn revoke_one(
        &self,
        providers: &Providers,
        lease: &Lease,
    ) -> Result<Option<UnixMillis>, ProviderError> {
        let handle = handle(lease).ok_or_else(|| ProviderError::Never {
            why: "the ledger has no handle by which it could be revoked".to_owned(),
        })?;
        let provider = providers.revoker(&handle)?;
        let now = self.clock.now();
        match provider.revoke(&handle, now).await? {
            Revoked::Gone | Revoked::Withheld => Ok(None),
            Revoked::Lapses(Some(at)) => Ok((now < at).then_some(at)),
            Revoked::Lapses(None) => Err(ProviderError::Never {
                why: "it cannot be called back, and when it ends is not known".to_owned(),
            }),
        }
    }
}

fn late() -> ProviderError {
    ProviderError::Later { after: None, why: "it could not be revoked in time".to_owned() }
}

/// The leases that are to be revoked from here.
fn revocable(state: &State, own: Option<&HostId>) -> Vec<(LeaseId, Lease)> {
    let ours = |(_, lease): &(&LeaseId, &Lease)| match own {
        Some(own) => lease.host == *own,
        None => state.host(&lease.host).is_none(),
    };
    let revoking = |phase| matches!(phase, LeasePhase::Revoking { .. });
    let open = |lease: &Lease| revoking(lease.phase) && lease.lapses.is_none();
    let leases = state.leases().filter(ours).filter(|(_, lease)| open(lease));
    leases.map(|(id, lease)| (id.clone(), lease.clone())).collect()
}

/// By what a lease can be revoked: what its provider gave, or what was intended.
fn handle(lease: &Lease) -> Option<Handle> {
    match (&lease.handle, &lease.intent) {
        (Some(handle), _) => serde_json::from_str(handle).ok(),
        (None, Some(intent)) => serde_json::from_str(intent).ok().map(Intent::into_handle),
        (None, None) => None,
    }
}

#[cfg(test)]
#[path = "leases_tests.rs"]
mod tests;
