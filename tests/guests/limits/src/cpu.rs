//! Time: used, waited away, or stacked up.

use std::hint::black_box;
use std::io::Read;
use std::time::Duration;

/// Computes for ever without calling the host.
pub(crate) fn spin() -> String {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Blocks in the host.
pub(crate) fn sleep(seconds: u64) -> String {
    std::thread::sleep(Duration::from_secs(seconds));
    format!("ok slept {seconds} seconds")
}

/// Blocks in the host until standard input ends.
pub(crate) fn read_stdin() -> String {
    let mut bytes = Vec::new();
    match std::io::stdin().read_to_end(&mut bytes) {
        Ok(count) => format!("ok read {count} bytes"),
        Err(error) => format!("refused: {error}"),
    }
}

/// Calls itself until the stack ends.
pub(crate) fn recurse() -> String {
    format!("ok {}", down(black_box(1)))
}

/// What comes after the call depends on it, so that it cannot become a loop.
#[inline(never)]
fn down(depth: u64) -> u64 {
    if depth == 0 {
        return 0;
    }
    down(depth + 1).wrapping_mul(31).rotate_left((depth % 64) as u32) ^ depth
}
