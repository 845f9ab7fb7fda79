//! The two directions of a connection as `wasi:io` streams, and how it ends.

use bytes::{Bytes, BytesMut};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf};
use tokio::sync::RwLock;
use tokio::time::timeout;
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn};

use crate::worker::host::egress::Tunnel;

/// The most that is read ahead, and the most that a guest may write at once, bytes.
const CHUNK: usize = 64 * 1024;

/// How long a connection that the guest left is kept, so that what it wrote before still goes out:
/// HTTP/2 throws away what waits on a stream that is dropped.
const LINGER: Duration = Duration::from_millis(500);

/// A connection, shared by the guest's socket and its two streams; it ends when the last is dropped.
pub(super) struct Ends {
    reading: Mutex<Reading>,
    writing: Mutex<Writing>,
    open: Arc<RwLock<()>>,
}

enum Reading {
    Open { half: ReadHalf<Tunnel>, buffer: Bytes },
    Shut(ReadHalf<Tunnel>),
    Failed(io::Error),
    Closed,
}

impl Ends {
    /// Takes a tunnel. `open` is held while it lingers.
    pub(super) fn new(tunnel: Tunnel, open: Arc<RwLock<()>>) -> Arc<Self> {
        let (half, write) = tokio::io::split(tunnel);
        Arc::new(Self {
            reading: Mutex::new(Reading::Open { half, buffer: Bytes::new() }),
            writing: Mutex::new(Writing::Ready(write)),
            open,
        })
    }

    /// Ends what arrives, for the guest.
    pub(super) fn shut_incoming(&self) {
        self.read(|reading| match reading.take() {
            Reading::Open { half, .. } => *reading = Reading::Shut(half),
            ended => *reading = ended,
        });
    }

    /// Tells the other side that no more comes, after what was written before.
    pub(super) fn shut_outgoing(&self) {
        self.write(Writing::close);
    }

    fn read<R>(&self, act: impl FnOnce(&mut Reading) -> R) -> R {
        act(&mut self.reading.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<R>(&self, act: impl FnOnce(&mut Writing) -> R) -> R {
        act(&mut self.writing.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        let half = match self.read(Reading::take) {
            Reading::Open { half, .. } | Reading::Shut(half) => Some(half),
            Reading::Failed(_) => return,
            Reading::Closed => None,
        };
        let writing = self.write(Writing::take);
        let open = Arc::clone(&self.open).try_read_owned();
        if let (Ok(runtime), Ok(open)) = (tokio::runtime::Handle::try_current(), open) {
            runtime.spawn(async move {
                let _left_after_this_is_lost = timeout(LINGER, leave(half, writing)).await;
                drop(open);
            });
        }
    }
}

/// Sends what is left and the end, and waits for the other side to end as well.
async fn leave(half: Option<ReadHalf<Tunnel>>, writing: Writing) -> io::Result<()> {
    match writing {
        Writing::Ready(mut write) => write.shutdown().await?,
        Writing::Busy(pending) => pending.await?.shutdown().await?,
        Writing::Closing(pending) => pending.await?,
        Writing::Failed(_) | Writing::Closed => {}
    }
    if let Some(mut half) = half {
        tokio::io::copy(&mut half, &mut tokio::io::sink()).await?;
    }
    Ok(())
}

/// What arrives.
pub(super) struct Incoming(pub(super) Arc<Ends>);

impl Reading {
    fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Closed)
    }

    /// Is ready once there are bytes, an error or the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Self::Open { half, buffer } = self else { return Poll::Ready(()) };
        if !buffer.is_empty() {
            return Poll::Ready(());
        }
        let mut bytes = BytesMut::zeroed(CHUNK);
        let mut read = ReadBuf::new(&mut bytes);
        match std::task::ready!(Pin::new(half).poll_read(cx, &mut read)) {
            Err(error) => *self = Self::Failed(error),
            Ok(()) => match read.filled().len() {
                0 => *self = Self::Closed,
                filled => {
                    bytes.truncate(filled);
                    *buffer = bytes.freeze();
                }
            },
        }
        Poll::Ready(())
    }

    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size > 0 && self.poll_fill(&mut Context::from_waker(Waker::noop())).is_pending() {
            return Ok(Bytes::new());
        }
        match self {
            Self::Open { buffer, .. } => Ok(buffer.split_to(size.min(buffer.len()))),
            Self::Shut(_) | Self::Closed => Err(StreamError::Closed),
            Self::Failed(_) => match self.take() {
                Self::Failed(error) => Err(StreamError::LastOperationFailed(error.into())),
                _ => Err(StreamError::Closed),
            },
        }
    }
}

#[wasmtime_wasi::async_trait]
impl InputStream for Incoming {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.0.read(|reading| reading.read(size))
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Incoming {
    async fn ready(&mut self) {
        std::future::poll_fn(|cx| self.0.read(|reading| reading.poll_fill(cx))).await;
    }
}

/// What is sent.
pub(super) struct Outgoing(pub(super) Arc<Ends>);

type Pending<T> = AbortOnDropJoinHandle<io::Result<T>>;

enum Writing {
    Ready(WriteHalf<Tunnel>),
    Busy(Pending<WriteHalf<Tunnel>>),
    Closing(Pending<()>),
    Failed(io::Error),
    Closed,
}

impl Writing {
    fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Closed)
    }

    /// Is ready once nothing is on its way, or the stream has ended.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Busy(pending) => {
                *self = match std::task::ready!(Pin::new(pending).poll(cx)) {
                    Ok(half) => Self::Ready(half),
                    Err(error) => Self::Failed(error),
                };
            }
            Self::Closing(pending) => {
                *self = match std::task::ready!(Pin::new(pending).poll(cx)) {
                    Ok(()) => Self::Closed,
                    Err(error) => Self::Failed(error),
                };
            }
            Self::Ready(_) | Self::Failed(_) | Self::Closed => {}
        }
        Poll::Ready(())
    }

    fn permit(&mut self) -> StreamResult<usize> {
        if self.poll_idle(&mut Context::from_waker(Waker::noop())).is_pending() {
            return Ok(0);
        }
        match self.take() {
            Self::Failed(error) => Err(StreamError::LastOperationFailed(error.into())),
            Self::Closed => Err(StreamError::Closed),
            open => {
                *self = open;
                Ok(CHUNK)
            }
        }
    }

    fn write(&mut self, mut bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > CHUNK {
            return Err(StreamError::trap("more was written than check-write permitted"));
        }
        let mut half = match self.take() {
            Self::Ready(half) => half,
            Self::Closed => return Err(StreamError::Closed),
            other => {
                *self = other;
                return Err(StreamError::trap("written without a permit from check-write"));
            }
        };
        *self = match write_now(&mut half, &mut bytes) {
            Err(error) => Self::Failed(error),
            Ok(()) if bytes.is_empty() => Self::Ready(half),
            Ok(()) => Self::Busy(spawn(async move {
                half.write_all(&bytes).await?;
                Ok(half)
            })),
        };
        Ok(())
    }

    fn close(&mut self) {
        *self = match self.take() {
            Self::Ready(mut half) => Self::Closing(spawn(async move { half.shutdown().await })),
            Self::Busy(pending) => {
                Self::Closing(spawn(async move { pending.await?.shutdown().await }))
            }
            ended => ended,
        };
    }
}

/// Writes what is taken without waiting.
fn write_now(half: &mut WriteHalf<Tunnel>, bytes: &mut Bytes) -> io::Result<()> {
    let mut cx = Context::from_waker(Waker::noop());
    while !bytes.is_empty() {
        match Pin::new(&mut *half).poll_write(&mut cx, bytes) {
            Poll::Ready(written) => drop(bytes.split_to(written?)),
            Poll::Pending => break,
        }
    }
    Ok(())
}

#[wasmtime_wasi::async_trait]
impl OutputStream for Outgoing {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.write(|writing| writing.write(bytes))
    }

    /// What is written is on its way already; `check-write` waits for it.
    fn flush(&mut self) -> StreamResult<()> {
        self.0.write(|writing| match writing {
            Writing::Closed => Err(StreamError::Closed),
            _ => Ok(()),
        })
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.0.write(Writing::permit)
    }

    /// Lets what the guest wrote go out before the stream is dropped.
    async fn cancel(&mut self) {
        self.ready().await;
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Outgoing {
    async fn ready(&mut self) {
        std::future::poll_fn(|cx| self.0.write(|writing| writing.poll_idle(cx))).await;
    }
}
