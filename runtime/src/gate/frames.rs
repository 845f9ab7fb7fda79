//! A guard below the HTTP/2 server of a link: control frames that ask for work and carry none.
//!
//! The HTTP/2 layer bounds memory, rapid resets and CONTINUATION. It answers any number of PING,
//! SETTINGS, PRIORITY, empty DATA and unknown frames, though, and a guest that broke out of wasmtime
//! could keep the host busy with them. An honest worker sends a few per exchange. Nor does it stop at
//! any number of requests that it finds malformed, which the task's meter never hears of.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// Frames that may come at once.
const BURST: u32 = 4096;
/// How long a used-up burst takes to come back.
const REFILL: Duration = Duration::from_secs(2);
/// Header frames over what the task's own requests need, so that the meter and not this guard meets a
/// task that asks too often.
const SPARE_HEADS: u64 = 64;
/// RFC 9113 §3.4.
const PREFACE: usize = 24;
const HEADER: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;

/// A byte stream that ends with an error when its peer floods it.
pub(super) struct Guarded<S> {
    stream: S,
    frames: Frames,
}

impl<S> Guarded<S> {
    /// Guards a stream on which `heads` header frames may come in all.
    pub(super) fn new(stream: S, heads: u64) -> Self {
        Self { stream, frames: Frames::new(heads) }
    }
}

/// Returns how many header frames a link may carry: each request has one, and one for trailers.
pub(super) fn most_heads(requests: u64) -> u64 {
    requests.saturating_mul(2).saturating_add(SPARE_HEADS)
}

/// Where in the sequence of frames the stream is.
struct Frames {
    skip: usize,
    header: [u8; HEADER],
    filled: usize,
    left: u32,
    since: Option<Instant>,
    heads: u64,
}

impl Frames {
    fn new(heads: u64) -> Self {
        Self { skip: PREFACE, header: [0; HEADER], filled: 0, left: BURST, since: None, heads }
    }

    /// Follows the frames in some bytes; false when there were too many of the costly kind.
    fn follow(&mut self, mut bytes: &[u8]) -> bool {
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            if bytes.is_empty() {
                return true;
            }
            let wanted = HEADER - self.filled;
            for (to, from) in self.header.iter_mut().skip(self.filled).zip(bytes) {
                *to = *from;
            }
            let taken = wanted.min(bytes.len());
            self.filled += taken;
            bytes = bytes.get(taken..).unwrap_or_default();
            if self.filled == HEADER {
                self.filled = 0;
                let [a, b, c, kind, flags, ..] = self.header;
                self.skip = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                if costs(kind, flags, self.skip) && !self.pay() || kind == HEADERS && !self.head() {
                    return false;
                }
            }
        }
    }

    fn head(&mut self) -> bool {
        let left = self.heads.checked_sub(1);
        self.heads = left.unwrap_or(0);
        left.is_some()
    }

    fn pay(&mut self) -> bool {
        if self.left == 0 {
            // The clock is asked once per burst, not once per frame.
            let now = Instant::now();
            let Some(since) = self.since else { return false };
            if now.duration_since(since) < REFILL {
                return false;
            }
            self.left = BURST;
            self.since = None;
        }
        if self.since.is_none() {
            self.since = Some(Instant::now());
        }
        self.left -= 1;
        true
    }
}

/// Whether a frame is work without content. Header frames are bounded by their number in all.
fn costs(kind: u8, flags: u8, length: usize) -> bool {
    match kind {
        DATA => length == 0 && flags & END_STREAM == 0,
        HEADERS | CONTINUATION => false,
        _ => true,
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let new = buf.filled().get(before..).unwrap_or_default();
        if self.frames.follow(new) {
            Poll::Ready(Ok(()))
        } else {
            Poll::Ready(Err(io::Error::other("the worker floods its egress socket")))
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: [u8; 17] = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];

    fn begun() -> Frames {
        let mut frames = Frames::new(most_heads(10));
        assert!(frames.follow(&[0; PREFACE]));
        frames
    }

    #[test]
    fn content_costs_nothing() {
        let mut frames = begun();
        let mut data = vec![0, 64, 0, DATA, 0, 0, 0, 0, 1];
        data.resize(HEADER + 16384, b'x');
        for _ in 0..BURST * 2 {
            assert!(frames.follow(&data));
        }
        assert_eq!(frames.left, BURST);
    }

    #[test]
    fn a_burst_is_taken_and_more_is_not_however_it_is_cut() {
        for cut in [1, 7, 9, 16, 1000] {
            let mut frames = begun();
            let burst = PING.repeat(BURST as usize);
            assert!(burst.chunks(cut).all(|part| frames.follow(part)), "cut at {cut}");
            assert_eq!(frames.left, 0);
            assert!(!frames.follow(&PING), "cut at {cut}");
        }
    }

    #[test]
    fn header_frames_are_taken_for_the_requests_of_the_task_and_no_more() {
        let head = [0, 0, 1, HEADERS, 5, 0, 0, 0, 1, 0x82];
        let mut frames = begun();
        for _ in 0..most_heads(10) {
            assert!(frames.follow(&head));
        }
        assert!(frames.follow(&PING), "other frames pass");
        assert!(!frames.follow(&head));
    }

    #[test]
    fn an_empty_end_of_a_body_is_content_and_other_empty_data_is_not() {
        assert!(!costs(DATA, END_STREAM, 0));
        assert!(costs(DATA, 0, 0));
        assert!(!costs(DATA, 0, 1));
    }
}
