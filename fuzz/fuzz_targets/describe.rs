//! What a tool is: no bytes make the reader panic, and what it says can be shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use writ_runtime::worker::describe::{describe_provided, render};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(description) = describe_provided(bytes) {
        assert!(!render(&description).chars().any(|c| c.is_control() && c != '\n'));
    }
});
