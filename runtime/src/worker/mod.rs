//! The worker process: one task, its directories, no network, no secrets.
pub mod host;
