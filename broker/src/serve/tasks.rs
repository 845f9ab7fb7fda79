//! What lives, for this machine.

use super::answer::{Answer, json, problem};
use super::connection::Asked;
use super::daemon::Daemon;
use super::form::Form;
use crate::clock::UnixMillis;
use crate::event::Owner;
use crate::id::{CallId, HostId, LeaseId, TaskId};
use crate::process::{Process, Standing};
use crate::state::{LeasePhase, Phase, Running, State, Task};
use axum::extract::State as Shared;
use http::StatusCode;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// How many tasks a page has if nobody says otherwise, and at most.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;

#[derive(Serialize)]
struct Page<'a> {
    tasks: Vec<Row<'a>>,
    /// Where the next page begins; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a TaskId>,
}

/// One task, in the words of `writ ps --json`.
#[derive(Serialize)]
struct Row<'a> {
    task: &'a TaskId,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<&'a TaskId>,
    state: &'static str,
    owner: &'a Owner,
    labels: &'a BTreeMap<String, String>,
    started_ms: UnixMillis,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline_ms: Option<UnixMillis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    calls: BTreeMap<&'a CallId, Call<'a>>,
    tokens: usize,
    credentials: Vec<Credential<'a>>,
}

#[derive(Serialize)]
struct Call<'a> {
    tool: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
}

#[derive(Serialize)]
struct Credential<'a> {
    lease: &'a LeaseId,
    name: &'a str,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoking: Option<u32>,
}

/// Answers with the tasks by name, a page at a time.
pub(super) async fn list(Shared(daemon): Shared<Arc<Daemon>>, request: Asked) -> Answer {
    let Some((limit, after)) = page(request.uri().query().unwrap_or_default()) else {
        let detail = "the query has limit, from 1 to 1000, and after, the id of a task";
        return problem(StatusCode::BAD_REQUEST, detail);
    };
    let now = match daemon.fresh().await {
        Ok(now) => now,
        Err(stale) => return problem(StatusCode::SERVICE_UNAVAILABLE, &stale.to_string()),
    };
    // Asked of the kernel while nobody waits for the state.
    let hosts = daemon.desk.read(|state, _| {
        let hosts = some(state, after.as_ref(), limit)
            .0
            .into_iter()
            .filter_map(|(_, task)| task.host.as_ref())
            .filter_map(|host| Some((host.clone(), state.host(host)?.clone())));
        hosts.collect::<BTreeMap<HostId, Process>>()
    });
    let gone =
        |(host, process): (HostId, Process)| (process.standing() == Standing::Gone).then_some(host);
    let gone: BTreeSet<HostId> = hosts.into_iter().filter_map(gone).collect();
    daemon.desk.read(|state, _| {
        let (found, next) = some(state, after.as_ref(), limit);
        json(StatusCode::OK, &Page { tasks: rows(state, &found, &gone, now), next })
    })
}

type Named<'a> = (&'a TaskId, &'a Task);

/// The tasks of a page, and where the next one begins.
fn some<'a>(
    state: &'a State,
    after: Option<&TaskId>,
    limit: usize,
) -> (Vec<Named<'a>>, Option<&'a TaskId>) {
    let later = state.tasks().filter(|(id, _)| after.is_none_or(|after| *id > after));
    let mut found: Vec<Named<'_>> = later.take(limit + 1).collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().map(|(id, _)| *id).filter(|_| more);
    (found, next)
}

fn page(query: &str) -> Option<(usize, Option<TaskId>)> {
    let mut query = Form::parse(query.as_bytes())?;
    let limit = query.take("limit").map_or(Some(PAGE), |limit| limit.parse().ok())?;
    let after = query.take("after").map(|after| after.parse().ok());
    let fits = (1..=LARGEST_PAGE).contains(&limit) && query.is_empty();
    match (fits, after) {
        (true, None) => Some((limit, None)),
        (true, Some(Some(after))) => Some((limit, Some(after))),
        _ => None,
    }
}

fn rows<'a>(
    state: &'a State,
    found: &[Named<'a>],
    gone: &BTreeSet<HostId>,
    now: UnixMillis,
) -> Vec<Row<'a>> {
    let mut tokens: HashMap<&TaskId, usize> = HashMap::new();
    for (_, token) in state.tokens().filter(|(jti, _)| state.is_active(jti, now)) {
        *tokens.entry(&token.task).or_default() += 1;
    }
    let mut credentials: HashMap<&TaskId, Vec<Credential<'_>>> = HashMap::new();
    for (id, lease) in state.leases() {
        let revoking = match lease.phase {
            LeasePhase::Revoking { attempts } => Some(attempts),
            LeasePhase::Intended | LeasePhase::Granted => None,
        };
        let credential =
            Credential { lease: id, name: &lease.credential, kind: &lease.kind, revoking };
        credentials.entry(&lease.task).or_default().push(credential);
    }
    let pid = |host: &HostId| state.host(host).map(|process| process.pid);
    let call = |(id, running): (&'a CallId, &'a Running)| {
        (id, Call { tool: &running.tool, pid: pid(&running.host) })
    };
    let row = |(id, task): &Named<'a>| Row {
        task: id,
        parent: task.parent.as_ref(),
        state: word(state, task, gone, now),
        owner: &task.owner,
        labels: &task.labels,
        started_ms: task.started,
        deadline_ms: task.deadline,
        pid: task.host.as_ref().and_then(pid),
        calls: task.calls.iter().map(call).collect(),
        tokens: tokens.get(*id).copied().unwrap_or_default(),
        credentials: credentials.remove(*id).unwrap_or_default(),
    };
    found.iter().map(row).collect()
}

/// Says where a task stands, in the words of `writ ps`.
fn word(state: &State, task: &Task, gone: &BTreeSet<HostId>, now: UnixMillis) -> &'static str {
    let is_gone = |host: &HostId| state.host(host).is_none() || gone.contains(host);
    match task.phase {
        Phase::Live if task.host.as_ref().is_some_and(is_gone) => "lost",
        Phase::Live if task.deadline.is_some_and(|deadline| deadline <= now) => "overdue",
        Phase::Live => "live",
        Phase::Killed if !task.calls.is_empty() => "stopping",
        Phase::Killed | Phase::Ended(_) => "ended",
    }
}
