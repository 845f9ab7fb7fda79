//! The worker process: one task, its directories, no network, no secrets.

pub mod describe;
pub mod host;
pub mod values;
