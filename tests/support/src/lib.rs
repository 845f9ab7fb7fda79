//! Real servers on loopback for the tests of `writ`.
//!
//! Each runs on a thread of its own until it is dropped, so that it serves tests with and without an
//! async runtime, and tests that pause time. Nothing here is part of the product.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod api;
mod background;
mod ca;
mod dns;
mod http;
mod postgres;
mod raw;
mod reflect;
mod routes;

pub use api::{Answer, Api, Heard};
pub use ca::TestCa;
pub use dns::DnsStub;
pub use http::{HttpServer, Seen, TlsProtocol};
pub use postgres::{Postgres, SUPERUSER_PASSWORD};
pub use raw::{RawServer, Then};
pub use reflect::NONCE;
