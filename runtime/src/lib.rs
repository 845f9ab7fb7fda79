//! The enforcement of `writ`: confined workers, the gate, limits and kill.
//!
//! The host process holds the [`gate`] and everything secret; a worker process holds wasmtime and
//! one task's directories. [`wire`] is all that the two say to each other.

#![cfg_attr(
    test,
    expect(clippy::disallowed_methods, reason = "tests make the files and servers they need")
)]

mod alertness;
pub mod authority;
pub mod cache;
mod channel;
pub mod confinement;
pub mod gate;
pub mod injection;
pub mod outcome;
mod private;
pub mod record;
pub mod scrub;
pub mod secret;
pub mod supervisor;
mod tally;
pub mod wire;
pub mod worker;
