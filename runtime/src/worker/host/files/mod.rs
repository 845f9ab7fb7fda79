//! The guard in front of wasmtime's files: every path a guest names is decided and what is refused
//! is recorded.
//!
//! The grant's directories are wasmtime preopens, and wasmtime resolves paths below them with
//! `openat2`. What it leaves open is closed here: a refusal nobody hears of, FIFOs and devices that
//! block or act when they are opened, and links that lead a host tool out of the directory later.
//! Components come in through [`p2`], core modules through [`p1`]; both ask [`decide`].

mod decide;
mod disk;
mod guard;
mod links;
mod open;
pub mod p1;
pub mod p2;

pub use decide::decide;
pub(crate) use decide::{OUTSIDE_ADVICE, write_advice};
pub use disk::{DiskBudget, OverDisk};
pub use guard::FilesGuard;

#[cfg(test)]
mod tests;
