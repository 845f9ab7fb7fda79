//! `hostile`: functions that return or do what a host must survive.

use std::hint::black_box;
use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bindings::Guest;

#[allow(missing_docs, unsafe_code, reason = "generated from wit/hostile.wit, which is documented")]
mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "hostile" });
    export!(Hostile with_types_in self);
    use super::Hostile;
}

/// What a terminal or a careless JSON writer would obey.
const TEXT: &str = "\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7} \u{9b}2J \u{8}\u{0}\r\n\
    \u{202e}gnp.exe\u{2066} \u{200b}\u{feff} \u{2028} \u{7f} \
    \"},\"outcome\":\"exited\",\"result\":{\"a\":\"";

static CALLS: AtomicU32 = AtomicU32::new(0);

struct Hostile;

impl Guest for Hostile {
    fn text() -> String {
        TEXT.to_owned()
    }

    fn fail_text() -> Result<(), String> {
        Err(Self::text())
    }

    fn nested_text() -> Vec<(String, Option<String>)> {
        vec![(Self::text(), Some(Self::text())), (Self::text(), None)]
    }

    fn huge_string(bytes: u32) -> String {
        "x".repeat(bytes as usize)
    }

    fn huge_list(length: u32) -> Vec<Vec<u8>> {
        vec![Vec::new(); length as usize]
    }

    fn spin() {
        let mut turns = 0_u64;
        loop {
            turns = black_box(turns.wrapping_add(1));
        }
    }

    fn sleep(ms: u64) {
        std::thread::sleep(Duration::from_millis(ms));
    }

    fn trap() {
        #[cfg(target_arch = "wasm32")]
        core::arch::wasm32::unreachable();
    }

    fn panic(message: String) {
        panic!("{message}");
    }

    fn exit(code: u8) {
        std::process::exit(code.into());
    }

    fn grow() -> u64 {
        grow_until_refused()
    }

    fn count_calls() -> u32 {
        CALLS.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn print(text: String) {
        // A host that closed the stream is one of the cases.
        let _ = std::io::stdout().write_all(text.as_bytes());
    }
}

#[cfg(target_arch = "wasm32")]
fn grow_until_refused() -> u64 {
    use core::arch::wasm32::memory_grow;

    let mut pages = 0_u64;
    while memory_grow::<0>(16) != usize::MAX {
        pages += 16;
    }
    pages * 65536
}

#[cfg(not(target_arch = "wasm32"))]
fn grow_until_refused() -> u64 {
    0
}
