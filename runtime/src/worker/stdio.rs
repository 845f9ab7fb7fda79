//! The guest's standard streams, as frames on the control socket.

use super::outbox::Outbox;
use crate::outcome::LimitName;
use crate::wire::{FromWorker, MAX_CHUNK};
use bytes::{Bytes, BytesMut};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use wasmtime_wasi::cli::{IsTerminal, StdinStream, StdoutStream};
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

/// Standard output or standard error of one call.
///
/// Past the bound the guest's writes succeed and are dropped: a chatty tool is cut off, not ended.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    outbox: Outbox,
    name: LimitName,
    /// Bytes that may still pass; once a write did not fit, it stays [`CUT`].
    left: Arc<AtomicU64>,
}

/// The mark of a stream that was cut off; no limit is this large.
const CUT: u64 = u64::MAX;

impl Output {
    /// Makes the stream whose bound has this name.
    pub(crate) fn new(outbox: Outbox, name: LimitName, bound: u64) -> Self {
        Self { outbox, name, left: Arc::new(AtomicU64::new(bound.min(CUT - 1))) }
    }

    /// Returns the stream's name if something was cut off.
    pub(crate) fn truncated(&self) -> Option<LimitName> {
        (self.left.load(Ordering::Relaxed) == CUT).then_some(self.name)
    }

    fn pass(&self, bytes: &Bytes) {
        let left = self.left.load(Ordering::Relaxed);
        if left == CUT {
            return;
        }
        let fits = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        for start in (0..fits).step_by(MAX_CHUNK) {
            let chunk = bytes.slice(start..fits.min(start + MAX_CHUNK));
            self.outbox.send(&match self.name {
                LimitName::Stderr => FromWorker::Stderr(chunk),
                _ => FromWorker::Stdout(chunk),
            });
        }
        let left = if fits < bytes.len() { CUT } else { left - fits as u64 };
        self.left.store(left, Ordering::Relaxed);
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.pass(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_CHUNK)
    }
}

impl AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.pass(&Bytes::copy_from_slice(bytes));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A guest is never told that it writes to a terminal: what it prints is escaped on the way.
impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

/// Standard input of one call, asked for piece by piece.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    outbox: Outbox,
    shared: Arc<InputShared>,
}

#[derive(Debug, Default)]
struct InputShared {
    state: Mutex<InputState>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct InputState {
    bytes: BytesMut,
    asked: bool,
    ended: bool,
}

impl Input {
    pub(crate) fn new(outbox: Outbox) -> Self {
        Self { outbox, shared: Arc::default() }
    }

    /// Takes a piece from the host; an empty one is the end.
    pub(crate) fn push(&self, bytes: &[u8]) {
        let mut state = self.lock();
        state.asked = false;
        state.ended |= bytes.is_empty();
        state.bytes.extend_from_slice(bytes);
        drop(state);
        self.shared.arrived.notify_waiters();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, InputState> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the host for more if nothing is here and nothing is on its way.
    fn poke(&self) -> bool {
        let mut state = self.lock();
        if !state.bytes.is_empty() || state.ended {
            return true;
        }
        if !std::mem::replace(&mut state.asked, true) {
            drop(state);
            self.outbox.send(&FromWorker::WantStdin);
        }
        false
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Input {
    async fn ready(&mut self) {
        loop {
            let arrived = self.shared.arrived.notified();
            if self.poke() {
                return;
            }
            arrived.await;
        }
    }
}

impl InputStream for Input {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size > 0 {
            self.poke();
        }
        let mut state = self.lock();
        if state.bytes.is_empty() && state.ended {
            return Err(StreamError::Closed);
        }
        let size = size.min(state.bytes.len());
        Ok(state.bytes.split_to(size).freeze())
    }
}

/// Only WASI 0.3 reads standard input this way, and it is off.
impl AsyncRead for Input {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }
}

impl IsTerminal for Input {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for Input {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.clone())
    }
}
