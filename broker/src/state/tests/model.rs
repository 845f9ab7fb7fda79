//! Random histories against a reference that is simple enough to be believed.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// One thing that is tried. Small numbers, so that they meet.
#[derive(Debug, Clone)]
enum Step {
    Start {
        task: u8,
        parent: Option<u8>,
        deadline: Option<u64>,
    },
    Mint {
        task: u8,
        jti: u8,
        life: u64,
    },
    Intend {
        task: u8,
        lease: u8,
    },
    Grant {
        lease: u8,
    },
    Revoked {
        lease: u8,
    },
    RevokeToken {
        jti: u8,
    },
    End {
        task: u8,
    },
    Kill {
        task: u8,
    },
    KillAll,
    Restart,
    Wait(u64),
    /// Everything that is known is written and read back, as a snapshot is.
    Snapshot,
}

fn step() -> impl Strategy<Value = Step> {
    let (task, lease, jti) = (0..12_u8, 0..6_u8, 0..8_u8);
    prop_oneof![
        4 => (task.clone(), proptest::option::of(0..12_u8), proptest::option::of(1..400_u64))
            .prop_map(|(task, parent, deadline)| Step::Start { task, parent, deadline }),
        4 => (task.clone(), jti.clone(), 1..100_u64)
            .prop_map(|(task, jti, life)| Step::Mint { task, jti, life }),
        2 => (task.clone(), lease.clone()).prop_map(|(task, lease)| Step::Intend { task, lease }),
        1 => lease.clone().prop_map(|lease| Step::Grant { lease }),
        1 => lease.prop_map(|lease| Step::Revoked { lease }),
        1 => jti.prop_map(|jti| Step::RevokeToken { jti }),
        1 => task.clone().prop_map(|task| Step::End { task }),
        2 => task.prop_map(|task| Step::Kill { task }),
        1 => Just(Step::KillAll),
        1 => Just(Step::Restart),
        3 => (1..50_u64).prop_map(Step::Wait),
        1 => Just(Step::Snapshot),
    ]
}

/// What must be true, kept without forgetting, without trees and without cleverness.
#[derive(Default)]
struct Reference {
    /// Parent and deadline of every task that ever was.
    tasks: BTreeMap<u8, (Option<u8>, Option<u64>)>,
    ended: BTreeSet<u8>,
    /// Task and expiry of every token that ever was, by jti and how often that was used.
    tokens: BTreeMap<u8, (u8, u64)>,
    revoked: BTreeSet<u8>,
    leases: BTreeMap<u8, u8>,
}

impl Reference {
    fn lives(&self, task: u8, now: u64) -> bool {
        let Some((parent, deadline)) = self.tasks.get(&task) else { return false };
        !self.ended.contains(&task)
            && deadline.is_none_or(|deadline| now < deadline)
            && parent.is_none_or(|parent| !self.ended.contains(&parent))
            && parent.is_none_or(|parent| self.lives(parent, now))
    }

    fn active(&self, jti: u8, now: u64) -> bool {
        self.tokens.get(&jti).is_some_and(|(task, expires)| {
            !self.revoked.contains(&jti) && now < *expires && self.lives(*task, now)
        })
    }
}

struct Pair {
    state: State,
    reference: Reference,
    now: u64,
}

impl Pair {
    fn apply(&mut self, event: &Event) {
        self.state.apply(UnixMillis(self.now), event);
    }

    fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        let at = UnixMillis(self.now);
        match step {
            Step::Start { task, parent, deadline } => {
                let deadline = deadline.map(|after| self.now + after);
                let answer = self.state.start_task(at, started(*task, *parent, deadline));
                // A name is never reused: ids are random. Here they are not.
                if self.reference.tasks.contains_key(task) {
                    return Ok(());
                }
                if let Some(parent) = parent {
                    let lives = self.reference.lives(*parent, self.now);
                    prop_assert!(lives || answer.is_err(), "a child of a dead parent");
                }
                if let Ok(event) = answer {
                    self.reference.tasks.insert(*task, (*parent, deadline));
                    self.apply(&event);
                }
            }
            Step::Mint { task, jti, life } => {
                let answer = self.state.mint(at, minted(&jti.to_string(), *task, self.now + life));
                let lives = self.reference.lives(*task, self.now);
                prop_assert!(lives || answer.is_err(), "a token of a dead task");
                if let Ok(event @ Event::TokenMinted(minted)) = &answer {
                    if self.reference.tokens.contains_key(jti) {
                        return Ok(());
                    }
                    self.reference.tokens.insert(*jti, (*task, minted.expires.0));
                    self.apply(event);
                }
            }
            Step::Intend { task, lease } => {
                let answer = self.state.intend(at, intended(*lease, *task));
                let lives = self.reference.lives(*task, self.now);
                prop_assert!(lives || answer.is_err(), "a lease of a dead task");
                if let Ok(event) = answer {
                    self.reference.leases.insert(*lease, *task);
                    self.apply(&event);
                }
            }
            Step::Grant { lease } => {
                let lease = lease_id(*lease);
                self.apply(&Event::LeaseGranted { lease, expires: None, handle: None });
            }
            Step::Revoked { lease } => {
                self.reference.leases.remove(lease);
                self.apply(&Event::LeaseRevoked { lease: lease_id(*lease) });
            }
            Step::RevokeToken { jti } => {
                if self.reference.tokens.contains_key(jti) {
                    self.reference.revoked.insert(*jti);
                }
                self.apply(&Event::TokenRevoked { jti: jti.to_string(), by: USER });
            }
            Step::End { task } => {
                if let Some(event) = self.state.end(&task_id(*task), TaskEnd::Done) {
                    self.reference.ended.insert(*task);
                    self.apply(&event);
                }
            }
            Step::Kill { task } => self.kill(&Selector::Task(task_id(*task)), &[*task]),
            Step::KillAll => {
                let all: Vec<u8> = self.reference.tasks.keys().copied().collect();
                self.kill(&Selector::All, &all);
            }
            Step::Restart => {
                let lost = Event::HostEnded { host: host_id(1), how: HostEnd::Lost };
                self.apply(&lost);
                self.reference.ended.extend(self.reference.tasks.keys().copied());
                self.apply(&Event::HostStarted { host: host_id(1), process: process() });
            }
            Step::Wait(millis) => self.now += millis,
            Step::Snapshot => {
                let bytes = serde_json::to_vec(&self.state).unwrap();
                let read: State = serde_json::from_slice(&bytes).unwrap();
                prop_assert_eq!(&read, &self.state);
                self.state = read;
            }
        }
        self.check()
    }

    fn kill(&mut self, selector: &Selector, tasks: &[u8]) {
        for event in self.state.kill(selector, &USER, None) {
            self.apply(&event);
        }
        let known = |task: &&u8| self.reference.tasks.contains_key(task);
        let ended: Vec<u8> = tasks.iter().filter(known).copied().collect();
        self.reference.ended.extend(ended);
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let at = UnixMillis(self.now);
        for task in self.reference.tasks.keys() {
            let lives = self.reference.lives(*task, self.now);
            prop_assert_eq!(self.state.act(at, &task_id(*task)).is_ok(), lives, "task {}", task);
        }
        for jti in self.reference.tokens.keys() {
            let active = self.reference.active(*jti, self.now);
            let found = self.state.is_active(&jti.to_string(), at);
            prop_assert_eq!(found, active, "token {}", jti);
        }
        let known: BTreeSet<_> = self.state.leases().map(|(id, _)| id.clone()).collect();
        let wanted: BTreeSet<_> = self.reference.leases.keys().map(|n| lease_id(*n)).collect();
        prop_assert_eq!(known, wanted, "a lease is lost or stays for ever");
        let revoking: BTreeSet<_> = self.state.to_revoke().into_iter().collect();
        for (lease, task) in &self.reference.leases {
            let ended = |task: &u8| self.reference.ended.contains(task);
            let parent = self.reference.tasks.get(task).and_then(|(parent, _)| *parent);
            if ended(task) || parent.as_ref().is_some_and(ended) {
                prop_assert!(revoking.contains(&lease_id(*lease)), "lease {} lives on", lease);
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_history_makes_something_live_that_should_not(steps in proptest::collection::vec(step(), 1..80)) {
        let mut pair = Pair { state: with_host(), reference: Reference::default(), now: 1 };
        for step in &steps {
            pair.take(step)?;
        }
    }
}
