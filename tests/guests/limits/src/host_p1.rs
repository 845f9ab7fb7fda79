//! What the host keeps or moves on our behalf, through the interfaces of wasip1.

use std::io::Write;

/// Asks for so many random bytes in one call.
#[expect(unsafe_code, reason = "wasip1 fills a buffer behind a pointer")]
pub(crate) fn random(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    // SAFETY: the buffer has the length that is passed on.
    match unsafe { wasip1::random_get(buffer.as_mut_ptr(), bytes) } {
        Ok(()) => format!("ok {bytes} random bytes"),
        Err(error) => format!("refused: {error}"),
    }
}

/// Opens the same file so many times and closes it never. Needs a file `/file`.
pub(crate) fn handles(count: u64) -> String {
    crate::files::open("/file", count)
}

/// Passes so many bytes in one call.
pub(crate) fn hostcall(bytes: usize) -> String {
    match std::io::stderr().write(&vec![b'x'; bytes]) {
        Ok(count) => format!("ok passed {count} bytes"),
        Err(error) => format!("refused: {error}"),
    }
}

/// Waits for so many clocks at once, none of which has long to go.
#[expect(unsafe_code, reason = "wasip1 reads and fills arrays behind pointers")]
pub(crate) fn poll(count: usize) -> String {
    let clock = wasip1::SubscriptionClock {
        id: wasip1::CLOCKID_MONOTONIC,
        timeout: 1,
        precision: 0,
        flags: 0,
    };
    let u = wasip1::SubscriptionU { tag: 0, u: wasip1::SubscriptionUU { clock } };
    let subscriptions = vec![wasip1::Subscription { userdata: 0, u }; count];
    let mut events = Vec::with_capacity(count);
    // SAFETY: there are so many subscriptions, and room for as many events.
    match unsafe { wasip1::poll_oneoff(subscriptions.as_ptr(), events.as_mut_ptr(), count) } {
        Ok(happened) => format!("ok {happened} clocks rang"),
        Err(error) => format!("refused: {error}"),
    }
}

/// There are no headers here.
pub(crate) fn headers(_: usize) -> String {
    "refused: wasip1 has no HTTP".to_owned()
}
