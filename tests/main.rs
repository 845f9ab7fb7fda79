//! The whole product, from outside: the program is started as its users start it.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod broker;
mod cache;
mod check;
mod egress;
mod examples;
mod files;
mod harness;
mod kill;
mod limits;
mod output;
mod running;
mod schema;
mod second_wall;
mod sockets;
mod structure;
mod tasks;
mod third_party;
mod tools;
mod verdict;
