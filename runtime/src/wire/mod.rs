//! What the two processes say to each other over the control socket.
//!
//! A frame is a little-endian `u32` length and that many bytes of postcard. Descriptors travel
//! beside the bytes of the frame they belong to. The host treats every frame as hostile: a worker
//! may have been taken over by its guest.

pub mod egress;

use crate::confinement::{Confinement, Requirement};
use crate::outcome::{LimitName, Outcome};
use crate::record::Record;
use crate::worker::describe::Description;
use bytes::{Buf, Bytes, BytesMut};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use writ_broker::Limits;
use writ_broker::codes::Code;
use writ_broker::grant::Access;

/// Arguments of a call and results: the largest frame, bytes. A bigger one ends the worker.
pub const MAX_FRAME: usize = 16 * 1024 * 1024;

/// Output is cut into frames of at most this size, bytes, so that no side holds much of it.
pub const MAX_CHUNK: usize = 64 * 1024;

/// Descriptors that one frame may carry: the kernel's own bound (`SCM_MAX_FD`). A grant has fewer
/// directories than this.
pub const MAX_DESCRIPTORS: usize = 253;

/// From the host to a worker.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToWorker {
    /// The first frame: who the worker is from now on. Sent once.
    Arm(Arm),
    /// Run a tool. The artifact comes as one descriptor.
    Call(Call),
    /// Translate a tool to native code. The tool and the empty artifact come as two descriptors.
    Compile,
    /// One piece of standard input, in answer to [`FromWorker::WantStdin`]; empty at the end.
    Stdin(Bytes),
    /// End the running call without ending the worker.
    Cancel,
}

/// What a worker is armed with. Descriptors: the directories in order, then the artifact cache and the
/// file in which it counts what it writes, unless it only compiles.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Arm {
    /// The directories by their guest paths, in the order of their descriptors.
    pub directories: Vec<ArmedDirectory>,
    /// The environment of the guest.
    pub env: Vec<(String, String)>,
    /// The bounds that the worker enforces itself.
    pub limits: Limits,
    /// What to do if this machine cannot confine in full.
    pub require: Requirement,
    /// Whether this worker only compiles; then it gets no directories.
    pub compiler: bool,
}

/// One directory of an armed worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ArmedDirectory {
    /// The guest path.
    pub guest: String,
    /// What may be done below it.
    pub access: Access,
}

/// One run of a tool.
#[derive(Debug, Serialize, Deserialize)]
pub struct Call {
    /// The tool's digest; a worker keeps what it has loaded.
    pub digest: [u8; 32],
    /// Whether the artifact is a core module.
    pub core: bool,
    /// What to run.
    pub invoke: Invoke,
}

/// What to run in a tool.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Invoke {
    /// The command's entry point, with its arguments; the first is the program's name.
    Command {
        /// The arguments.
        args: Vec<String>,
    },
    /// An exported function.
    Function {
        /// The instance that exports it; absent for a function of the world itself.
        interface: Option<String>,
        /// Its name.
        name: String,
        /// The arguments as JSON text.
        args: String,
    },
}

/// From a worker to the host.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromWorker {
    /// The worker confined itself; no guest byte was touched before.
    Armed(Confinement),
    /// A decision that the worker made.
    Record(Record),
    /// A piece of standard output.
    Stdout(Bytes),
    /// A piece of standard error.
    Stderr(Bytes),
    /// The guest waits for standard input.
    WantStdin,
    /// The call ended.
    Finished(Finished),
    /// The tool is compiled and its artifact written.
    Compiled(Description),
    /// The tool or the request was refused before the guest ran.
    Refused(Fault),
}

/// How a call ended, as the worker saw it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Finished {
    /// How it ended.
    pub outcome: Outcome,
    /// The result of a function as JSON text.
    pub result: Option<String>,
    /// The most memory that the guest's memories and tables held, bytes.
    pub memory_peak: u64,
    /// Streams that were cut off at their limit.
    pub truncated: Vec<LimitName>,
    /// How long the call took inside the worker, nanoseconds.
    pub inside_ns: u64,
}

/// A refusal that is not a decision about an effect: a bad tool, bad arguments, our own fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// The code; `writ explain` knows it.
    pub code: Code,
    /// What happened, lower case, unescaped.
    pub message: String,
}

impl Fault {
    /// Makes a fault.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// Why bytes are not a frame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The length exceeds [`MAX_FRAME`].
    #[error("a frame of {0} bytes is too long")]
    TooLong(usize),
    /// The bytes do not decode.
    #[error("a frame does not decode")]
    Malformed(#[from] postcard::Error),
    /// The other side hung up inside a frame, or at all when it should not.
    #[error("the other side hung up")]
    Closed,
    /// The socket failed.
    #[error("the control socket failed")]
    Io(#[from] std::io::Error),
}

/// Writes a frame.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, WireError> {
    let mut frame = postcard::to_extend(message, vec![0; 4])?;
    let length = frame.len() - 4;
    if length > MAX_FRAME {
        return Err(WireError::TooLong(length));
    }
    frame[..4].copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    Ok(frame)
}

/// Takes one whole frame off the front, if there is one.
pub fn decode<T: DeserializeOwned>(buffer: &mut BytesMut) -> Result<Option<T>, WireError> {
    let Some(head) = buffer.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_le_bytes(*head) as usize;
    if length > MAX_FRAME {
        return Err(WireError::TooLong(length));
    }
    if buffer.len() < 4 + length {
        return Ok(None);
    }
    buffer.advance(4);
    Ok(Some(postcard::from_bytes(&buffer.split_to(length))?))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;

    #[test]
    fn a_frame_survives_being_cut_anywhere() {
        let frame = encode(&ToWorker::Stdin(Bytes::from_static(b"hello"))).unwrap();
        for cut in 0..frame.len() {
            let mut buffer = BytesMut::from(&frame[..cut]);
            assert!(decode::<ToWorker>(&mut buffer).unwrap().is_none());
            buffer.extend_from_slice(&frame[cut..]);
            let decoded: Option<ToWorker> = decode(&mut buffer).unwrap();
            assert!(matches!(decoded, Some(ToWorker::Stdin(bytes)) if bytes == "hello"));
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn a_length_beyond_the_bound_is_refused_before_its_bytes_arrive() {
        let mut buffer = BytesMut::from(&u32::MAX.to_le_bytes()[..]);
        assert!(matches!(decode::<FromWorker>(&mut buffer), Err(WireError::TooLong(_))));
    }

    #[test]
    fn bytes_that_are_no_message_are_refused() {
        let mut buffer = BytesMut::from(&[1, 0, 0, 0, 0xff][..]);
        assert!(matches!(decode::<FromWorker>(&mut buffer), Err(WireError::Malformed(_))));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes: Vec<u8>) {
            let mut buffer = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = decode::<FromWorker>(&mut buffer) {}
        }
    }
}
