//! The gate against real servers on loopback, by asks of an HTTP/2 worker.
#![expect(clippy::unwrap_used, reason = "a test may fail")]
#![expect(clippy::disallowed_methods, reason = "a test prepares files and runs curl")]

mod abuse;
mod addresses;
mod bed;
mod credentials;
mod exchanges;
mod fields;
mod kill;
mod limits;
mod names;
mod pauses;
mod proofs;
mod smuggling;
mod throughput;
mod tls;
mod tunnels;
