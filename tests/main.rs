//! The whole product, from outside: the program is started as its users start it.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod harness;
mod second_wall;
mod structure;
