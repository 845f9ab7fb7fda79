//! Which addresses a name may lead to.

use std::net::IpAddr;

/// The kind of place an address is, after mapped, NAT64 and 6to4 forms were unfolded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressClass {
    /// Routable on the public internet.
    Public,
    /// RFC 1918, RFC 4193, RFC 6598: a grant may name these ranges.
    Private,
    /// This machine. No grant can name it.
    Loopback,
    /// RFC 3927, RFC 4291 §2.5.6; cloud metadata lives here. No grant can name it.
    LinkLocal,
    /// Unspecified, multicast, broadcast, reserved, documentation. No grant can name it.
    Special,
}

/// Returns the class of an address.
pub fn classify(_address: IpAddr) -> AddressClass {
    unimplemented!()
}
