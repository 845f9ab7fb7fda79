//! What the host keeps or moves on our behalf, through the interfaces of wasip2.

use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::http::types::Fields;
use wasip2::random::random::get_random_bytes;
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;

/// Asks for so many random bytes in one call.
pub(crate) fn random(bytes: u64) -> String {
    format!("ok {} random bytes", get_random_bytes(bytes).len())
}

/// Opens so many resources and drops none.
pub(crate) fn handles(count: u64) -> String {
    for _ in 0..count {
        std::mem::forget(subscribe_duration(u64::MAX / 2));
    }
    format!("ok {count} handles are open")
}

/// Passes a string of so many bytes in one call.
pub(crate) fn hostcall(bytes: usize) -> String {
    match resolve_addresses(&instance_network(), &"x".repeat(bytes)) {
        Ok(_) => format!("ok passed {bytes} bytes"),
        Err(code) => format!("refused: {}", code.name()),
    }
}

/// There is no such call here.
pub(crate) fn poll(_: usize) -> String {
    "refused: wasip2 polls what it holds".to_owned()
}

/// Collects headers of so many bytes in all.
pub(crate) fn headers(bytes: usize) -> String {
    let fields = Fields::new();
    let value = [b'x'; 1024];
    for number in 0..bytes.div_ceil(value.len()) {
        if let Err(error) = fields.append(&format!("x-{number}"), &value) {
            return format!("refused after {} bytes: {error:?}", number * value.len());
        }
    }
    format!("ok {bytes} bytes of headers")
}
