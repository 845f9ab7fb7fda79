//! Where a guest's output goes: through, escaped, or into the report.

use std::io::{self, IsTerminal};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;
use writ_broker::text::is_treacherous;

/// The two output streams of one call.
pub(crate) struct Sink {
    stdout: Stream,
    stderr: Stream,
}

/// One stream.
enum Stream {
    /// Into the report.
    Kept(Vec<u8>),
    /// Byte for byte.
    Through(Box<dyn AsyncWrite + Send + Unpin>),
    /// For a terminal or a log.
    Escaped(Escaper),
}

impl Sink {
    /// Chooses the ways: a report keeps both; otherwise standard output passes byte for byte unless
    /// it is a terminal, and standard error, which ends up in terminals and logs, is escaped.
    pub(crate) fn new(report: bool) -> Self {
        if report {
            return Self { stdout: Stream::Kept(Vec::new()), stderr: Stream::Kept(Vec::new()) };
        }
        let stdout = Box::new(tokio::io::stdout());
        let stdout = match std::io::stdout().is_terminal() {
            true => Stream::Escaped(Escaper::new(stdout)),
            false => Stream::Through(stdout),
        };
        Self { stdout, stderr: Stream::Escaped(Escaper::new(Box::new(tokio::io::stderr()))) }
    }

    /// Returns standard output and standard error.
    pub(crate) fn streams(&mut self) -> (&mut Writer, &mut Writer) {
        (self.stdout.writer(), self.stderr.writer())
    }

    /// Takes what was kept for the report.
    pub(crate) fn into_kept(self) -> Option<(Vec<u8>, Vec<u8>)> {
        match (self.stdout, self.stderr) {
            (Stream::Kept(stdout), Stream::Kept(stderr)) => Some((stdout, stderr)),
            _ => None,
        }
    }
}

/// A stream as a call writes to it.
type Writer = dyn AsyncWrite + Send + Unpin;

impl Stream {
    fn writer(&mut self) -> &mut Writer {
        match self {
            Self::Kept(bytes) => bytes,
            Self::Through(out) => out,
            Self::Escaped(out) => out,
        }
    }
}

/// Writes text with every control character, direction mark and invalid byte spelled out.
///
/// Line ends and tabs pass. A carriage return does not: it lets a line overwrite the one that the
/// reader believes to have seen.
struct Escaper {
    out: Box<dyn AsyncWrite + Send + Unpin>,
    /// Escaped and not yet written.
    pending: Vec<u8>,
    written: usize,
    /// The start of a character whose rest has not come yet; at most three bytes.
    partial: Vec<u8>,
}

impl Escaper {
    fn new(out: Box<dyn AsyncWrite + Send + Unpin>) -> Self {
        Self { out, pending: Vec::new(), written: 0, partial: Vec::new() }
    }

    fn take(&mut self, bytes: &[u8]) {
        let mut all = std::mem::take(&mut self.partial);
        all.extend_from_slice(bytes);
        let chunks = all.utf8_chunks().count();
        for (index, chunk) in all.utf8_chunks().enumerate() {
            self.push_text(chunk.valid());
            let invalid = chunk.invalid();
            if index + 1 == chunks && is_start_of_character(invalid) {
                self.partial = invalid.to_vec();
            } else {
                self.push_bytes(invalid);
            }
        }
    }

    fn push_text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '\n' | '\t' => self.pending.push(c as u8),
                c if is_treacherous(c) => self.pending.extend(c.escape_unicode().map(|c| c as u8)),
                c => self.pending.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }

    fn push_bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.pending.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        }
    }

    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.pending.len() {
            let out = Pin::new(&mut self.out);
            match ready!(out.poll_write(context, &self.pending[self.written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.written += count,
            }
        }
        self.pending.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

/// Whether more bytes could make this a character.
fn is_start_of_character(bytes: &[u8]) -> bool {
    !bytes.is_empty() && std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

impl AsyncWrite for Escaper {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_drain(context))?;
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let partial = std::mem::take(&mut self.partial);
        self.push_bytes(&partial);
        ready!(self.poll_drain(context))?;
        Pin::new(&mut self.out).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;
    use std::sync::{Arc, Mutex};
    use tokio::io::AsyncWriteExt;

    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl AsyncWrite for Screen {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            // One byte at a time: a slow terminal loses nothing.
            self.0.lock().unwrap().push(bytes[0]);
            Poll::Ready(Ok(1))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn shown(pieces: &[&[u8]]) -> String {
        let screen = Screen::default();
        let mut escaper = Escaper::new(Box::new(screen.clone()));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for piece in pieces {
                escaper.write_all(piece).await.unwrap();
            }
            escaper.flush().await.unwrap();
        });
        let bytes = screen.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn text_lines_and_tabs_pass() {
        assert_eq!(shown(&[b"a\tb\n", "\u{fc}\n".as_bytes()]), "a\tb\n\u{fc}\n");
    }

    #[test]
    fn an_escape_sequence_is_shown_and_not_obeyed() {
        assert_eq!(shown(&[b"\x1b]0;owned\x07"]), "\\u{1b}]0;owned\\u{7}");
    }

    #[test]
    fn a_carriage_return_cannot_overwrite_a_line() {
        assert_eq!(shown(&[b"bad\rok"]), "bad\\u{d}ok");
    }

    #[test]
    fn an_eight_bit_control_is_shown_even_in_two_pieces() {
        assert_eq!(shown(&[b"\xc2", b"\x9b31m"]), "\\u{9b}31m");
    }

    #[test]
    fn invalid_bytes_are_shown_as_bytes() {
        assert_eq!(shown(&[b"\xff\xfe", b"\xe2\x82"]), "\\xff\\xfe\\xe2\\x82");
    }
}
