//! Listening to the broker: what ends, and that it is still there.

use super::Shared;
use super::link::Away;
use crate::clock::UnixMillis;
use crate::strict_json;
use crate::token::LEASE;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Map, Value, json};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long to wait before listening again, at first and at most.
const AGAIN: Duration = Duration::from_millis(50);
const LONGEST_AGAIN: Duration = Duration::from_secs(2);
/// The largest event, bytes. The broker's have 500 tokens at most.
const LARGEST_EVENT: usize = 128 << 10;

/// Listens for ever. While nobody listens, nothing is believed.
pub(super) async fn listen(shared: Arc<Shared>) {
    let mut again = AGAIN;
    loop {
        if follow(&shared).await {
            again = AGAIN;
        }
        shared.known.forget(0);
        sleep(again).await;
        again = (again * 2).min(LONGEST_AGAIN);
    }
}

/// Follows one stream to its end, and says whether it ever spoke.
async fn follow(shared: &Shared) -> bool {
    let Ok((answer, _sender)) = shared.link.open("/v1/events").await else { return false };
    if answer.status() != StatusCode::OK {
        return false;
    }
    let mut events = Events { body: answer.into_body(), buffer: Vec::new() };
    let Some(stream) = hello(shared, &mut events).await else { return false };
    loop {
        let mut renewing = pin!(renew(shared, &stream));
        let mut due = false;
        let renewed = loop {
            tokio::select! {
                renewed = &mut renewing => break renewed,
                heard = next(shared, &mut events) => match heard {
                    Some(beat) => due |= beat,
                    None => return true,
                },
            }
        };
        match renewed {
            Ok((asked, seq)) => shared.known.answered(asked, seq),
            // It may be busy; what is believed runs out by itself.
            Err(Broken::Away) => {}
            Err(Broken::Closed) => return true,
        }
        // Each heartbeat says that it is time to ask again.
        while !due {
            match next(shared, &mut events).await {
                Some(beat) => due = beat,
                None => return true,
            }
        }
    }
}

async fn hello(shared: &Shared, events: &mut Events) -> Option<String> {
    let (name, data) = events.next().await?;
    let stream = data.get("stream")?.as_str()?.to_owned();
    let seq = data.get("seq")?.as_u64()?;
    (name == "hello").then(|| shared.known.forget(seq))?;
    Some(stream)
}

/// Takes in the next event, and says whether it was a heartbeat; nothing when the stream is over.
async fn next(shared: &Shared, events: &mut Events) -> Option<bool> {
    let (name, data) = events.next().await?;
    match name.as_str() {
        "heartbeat" => shared.known.took_in(data.get("seq")?.as_u64()?),
        "ended" => {
            let tokens = data.get("tokens")?.as_array()?;
            shared.known.ended(tokens.iter().filter_map(Value::as_str));
        }
        "keys" => {
            shared.forget_keys();
            shared.known.all_ended();
        }
        // What it means is not known, and so neither is what it ends.
        _ => return None,
    }
    Some(name == "heartbeat")
}

enum Broken {
    Away,
    Closed,
}

impl From<Away> for Broken {
    fn from(Away: Away) -> Self {
        Self::Away
    }
}

/// Says what was taken in, and asks for a heartbeat.
async fn renew(shared: &Shared, stream: &str) -> Result<(UnixMillis, u64), Broken> {
    let asked = shared.clock.now();
    let body = json!({ "stream": stream, "seq": shared.known.seq() }).to_string().into_bytes();
    let body = Some(("application/json", body));
    let (status, answer) = shared.link.send(Method::POST, "/v1/ack", body).await?;
    match status {
        StatusCode::OK => {
            let answer = strict_json::object(&answer, 2).ok_or(Broken::Closed)?;
            let seq = answer.get("seq").and_then(Value::as_u64).ok_or(Broken::Closed)?;
            Ok((asked, seq))
        }
        StatusCode::SERVICE_UNAVAILABLE => Err(Broken::Away),
        _ => Err(Broken::Closed),
    }
}

/// The events of a stream, as the broker writes them: a name, one line of data, an empty line.
struct Events {
    body: Incoming,
    buffer: Vec<u8>,
}

impl Events {
    /// Returns the next event. Dropping the future loses nothing.
    async fn next(&mut self) -> Option<(String, Map<String, Value>)> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let text = std::str::from_utf8(&event[..end]).ok()?;
                let (name, data) = text.split_once('\n')?;
                let name = name.strip_prefix("event: ")?.to_owned();
                return Some((
                    name,
                    strict_json::object(data.strip_prefix("data: ")?.as_bytes(), 3)?,
                ));
            }
            if self.buffer.len() > LARGEST_EVENT {
                return None;
            }
            // A stream that is silent for so long is not worth believing.
            let frame = timeout(LEASE, self.body.frame()).await.ok()??.ok()?;
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
            }
        }
    }
}
