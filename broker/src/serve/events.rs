//! What ends, as it ends, for checkers that remember what they were told.

use super::answer::{Answer, OAuthError, json, oauth, problem, text_of};
use super::body;
use super::caller::{Caller, Peer};
use super::connection::Asked;
use super::daemon::Daemon;
use super::hub::Stream;
use crate::authority::{Happened, Notice};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use bytes::Bytes;
use futures_util::stream::unfold;
use http::StatusCode;
use serde_json::{Value, json as value};
use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

/// How often a heartbeat is sent. Less than half of the lease, so that one may be late.
const BEAT: Duration = Duration::from_millis(500);
/// How many tokens one event names at most, so that no reader needs a large buffer.
const TOKENS: usize = 500;

/// Opens a stream for a checker.
pub(super) async fn events(
    State(daemon): State<Arc<Daemon>>,
    Extension(peer): Extension<Peer>,
    request: Asked,
) -> Answer {
    let caller = Caller::of(peer, request.headers(), &daemon.checkers);
    let checker = match caller.and_then(Caller::checker) {
        Ok(checker) => checker,
        Err(refused) => return refused.into(),
    };
    // Heard from before the head is read: nothing after it is missed.
    let notices = daemon.desk.notices();
    if daemon.fresh().await.is_err() {
        return oauth(OAuthError::Unavailable);
    }
    let Some(stream) = daemon.hub.open(checker.name()) else {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "there are too many streams");
    };
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let audience = checker.audience().to_owned();
    let (nudged, stopping) = (daemon.hub.nudges(), daemon.stopping.subscribe());
    let telling =
        Telling { daemon, stream, audience, notices, beat, nudged, stopping, hello: true };
    let body = Body::from_stream(unfold(telling, |mut telling| async move {
        let text = telling.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(text)), telling))
    }));
    text_of(StatusCode::OK, "text/event-stream", body)
}

/// Notes what a checker has taken in, and answers with the last record there is.
pub(super) async fn ack(
    State(daemon): State<Arc<Daemon>>,
    Extension(peer): Extension<Peer>,
    request: Asked,
) -> Answer {
    let asked = Instant::now();
    match acked(&daemon, peer, request, asked).await {
        Ok(answer) | Err(answer) => answer,
    }
}

async fn acked(
    daemon: &Daemon,
    peer: Peer,
    request: Asked,
    asked: Instant,
) -> Result<Answer, Answer> {
    let checker = Caller::of(peer, request.headers(), &daemon.checkers)?.checker()?.name();
    let (mut object, _) = body::object(request).await?;
    let (stream, seq) = (object.remove("stream"), object.remove("seq"));
    let (Some(Value::String(stream)), Some(seq), true) =
        (stream, seq.and_then(|seq| seq.as_u64()), object.is_empty())
    else {
        return Err(problem(StatusCode::BAD_REQUEST, "the body has stream, a text, and seq"));
    };
    let none = || problem(StatusCode::NOT_FOUND, "no such stream is open; open another");
    if !daemon.hub.has(checker, &stream) {
        return Err(none());
    }
    // Everything that was recorded before it asked, also by other processes.
    daemon.fresh().await.map_err(|_| oauth(OAuthError::Unavailable))?;
    let last = daemon.desk.read(|_, head| head.seq);
    if !daemon.hub.renew(checker, &stream, seq, asked, last) {
        return Err(none());
    }
    Ok(json(StatusCode::OK, &value!({ "seq": last })))
}

/// One stream.
struct Telling {
    daemon: Arc<Daemon>,
    stream: Stream,
    audience: String,
    notices: broadcast::Receiver<Arc<Notice>>,
    beat: Interval,
    nudged: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    hello: bool,
}

impl Telling {
    /// Returns what is to be sent next, or nothing when the stream has to be opened anew.
    async fn next(&mut self) -> Option<String> {
        if std::mem::take(&mut self.hello) {
            let seq = self.daemon.desk.read(|_, head| head.seq);
            let hello = value!({ "stream": self.stream.name, "seq": seq });
            return Some(event("hello", &hello));
        }
        let mut text = String::new();
        tokio::select! {
            biased;
            _ = stopped(&mut self.stopping) => return None,
            notice = self.notices.recv() => self.tell(&*notice.ok()?, &mut text)?,
            _ = self.nudged.changed() => {}
            _ = self.beat.tick() => {}
        }
        // The head first: everything up to it has then been sent here already.
        let seq = self.daemon.desk.read(|_, head| head.seq);
        loop {
            match self.notices.try_recv() {
                Ok(notice) => self.tell(&notice, &mut text)?,
                Err(broadcast::error::TryRecvError::Empty) => break,
                // It has missed some.
                Err(_) => return None,
            }
        }
        text.push_str(&event("heartbeat", &value!({ "seq": seq })));
        Some(text)
    }

    /// Writes what a checker of the audience must know; nothing of tokens for others.
    fn tell(&self, notice: &Notice, text: &mut String) -> Option<()> {
        let Notice { seq, what, tokens } = notice;
        match what {
            Happened::Anew => return None,
            Happened::Keys => text.push_str(&event("keys", &value!({ "seq": seq }))),
            Happened::Killed | Happened::Ended | Happened::Revoked => {
                let own = tokens.get(&self.audience).map(Vec::as_slice).unwrap_or_default();
                for tokens in own.chunks(TOKENS) {
                    text.push_str(&event("ended", &value!({ "seq": seq, "tokens": tokens })));
                }
            }
        }
        Some(())
    }
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // Whoever could say so is gone: that is the end as well.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

fn event(name: &str, data: &Value) -> String {
    let mut text = String::new();
    // Writing to a text does not fail.
    let _ = write!(text, "event: {name}\ndata: {data}\n\n");
    text
}
