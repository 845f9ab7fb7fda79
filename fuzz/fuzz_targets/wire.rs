//! The wire protocol: a worker that was taken over cannot break its host by what it says.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use writ_runtime::wire::{FromWorker, ToWorker, decode};

fuzz_target!(|bytes: &[u8]| {
    let mut buffer = BytesMut::from(bytes);
    while let Ok(Some(_)) = decode::<FromWorker>(&mut buffer) {}
    let mut buffer = BytesMut::from(bytes);
    while let Ok(Some(_)) = decode::<ToWorker>(&mut buffer) {}
});
