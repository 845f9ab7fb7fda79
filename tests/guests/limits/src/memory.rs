//! Memory, asked for and used.

#[cfg(target_arch = "wasm32")]
use core::arch::wasm32;

/// The size of a page of WebAssembly.
const PAGE: u64 = 65536;

/// Grows memory page by page, until so many bytes are there or the host refuses.
pub(crate) fn grow(bytes: u64) -> String {
    let mut had = 0;
    while had < bytes {
        if add_pages(1).is_none() {
            return format!("refused after {had} bytes");
        }
        had += PAGE;
    }
    format!("ok grew by {had} bytes")
}

/// Grows memory at once and writes all of it with a single `memory.fill`, which nothing interrupts.
#[expect(unsafe_code, reason = "writes to memory that no Rust value lives in")]
pub(crate) fn touch(bytes: u64) -> String {
    let Some(start) = add_pages(bytes.div_ceil(PAGE)) else {
        return "refused before it was touched".to_owned();
    };
    // SAFETY: these pages are new and nobody else has a pointer to them.
    unsafe { std::ptr::write_bytes(start, 0xa5, bytes as usize) };
    // SAFETY: as above; read back so that the write counts.
    let last = unsafe { start.add(bytes as usize - 1).read_volatile() };
    format!("ok touched {bytes} bytes, the last is {last:#x}")
}

/// Executes `unreachable`.
pub(crate) fn trap() -> String {
    #[cfg(target_arch = "wasm32")]
    wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    String::new()
}

#[cfg(target_arch = "wasm32")]
fn add_pages(pages: u64) -> Option<*mut u8> {
    let before = wasm32::memory_grow::<0>(usize::try_from(pages).ok()?);
    (before != usize::MAX).then(|| (before * PAGE as usize) as *mut u8)
}

#[cfg(not(target_arch = "wasm32"))]
fn add_pages(_: u64) -> Option<*mut u8> {
    None
}
