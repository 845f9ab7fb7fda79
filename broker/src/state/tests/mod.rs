#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod model;
mod sentences;

use super::*;
use crate::event::Owner;
use crate::id::{CallId, RANDOM_BYTES};

pub(super) const USER: Owner = Owner::User { uid: 1000 };

pub(super) fn task_id(n: u8) -> TaskId {
    TaskId::from_random([n; RANDOM_BYTES])
}

pub(super) fn lease_id(n: u8) -> LeaseId {
    LeaseId::from_random([n; RANDOM_BYTES])
}

pub(super) fn host_id(n: u8) -> HostId {
    HostId::from_random([n; RANDOM_BYTES])
}

pub(super) fn started(n: u8, parent: Option<u8>, deadline: Option<u64>) -> TaskStarted {
    TaskStarted {
        task: task_id(n),
        parent: parent.map(task_id),
        host: Some(host_id(1)),
        owner: USER,
        labels: BTreeMap::from([("job".to_owned(), (n % 2).to_string())]),
        deadline: deadline.map(UnixMillis),
        grant: serde_json::json!({}),
    }
}

pub(super) fn minted(jti: &str, task: u8, expires: u64) -> TokenMinted {
    TokenMinted {
        task: task_id(task),
        jti: jti.to_owned(),
        audience: "https://api.test".to_owned(),
        expires: UnixMillis(expires),
        kid: "k".to_owned(),
        status: None,
    }
}

pub(super) fn intended(lease: u8, task: u8) -> LeaseIntended {
    LeaseIntended {
        task: task_id(task),
        host: host_id(1),
        lease: lease_id(lease),
        credential: "db".to_owned(),
        kind: "postgres".to_owned(),
        intent: None,
    }
}

pub(super) fn process() -> Process {
    Process { pid: 7, ticks: 7, boot: "b".to_owned(), namespace: 7 }
}

/// A state with one host.
pub(super) fn with_host() -> State {
    let mut state = State::default();
    state.apply(UnixMillis(0), &Event::HostStarted { host: host_id(1), process: process() });
    state
}
