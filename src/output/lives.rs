//! What lives: for a person a table, for a script one object.

use super::{json_line, result};
use crate::session::words;
use anyhow::Result;
use serde::Serialize;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;
use writ_broker::clock::UnixMillis;
use writ_broker::event::Owner;
use writ_broker::id::{CallId, HostId, LeaseId, TaskId};
use writ_broker::limits::Unit;
use writ_broker::process::Standing;
use writ_broker::state::{LeasePhase, Phase, Running, State, Task};
use writ_broker::text::printable;

/// The version of the JSON object; `schema/ps.json` says what is in it.
const SCHEMA: &str = "writ.ps/1";

#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    tasks: Vec<Row<'a>>,
}

/// One task.
#[derive(Serialize)]
struct Row<'a> {
    task: &'a TaskId,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<&'a TaskId>,
    state: TaskState,
    owner: &'a Owner,
    labels: &'a BTreeMap<String, String>,
    started_ms: UnixMillis,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline_ms: Option<UnixMillis>,
    /// Of the process that it lives and dies with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    calls: BTreeMap<&'a CallId, Call<'a>>,
    /// How many tokens are good.
    tokens: usize,
    credentials: Vec<Credential<'a>>,
}

/// What runs.
#[derive(Serialize)]
struct Call<'a> {
    tool: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
}

/// Whether a task may act.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum TaskState {
    /// It may.
    Live,
    /// Its time is over, and its process has yet to say so.
    Overdue,
    /// Its process is gone without having said so. The next to come up records that.
    Lost,
    /// It was killed, and its process has yet to stop what it runs.
    Stopping,
    /// It has ended, and something of it is still to be revoked or to expire.
    Ended,
}

impl TaskState {
    fn of(state: &State, task: &Task, now: UnixMillis) -> Self {
        let lost = task.host.as_ref().is_some_and(|host| {
            state.host(host).is_none_or(|process| process.standing() == Standing::Gone)
        });
        match task.phase {
            Phase::Live if lost => Self::Lost,
            Phase::Live if task.deadline.is_some_and(|deadline| deadline <= now) => Self::Overdue,
            Phase::Live => Self::Live,
            Phase::Killed if !task.calls.is_empty() => Self::Stopping,
            Phase::Killed | Phase::Ended(_) => Self::Ended,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Overdue => "overdue",
            Self::Lost => "lost",
            Self::Stopping => "stopping",
            Self::Ended => "ended",
        }
    }
}

/// A credential that exists upstream, or may.
#[derive(Serialize)]
struct Credential<'a> {
    lease: &'a LeaseId,
    name: &'a str,
    kind: &'a str,
    /// Whether it is being revoked, and how often that has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoking: Option<u32>,
}

/// Prints what lives.
pub(crate) fn lives(state: &State, now: UnixMillis, json: bool) -> Result<ExitCode> {
    let row = |(id, task)| Row::of(state, id, task, now);
    let mut tasks: Vec<Row<'_>> = state.tasks().map(row).collect();
    tasks.sort_by_key(|row| row.started_ms);
    if json {
        result(json_line(&Report { schema: SCHEMA, tasks })?);
    } else {
        result(table(&tasks, now));
    }
    Ok(ExitCode::SUCCESS)
}

impl<'a> Row<'a> {
    fn of(state: &'a State, id: &'a TaskId, task: &'a Task, now: UnixMillis) -> Self {
        let tokens =
            state.tokens().filter(|(jti, token)| token.task == *id && state.is_active(jti, now));
        let credentials = state.leases().filter(|(_, lease)| lease.task == *id);
        let credentials = credentials.map(|(lease, held)| Credential {
            lease,
            name: &held.credential,
            kind: &held.kind,
            revoking: match held.phase {
                LeasePhase::Revoking { attempts } => Some(attempts),
                LeasePhase::Intended | LeasePhase::Granted => None,
            },
        });
        let pid = |host: &HostId| state.host(host).map(|process| process.pid);
        let call = |(id, running): (&'a CallId, &'a Running)| {
            (id, Call { tool: &running.tool, pid: pid(&running.host) })
        };
        Self {
            task: id,
            parent: task.parent.as_ref(),
            state: TaskState::of(state, task, now),
            owner: &task.owner,
            labels: &task.labels,
            started_ms: task.started,
            deadline_ms: task.deadline,
            pid: task.host.as_ref().and_then(pid),
            calls: task.calls.iter().map(call).collect(),
            tokens: tokens.count(),
            credentials: credentials.collect(),
        }
    }

    fn cells(&self, now: UnixMillis) -> [String; 8] {
        let ends = self.deadline_ms.map(|deadline| time(deadline.saturating_since(now)));
        let labels = self.labels.iter().map(|(name, value)| format!("{name}={value}"));
        let labels: Vec<_> = labels.collect();
        let tools = self.calls.values().map(|call| printable(call.tool).into_owned());
        let tools: Vec<_> = tools.collect();
        let dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
        let revoking = self.credentials.iter().filter(|held| held.revoking.is_some()).count();
        let mut held = format!("{}", self.tokens + self.credentials.len());
        if revoking > 0 {
            held.push_str(&format!(" ({revoking} being revoked)"));
        }
        [
            self.task.to_string(),
            self.state.word().to_owned(),
            time(now.saturating_since(self.started_ms)),
            ends.unwrap_or_else(|| "-".to_owned()),
            self.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
            dash(tools.join(",")),
            held,
            format!("{} {}", printable(&words(self.owner)), labels.join(" ")).trim_end().to_owned(),
        ]
    }
}

const HEAD: [&str; 8] =
    ["TASK", "STATE", "AGE", "ENDS IN", "PID", "RUNS", "CREDENTIALS", "OWNER AND LABELS"];

fn table(tasks: &[Row<'_>], now: UnixMillis) -> String {
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(tasks.iter().map(|row| row.cells(now)));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; 8] = std::array::from_fn(|column| width(column).unwrap_or_default());
    let line = |row: &[String; 8]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A time to the second.
fn time(time: Duration) -> String {
    Unit::Time.show(time.as_secs() * 1000)
}
