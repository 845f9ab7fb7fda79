//! The control socket: frames, and descriptors beside them.

use crate::alertness::Alertness;
use crate::wire::{MAX_DESCRIPTORS, WireError, decode, encode};
use bytes::BytesMut;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recv, recvmsg, send, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// Read at once; one page more than the largest chunk of output with its header.
const READ_SIZE: usize = crate::wire::MAX_CHUNK + 4096;

const ANCILLARY: usize = rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS));

/// Sends one frame whole, blocking until the other side has room. For a worker, which has nothing
/// better to do; the host uses [`send_when_ready`].
pub(crate) fn send_frame(socket: impl AsFd, message: &impl Serialize) -> Result<(), WireError> {
    let socket = socket.as_fd();
    let mut frame = Outgoing::new(message, &[])?;
    while !frame.is_sent() {
        if !frame.push(socket)? {
            wait_writable(socket)?;
        }
    }
    Ok(())
}

/// Sends one frame whole, waiting without blocking: a worker that does not read stops nobody but
/// itself. A future that is dropped halfway leaves the socket useless; its worker must be ended.
pub(crate) async fn send_when_ready(
    socket: &UnixStream,
    message: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> Result<(), WireError> {
    let mut frame = Outgoing::new(message, descriptors)?;
    while !frame.is_sent() {
        socket.writable().await?;
        let pushed = socket.try_io(Interest::WRITABLE, || match frame.push(socket.as_fd()) {
            Ok(false) => Err(std::io::ErrorKind::WouldBlock.into()),
            other => Ok(other),
        });
        match pushed {
            Ok(pushed) => {
                pushed?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// A frame on its way, with the descriptors that go before its first byte.
struct Outgoing<'a> {
    frame: Vec<u8>,
    sent: usize,
    descriptors: &'a [BorrowedFd<'a>],
}

impl<'a> Outgoing<'a> {
    fn new(message: &impl Serialize, descriptors: &'a [BorrowedFd<'a>]) -> Result<Self, WireError> {
        Ok(Self { frame: encode(message)?, sent: 0, descriptors })
    }

    fn is_sent(&self) -> bool {
        self.sent == self.frame.len()
    }

    /// Sends what there is room for. `Ok(false)` says that there is none.
    fn push(&mut self, socket: BorrowedFd<'_>) -> Result<bool, WireError> {
        // With a blocking socket this would wait for ever on a side that does not read.
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let rest = &self.frame[self.sent..];
        let pushed = match self.descriptors {
            [] => send(socket, rest, flags),
            descriptors => {
                let mut space = [MaybeUninit::uninit(); ANCILLARY];
                let mut ancillary = SendAncillaryBuffer::new(&mut space);
                if !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
                    return Err(std::io::Error::other("too many descriptors for one frame").into());
                }
                sendmsg(socket, &[IoSlice::new(rest)], &mut ancillary, flags)
            }
        };
        match pushed {
            Ok(count) => {
                self.sent += count;
                self.descriptors = &[];
                Ok(true)
            }
            Err(Errno::INTR) => Ok(true),
            Err(Errno::AGAIN) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }
}

fn wait_writable(socket: BorrowedFd<'_>) -> Result<(), WireError> {
    use rustix::event::{PollFd, PollFlags, poll};
    match poll(&mut [PollFd::from_borrowed_fd(socket, PollFlags::OUT)], None) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(std::io::Error::from(error).into()),
    }
}

/// Waits for the next frame. Dropping the future loses nothing.
pub(crate) async fn receive<T: DeserializeOwned>(
    socket: &UnixStream,
    inbox: &mut Inbox,
) -> Result<T, WireError> {
    loop {
        // A socket that is always readable never makes its reader wait, and then nobody else in
        // this thread has a turn: no deadline, no signal, no kill.
        tokio::task::coop::consume_budget().await;
        if let Some(message) = inbox.next()? {
            return Ok(message);
        }
        socket.readable().await?;
        let filled =
            socket.try_io(Interest::READABLE, || match inbox.fill(socket, RecvFlags::DONTWAIT) {
                Ok(false) => Err(std::io::ErrorKind::WouldBlock.into()),
                other => Ok(other),
            });
        match filled {
            Ok(filled) => {
                filled?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A side that died with unread bytes resets the socket instead of closing it; it is gone all the
/// same.
fn failed(error: Errno) -> WireError {
    match error {
        Errno::CONNRESET | Errno::PIPE => WireError::Closed,
        error => std::io::Error::from(error).into(),
    }
}

/// Waits for the next frame as [`receive`] does, but looks for it for a moment before it sleeps: the
/// answer to a short call is there sooner than a processor wakes up. Others in this thread have their
/// turn between two looks.
pub(crate) async fn receive_soon<T: DeserializeOwned>(
    socket: &UnixStream,
    inbox: &mut Inbox,
) -> Result<T, WireError> {
    let look = inbox.alertness.look();
    if !look.is_zero() {
        let start = Instant::now();
        while start.elapsed() < look {
            if let Some(message) = inbox.next()? {
                inbox.alertness.looked(true);
                return Ok(message);
            }
            if !inbox.fill(socket, RecvFlags::DONTWAIT)? {
                tokio::task::yield_now().await;
            }
        }
        inbox.alertness.looked(false);
    }
    receive(socket, inbox).await
}

/// What has arrived and was not taken yet.
#[derive(Debug)]
pub(crate) struct Inbox {
    bytes: BytesMut,
    /// Where the kernel puts what it has. It is kept: clearing it takes longer than a short frame.
    room: Vec<u8>,
    alertness: Alertness,
    descriptors: VecDeque<OwnedFd>,
    without_descriptors: bool,
}

impl Default for Inbox {
    fn default() -> Self {
        let (bytes, room, descriptors) = Default::default();
        Self { bytes, room, alertness: Alertness::new(), descriptors, without_descriptors: false }
    }
}

impl Inbox {
    /// An inbox for bytes only: the kernel drops descriptors that are sent to it, so that a worker
    /// cannot pile them up in the host.
    pub(crate) fn without_descriptors() -> Self {
        Self { without_descriptors: true, ..Self::default() }
    }

    /// Reads once. `Ok(false)` says that nothing was there, which only a non-blocking read says.
    pub(crate) fn fill(&mut self, socket: impl AsFd, flags: RecvFlags) -> Result<bool, WireError> {
        if self.room.is_empty() {
            self.room = vec![0; READ_SIZE];
        }
        if self.without_descriptors {
            let read = loop {
                match recv(socket.as_fd(), &mut self.room[..], flags) {
                    Err(Errno::INTR) => {}
                    other => break other.map(|(_, count)| count),
                }
            };
            self.bytes.extend_from_slice(&self.room[..read.unwrap_or(0)]);
            return arrived(read);
        }
        let mut space = [MaybeUninit::uninit(); ANCILLARY];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let read = loop {
            let mut parts = [IoSliceMut::new(&mut self.room)];
            let flags = flags | RecvFlags::CMSG_CLOEXEC;
            match recvmsg(socket.as_fd(), &mut parts, &mut ancillary, flags) {
                Err(Errno::INTR) => {}
                other => break other,
            }
        };
        let count = read.as_ref().map_or(0, |message| message.bytes);
        self.bytes.extend_from_slice(&self.room[..count]);
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        match read {
            Ok(message) if message.flags.contains(ReturnFlags::CTRUNC) => {
                Err(std::io::Error::other("descriptors were cut off").into())
            }
            read => arrived(read.map(|message| message.bytes)),
        }
    }

    /// Takes the next whole frame.
    pub(crate) fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, WireError> {
        decode(&mut self.bytes)
    }

    /// Takes the oldest descriptor that came with the frames so far.
    pub(crate) fn descriptor(&mut self) -> Result<OwnedFd, WireError> {
        self.descriptors
            .pop_front()
            .ok_or_else(|| std::io::Error::other("a descriptor is missing").into())
    }
}

fn arrived(read: Result<usize, Errno>) -> Result<bool, WireError> {
    match read {
        Ok(0) => Err(WireError::Closed),
        Ok(_) => Ok(true),
        Err(Errno::AGAIN) => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;
    use crate::wire::{FromWorker, Invoke, ToWorker};
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    fn cancel_with(directory: &std::fs::File, to: &UnixStream) {
        let descriptors = [directory.as_fd()];
        let mut frame = Outgoing::new(&ToWorker::Cancel, &descriptors).unwrap();
        assert!(frame.push(to.as_fd()).unwrap() && frame.is_sent());
    }

    #[test]
    fn a_descriptor_arrives_with_its_frame() {
        let (one, two) = UnixStream::pair().unwrap();
        cancel_with(&tempfile::tempfile().unwrap(), &one);
        let mut inbox = Inbox::default();
        assert!(inbox.fill(&two, RecvFlags::empty()).unwrap());
        assert!(matches!(inbox.next().unwrap(), Some(ToWorker::Cancel)));
        assert!(inbox.descriptor().is_ok());
        assert!(inbox.descriptor().is_err());
    }

    #[test]
    fn a_descriptor_that_nobody_asked_for_is_dropped_before_its_frame_is_whole() {
        let (one, two) = UnixStream::pair().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        cancel_with(&std::fs::File::from(OwnedFd::from(writer)), &one);
        let mut inbox = Inbox::without_descriptors();
        assert!(inbox.fill(&two, RecvFlags::empty()).unwrap());
        assert!(matches!(inbox.next().unwrap(), Some(ToWorker::Cancel)));
        let mut end = Vec::new();
        std::io::Read::read_to_end(&mut { reader }, &mut end).unwrap();
        assert!(end.is_empty(), "the pipe is at its end: nobody holds its other side");
    }

    #[tokio::test]
    async fn a_side_that_does_not_read_stops_nobody_else() {
        let (one, two) = tokio::net::UnixStream::pair().unwrap();
        let call = Invoke::Function {
            interface: None,
            name: "f".into(),
            args: "x".repeat(4 * 1024 * 1024),
        };
        let sent = tokio::select! {
            biased;
            sent = send_when_ready(&one, &call, &[]) => Some(sent),
            () = tokio::task::yield_now() => None,
        };
        assert!(sent.is_none());
        drop(two);
    }

    #[tokio::test]
    async fn a_side_that_never_stops_talking_stops_nobody_else() {
        let (one, two) = tokio::net::UnixStream::pair().unwrap();
        let frame = encode(&FromWorker::WantStdin).unwrap();
        let flood = frame.repeat(2000);
        assert!(one.try_write(&flood).unwrap() > 1000 * frame.len());
        let mut inbox = Inbox::without_descriptors();
        let listen = async {
            loop {
                receive::<FromWorker>(&two, &mut inbox).await.unwrap();
            }
        };
        tokio::select! {
            biased;
            () = listen => {}
            () = tokio::task::yield_now() => {}
        }
    }

    #[tokio::test]
    async fn a_side_that_looks_for_a_frame_stops_nobody_else() {
        let (_one, two) = tokio::net::UnixStream::pair().unwrap();
        let mut inbox = Inbox::without_descriptors();
        inbox.alertness = Alertness::of(Duration::from_secs(60));
        tokio::select! {
            biased;
            message = receive_soon::<FromWorker>(&two, &mut inbox) => panic!("{message:?}"),
            () = tokio::task::yield_now() => {}
        }
    }

    #[tokio::test]
    async fn a_frame_that_comes_later_is_heard_as_well() {
        let (one, two) = tokio::net::UnixStream::pair().unwrap();
        let mut inbox = Inbox::without_descriptors();
        inbox.alertness = Alertness::of(Duration::from_micros(1));
        let late = async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            send_when_ready(&one, &FromWorker::WantStdin, &[]).await.unwrap();
        };
        let (message, ()) = tokio::join!(receive_soon(&two, &mut inbox), late);
        assert!(matches!(message.unwrap(), FromWorker::WantStdin));
    }

    #[test]
    fn a_frame_larger_than_the_socket_buffer_arrives_whole() {
        let pair = UnixStream::pair().unwrap();
        let args = "x".repeat(4 * 1024 * 1024);
        let call = Invoke::Function { interface: None, name: "f".into(), args: args.clone() };
        let writer = std::thread::spawn(move || send_frame(&pair.0, &call).unwrap());
        let mut inbox = Inbox::default();
        let received: Invoke = loop {
            inbox.fill(&pair.1, RecvFlags::empty()).unwrap();
            if let Some(message) = inbox.next().unwrap() {
                break message;
            }
        };
        writer.join().unwrap();
        assert!(matches!(received, Invoke::Function { args: got, .. } if got == args));
    }

    #[test]
    fn a_closed_socket_is_an_error_and_not_an_endless_loop() {
        let (one, two) = UnixStream::pair().unwrap();
        drop(one);
        assert!(matches!(Inbox::default().fill(&two, RecvFlags::empty()), Err(WireError::Closed)));
    }
}
