//! Asking twice for what is done once (`idempotency-key`).

use super::answer::{Answer, problem, text_of};
use aws_lc_rs::digest;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long and how many answers are remembered. A daemon that starts again remembers none.
const KEPT: Duration = Duration::from_secs(600);
const MOST: usize = 1024;
/// The longest key, bytes.
const LONGEST_KEY: usize = 255;

/// What was asked for under a key, and what was answered.
#[derive(Default)]
pub(super) struct Remembered(Mutex<BTreeMap<Key, Entry>>);

/// A key of one user.
pub(super) type Key = (u32, String);

struct Entry {
    asked: [u8; 32],
    since: Instant,
    /// None for as long as it is being done.
    answer: Option<(StatusCode, Bytes)>,
}

/// What to do with a request.
pub(super) enum Turn {
    /// Do it, and then say what was answered, if there is a key.
    Do(Option<Key>),
    /// It was done, or cannot be done now: this is the answer.
    Done(Answer),
}

impl Remembered {
    /// Finds out whether a request was made before.
    pub(super) fn turn(&self, uid: u32, headers: &HeaderMap, body: &[u8]) -> Turn {
        let mut keys = headers.get_all("idempotency-key").iter();
        let key = match (keys.next(), keys.next()) {
            (None, _) => return Turn::Do(None),
            (Some(key), None) => key.to_str().unwrap_or_default(),
            (Some(_), Some(_)) => "",
        };
        if key.is_empty() || key.len() > LONGEST_KEY {
            let detail = "an idempotency-key is one text of 1 to 255 characters";
            return Turn::Done(problem(StatusCode::BAD_REQUEST, detail));
        }
        let asked = digest::digest(&digest::SHA256, body);
        let asked: [u8; 32] = asked.as_ref().try_into().expect("SHA-256 has 32 bytes");
        let key = (uid, key.to_owned());
        let now = Instant::now();
        let mut kept = self.lock();
        kept.retain(|_, entry| now - entry.since < KEPT);
        match kept.get(&key) {
            Some(entry) if entry.asked != asked => {
                let detail = "this idempotency-key was used for another request";
                Turn::Done(problem(StatusCode::UNPROCESSABLE_ENTITY, detail))
            }
            Some(Entry { answer: Some((status, text)), .. }) => {
                Turn::Done(text_of(*status, "application/json", text.clone()))
            }
            Some(_) => {
                let detail = "this request is being carried out; ask again for its answer";
                Turn::Done(problem(StatusCode::CONFLICT, detail))
            }
            None if kept.len() >= MOST => {
                let detail = "too many idempotency-keys are in use; leave it out, or ask later";
                Turn::Done(problem(StatusCode::SERVICE_UNAVAILABLE, detail))
            }
            None => {
                kept.insert(key.clone(), Entry { asked, since: now, answer: None });
                Turn::Do(Some(key))
            }
        }
    }

    /// Remembers an answer.
    pub(super) fn done(&self, key: Option<&Key>, status: StatusCode, text: &Bytes) {
        let mut kept = self.lock();
        if let Some(entry) = key.and_then(|key| kept.get_mut(key)) {
            entry.answer = Some((status, text.clone()));
        }
    }

    /// Forgets a request that did nothing: it may be made again.
    pub(super) fn undone(&self, key: Option<&Key>) {
        if let Some(key) = key {
            self.lock().remove(key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
