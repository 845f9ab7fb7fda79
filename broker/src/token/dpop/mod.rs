//! Proof that who sends a token holds its key (DPoP, RFC 9449).

mod nonce;
mod prove;
mod replay;
mod target;
mod verify;

pub use nonce::{NONCE_STEP, Nonces};
pub use prove::{Proof, ProofAsk, Prover};
pub use replay::Capacity;
pub use target::Target;
pub use verify::{ProofExpectations, ProofRejection, ProofVerifier};

use std::time::Duration;

/// The `typ` of a proof (RFC 9449 §4.2).
const TYPE: &str = "dpop+jwt";

/// How old a proof may be. Each is remembered for as long, so that it is good for one request.
pub const PROOF_WINDOW: Duration = Duration::from_secs(60);
