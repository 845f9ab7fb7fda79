//! Which addresses a name may lead to.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The kind of place an address is, after mapped, NAT64 and 6to4 forms were unfolded.
///
/// The order is from harmless to dangerous: an address with several readings has the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum AddressClass {
    /// Routable on the public internet.
    Public,
    /// RFC 1918, RFC 4193, RFC 6598: a grant may name these ranges.
    Private,
    /// Unspecified, multicast, broadcast, reserved, documentation. No grant can name it.
    Special,
    /// This machine. No grant can name it.
    Loopback,
    /// RFC 3927, RFC 4291 §2.5.6. No grant can name it.
    LinkLocal,
    /// A cloud's metadata service, which hands out the machine's own credentials. No grant and no
    /// operator switch can name it.
    Metadata,
}

impl AddressClass {
    /// Returns the class in words, with an article, for a sentence.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Public => "a public address",
            Self::Private => "a private address",
            Self::Special => "a special-purpose address",
            Self::Loopback => "a loopback address",
            Self::LinkLocal => "a link-local address",
            Self::Metadata => "a cloud metadata address",
        }
    }
}

/// Metadata services by fixed address. Removing one lets any tool with a private range or an open
/// DNS name fetch the credentials of the machine it runs on.
const METADATA: [IpAddr; 11] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), // AWS, GCP, Azure and most others
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),   // AWS container credentials
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)), // Alibaba
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),   // Azure wire server
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)), // AWS
    // EKS Pod Identity Agent (AWS's EKS guide), beside 169.254.170.23: it hands out the pod's role.
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)), // GCP
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe)), // Oracle, by its SDKs
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42)),  // Scaleway, by cloud-init
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1)), // Akamai (Linode)
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x100, 0, 0, 0, 0, 0x100, 0x200)), // Alibaba
];

const V4: [(Ipv4Net, AddressClass); 15] = {
    use AddressClass::{LinkLocal, Loopback, Private, Special};
    [
        (v4(0, 0, 0, 0, 8), Special),
        (v4(10, 0, 0, 0, 8), Private),
        (v4(100, 64, 0, 0, 10), Private),
        (v4(127, 0, 0, 0, 8), Loopback),
        (v4(169, 254, 0, 0, 16), LinkLocal),
        (v4(172, 16, 0, 0, 12), Private),
        (v4(192, 0, 0, 0, 24), Special),
        (v4(192, 0, 2, 0, 24), Special),
        (v4(192, 88, 99, 0, 24), Special),
        (v4(192, 168, 0, 0, 16), Private),
        (v4(198, 18, 0, 0, 15), Special),
        (v4(198, 51, 100, 0, 24), Special),
        (v4(203, 0, 113, 0, 24), Special),
        (v4(224, 0, 0, 0, 4), Special),
        (v4(240, 0, 0, 0, 4), Special),
    ]
};

/// IPv6 is closed by default: what stands in no row is `Special`. The first row that holds decides.
const V6: [(Ipv6Net, AddressClass); 7] = {
    use AddressClass::{LinkLocal, Private, Public, Special};
    [
        (v6(0xfc00, 0, 7), Private),
        (v6(0xfe80, 0, 10), LinkLocal),
        (v6(0x2001, 0, 23), Special),     // IETF protocol assignments
        (v6(0x2001, 0xdb8, 32), Special), // documentation
        (v6(0x3fff, 0, 20), Special),     // documentation
        (v6(0x2002, 0, 16), Special),     // 6to4 that was not unfolded
        (v6(0x2000, 0, 3), Public),
    ]
};

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), prefix)
}

/// Returns the class of an address: the worst among everything it may mean.
pub fn classify(address: IpAddr) -> AddressClass {
    let worst = readings(address).into_iter().map(classify_plain).max();
    worst.unwrap_or(AddressClass::Special)
}

/// Returns every plain address that an address may stand for; never empty.
///
/// An IPv6 address that carries IPv4 addresses for a translator or a tunnel stands for those.
pub(crate) fn readings(address: IpAddr) -> Vec<IpAddr> {
    let IpAddr::V6(v6) = address else { return vec![address] };
    let embedded = embedded(v6);
    if embedded.is_empty() { vec![address] } else { embedded }
}

fn embedded(address: Ipv6Addr) -> Vec<IpAddr> {
    let o = address.octets();
    let last = || Ipv4Addr::new(o[12], o[13], o[14], o[15]);
    let found = match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => vec![],
        // IPv4-compatible, IPv4-mapped (RFC 4291 §2.5.5) and IPv4-translated (RFC 2765).
        [0, 0, 0, 0, 0, 0 | 0xffff, _, _] | [0, 0, 0, 0, 0xffff, 0, _, _] => vec![last()],
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] => vec![last()],
        [0x64, 0xff9b, 1, ..] => local_nat64(o),
        [0x2002, ..] => vec![Ipv4Addr::new(o[2], o[3], o[4], o[5])],
        // Teredo (RFC 4380 §4): the server, and the client with every bit flipped.
        [0x2001, 0, ..] => vec![
            Ipv4Addr::new(o[4], o[5], o[6], o[7]),
            Ipv4Addr::new(!o[12], !o[13], !o[14], !o[15]),
        ],
        _ => vec![],
    };
    found.into_iter().map(IpAddr::V4).collect()
}

/// RFC 8215 leaves the prefix length of 64:ff9b:1::/48 to the network, and RFC 6052 §2.2 puts the
/// IPv4 address elsewhere for each; so every place counts. A reading in 0.0.0.0/8 is that of an unused
/// place: no translator can send there (RFC 1122 §3.2.1.3).
fn local_nat64(o: [u8; 16]) -> Vec<Ipv4Addr> {
    let places = [
        Ipv4Addr::new(o[6], o[7], o[9], o[10]),
        Ipv4Addr::new(o[7], o[9], o[10], o[11]),
        Ipv4Addr::new(o[9], o[10], o[11], o[12]),
        Ipv4Addr::new(o[12], o[13], o[14], o[15]),
    ];
    places.into_iter().filter(|place| place.octets()[0] != 0).collect()
}

fn classify_plain(address: IpAddr) -> AddressClass {
    if METADATA.contains(&address) {
        return AddressClass::Metadata;
    }
    match address {
        IpAddr::V4(v4) => V4
            .iter()
            .find(|(net, _)| net.contains(&v4))
            .map_or(AddressClass::Public, |(_, class)| *class),
        IpAddr::V6(Ipv6Addr::LOCALHOST) => AddressClass::Loopback,
        IpAddr::V6(v6) => V6
            .iter()
            .find(|(net, _)| net.contains(&v6))
            .map_or(AddressClass::Special, |(_, class)| *class),
    }
}

/// Why a range cannot stand in a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RangeProblem {
    /// It is not inside one private range.
    NotPrivate,
    /// It includes a metadata service.
    Metadata,
}

/// Checks that a grant may name the range: all of it private, and no metadata service in it.
pub(crate) fn check_range(range: IpNet) -> Result<(), RangeProblem> {
    let inside = |outer: IpNet| outer.contains(&range);
    let private4 = V4.iter().filter(|(_, c)| *c == AddressClass::Private).map(|(n, _)| (*n).into());
    let private6 = V6.iter().filter(|(_, c)| *c == AddressClass::Private).map(|(n, _)| (*n).into());
    if !private4.chain(private6).any(inside) {
        return Err(RangeProblem::NotPrivate);
    }
    if METADATA.iter().any(|service| range.contains(service)) {
        return Err(RangeProblem::Metadata);
    }
    Ok(())
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
