//! What the host offers a guest: files, `wasi:http` and `wasi:sockets`.
//!
//! Files are decided here, by the grant that the worker was armed with. Everything that leaves the
//! machine goes over one socket to the gate, which decides and records it; the parts in this module
//! record only what never reaches the gate.

pub mod egress;
pub mod files;
pub mod http;
mod http_body;
mod http_error;
mod linker;
mod over;
mod refuse;
pub mod sockets;

pub use linker::{GuestView, add_to_linker};
pub(crate) use over::OverLimit;

#[cfg(test)]
mod guest_tests;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod test_support;
