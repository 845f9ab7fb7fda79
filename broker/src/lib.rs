//! The authority of `writ`: what a task may do, and how each answer is explained.
//!
//! Everything here decides and nothing here acts: a [`Grant`] is parsed once, an [`Ask`] is put to
//! it, and a [`Decision`] comes back. The code that acts lives in `writ-runtime`.

pub mod address;
pub mod ask;
pub mod authority;
mod base64url;
#[cfg(feature = "checker")]
pub mod checker;
pub mod clock;
pub mod codes;
pub mod decision;
pub mod diagnostic;
pub mod event;
pub mod grant;
pub mod host;
pub mod id;
pub mod json;
pub mod keys;
pub mod ledger;
pub mod limits;
pub mod path;
pub mod pattern;
pub mod process;
#[cfg(feature = "providers")]
pub mod providers;
pub mod report;
#[cfg(feature = "serve")]
pub mod serve;
pub mod state;
mod strict_json;
pub mod text;
pub mod token;

pub use ask::{Ask, FileAsk, FileOp, HttpAsk, TcpAsk};
pub use codes::Code;
pub use decision::{Decision, Refusal};
pub use grant::Grant;
pub use limits::Limits;
