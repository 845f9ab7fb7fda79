//! What signing and checking cost. Run with `--release --ignored --nocapture`.
#![expect(clippy::print_stdout, reason = "it is there to print")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use super::*;
use crate::token::dpop::{Capacity, ProofAsk, ProofExpectations, ProofVerifier, Prover, Target};
use std::time::Instant;

/// Prints how long one call takes, in the middle of three rounds.
fn measure<T>(what: &str, mut call: impl FnMut(u32) -> T) {
    const CALLS: u32 = 5_000;
    let mut rounds: Vec<f64> = (0..3)
        .map(|round| {
            let start = Instant::now();
            for index in 0..CALLS {
                std::hint::black_box(call(round * CALLS + index));
            }
            start.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    println!("{what:<40} {:8.1} µs", rounds[1]);
}

#[test]
#[ignore = "prints figures"]
fn what_signing_and_checking_cost() {
    let start = Instant::now();
    let bed = Bed::new();
    println!("{:<40} {:8.1} µs", "first key of the process", start.elapsed().as_secs_f64() * 1e6);
    let start = Instant::now();
    let minter = Minter::new(Arc::clone(&bed.key) as Arc<dyn Signer>);
    let token = minter.sign(&claims()).unwrap();
    println!("{:<40} {:8.1} µs", "first token", start.elapsed().as_secs_f64() * 1e6);
    println!("{:<40} {:8}", "bytes of a token", token.expose().len());

    measure("sign alone", |_| bed.key.sign(b"message"));
    measure("mint", |_| minter.sign(&claims()).unwrap());
    let key = crate::keys::VerifyingKey::new(bed.key.public_jwk()).unwrap();
    let signature = bed.key.sign(b"message").unwrap();
    measure("check a signature alone", |_| key.accepts(b"message", &signature));
    measure("verify", |_| bed.verify(token.expose()).unwrap());
    let forged = Bed::new().seal_header(&bed.header());
    measure("refuse a forged token", |_| bed.refuse(&forged));
    measure("refuse garbage", |_| bed.refuse("a.b.c"));
    measure("make a key for a task", |_| Prover::generate().unwrap());

    let prover = Prover::generate().unwrap();
    let target = Target::parse("https://api.example/repos/acme").unwrap();
    let ask = ProofAsk { method: "GET", target: &target, token: Some(&token), nonce: None };
    measure("prove", |index| prover.prove(&ask, &format!("{index:022}"), NOW).unwrap());
    let proofs: Vec<_> = (0..15_000)
        .map(|index| prover.prove(&ask, &format!("{index:022}"), NOW).unwrap())
        .collect();
    let verifier = ProofVerifier::new(Capacity::default(), None);
    let expected =
        ProofExpectations { method: "GET", target: &target, token: Some(token.expose()) };
    measure("verify a proof", |index| {
        verifier.verify(proofs[index as usize].expose(), &expected, NOW).unwrap()
    });
}

#[test]
#[ignore = "prints figures, in a process of its own"]
fn what_the_first_use_costs() {
    let start = Instant::now();
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("keys");
    let step = |what: &str, start: Instant| {
        println!("{what:<40} {:8.1} µs", start.elapsed().as_secs_f64() * 1e6);
    };
    let files = crate::keys::KeyFiles::open(&path).unwrap();
    step("open the directory of keys", start);
    let der = "3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420";
    let start = Instant::now();
    let mut bytes: Vec<u8> = (0..der.len() / 2)
        .map(|i| u8::from_str_radix(&der[2 * i..2 * i + 2], 16).unwrap())
        .collect();
    bytes.extend([7; 32]);
    let key = LocalKey::from_pkcs8(&bytes).unwrap();
    step("read a key without using it", start);
    let start = Instant::now();
    key.sign(b"message").unwrap();
    step("first signature (gathers entropy)", start);
    let start = Instant::now();
    key.sign(b"message").unwrap();
    step("second signature", start);
    let start = Instant::now();
    files.obtain(crate::keys::Purpose::Access, 1).unwrap();
    step("make a key file (three fsyncs)", start);
    let start = Instant::now();
    files.load(crate::keys::Purpose::Access, 1).unwrap();
    step("load a key file", start);
}
