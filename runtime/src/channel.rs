//! The control socket: frames, and descriptors beside them.

use crate::wire::{MAX_DESCRIPTORS, WireError, decode, encode};
use bytes::BytesMut;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, send, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use tokio::io::Interest;
use tokio::net::UnixStream;

/// Read at once; one page more than the largest chunk of output with its header.
const READ_SIZE: usize = crate::wire::MAX_CHUNK + 4096;

const ANCILLARY: usize = rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS));

/// Sends one frame whole, blocking until the other side has room.
pub(crate) fn send_frame(
    socket: impl AsFd,
    message: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> Result<(), WireError> {
    let frame = encode(message)?;
    let socket = socket.as_fd();
    let mut sent = match descriptors {
        [] => 0,
        _ => send_with_descriptors(socket, &frame, descriptors)?,
    };
    while sent < frame.len() {
        match send(socket, &frame[sent..], SendFlags::NOSIGNAL) {
            Ok(count) => sent += count,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait_writable(socket)?,
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}

fn send_with_descriptors(
    socket: BorrowedFd<'_>,
    frame: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> Result<usize, WireError> {
    let mut space = [MaybeUninit::uninit(); ANCILLARY];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(std::io::Error::other("too many descriptors for one frame").into());
    }
    loop {
        match sendmsg(socket, &[IoSlice::new(frame)], &mut ancillary, SendFlags::NOSIGNAL) {
            Ok(count) => return Ok(count),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait_writable(socket)?,
            Err(error) => return Err(failed(error)),
        }
    }
}

/// Both ends are non-blocking because tokio reads them. Writers wait here: the host's frames are
/// small, and a worker has nothing better to do.
fn wait_writable(socket: BorrowedFd<'_>) -> Result<(), WireError> {
    use rustix::event::{PollFd, PollFlags, poll};
    poll(&mut [PollFd::from_borrowed_fd(socket, PollFlags::OUT)], None)
        .map_err(std::io::Error::from)?;
    Ok(())
}

/// Waits for the next frame. Dropping the future loses nothing.
pub(crate) async fn receive<T: DeserializeOwned>(
    socket: &UnixStream,
    inbox: &mut Inbox,
) -> Result<T, WireError> {
    loop {
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

/// What has arrived and was not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: BytesMut,
    descriptors: VecDeque<OwnedFd>,
}

impl Inbox {
    /// Reads once. `Ok(false)` says that nothing was there, which only a non-blocking read says.
    pub(crate) fn fill(&mut self, socket: impl AsFd, flags: RecvFlags) -> Result<bool, WireError> {
        self.bytes.resize(self.bytes.len() + READ_SIZE, 0);
        let old = self.bytes.len() - READ_SIZE;
        let mut space = [MaybeUninit::uninit(); ANCILLARY];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let read = loop {
            let mut parts = [IoSliceMut::new(&mut self.bytes[old..])];
            let flags = flags | RecvFlags::CMSG_CLOEXEC;
            match recvmsg(socket.as_fd(), &mut parts, &mut ancillary, flags) {
                Err(Errno::INTR) => {}
                other => break other,
            }
        };
        self.bytes.truncate(old + read.as_ref().map_or(0, |message| message.bytes));
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        match read {
            Ok(message) if message.flags.contains(ReturnFlags::CTRUNC) => {
                Err(std::io::Error::other("descriptors were cut off").into())
            }
            Ok(message) if message.bytes == 0 => Err(WireError::Closed),
            Ok(_) => Ok(true),
            Err(Errno::AGAIN) => Ok(false),
            Err(error) => Err(failed(error)),
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

    /// Drops descriptors that nobody asked for; a worker may not pile them up in the host.
    pub(crate) fn refuse_descriptors(&self) -> Result<(), WireError> {
        if self.descriptors.is_empty() {
            return Ok(());
        }
        Err(std::io::Error::other("a worker sent descriptors").into())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;
    use crate::wire::{Invoke, ToWorker};
    use std::os::unix::net::UnixStream;

    fn cancel_with(directory: &std::fs::File, pair: &(UnixStream, UnixStream)) -> Inbox {
        send_frame(&pair.0, &ToWorker::Cancel, &[directory.as_fd()]).unwrap();
        let mut inbox = Inbox::default();
        assert!(inbox.fill(&pair.1, RecvFlags::empty()).unwrap());
        inbox
    }

    #[test]
    fn a_descriptor_arrives_with_its_frame() {
        let pair = UnixStream::pair().unwrap();
        let mut inbox = cancel_with(&tempfile::tempfile().unwrap(), &pair);
        assert!(matches!(inbox.next().unwrap(), Some(ToWorker::Cancel)));
        assert!(inbox.descriptor().is_ok());
        assert!(inbox.descriptor().is_err());
    }

    #[test]
    fn an_unasked_descriptor_is_noticed() {
        let pair = UnixStream::pair().unwrap();
        let inbox = cancel_with(&tempfile::tempfile().unwrap(), &pair);
        assert!(inbox.refuse_descriptors().is_err());
    }

    #[test]
    fn a_frame_larger_than_the_socket_buffer_arrives_whole() {
        let pair = UnixStream::pair().unwrap();
        let args = "x".repeat(4 * 1024 * 1024);
        let call = Invoke::Function { interface: None, name: "f".into(), args: args.clone() };
        let writer = std::thread::spawn(move || send_frame(&pair.0, &call, &[]).unwrap());
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
