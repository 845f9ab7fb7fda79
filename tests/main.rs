//! The whole product, from outside: the program is started as its users start it.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod egress;
mod files;
mod harness;
mod second_wall;
mod sockets;
mod structure;
mod verdict;
