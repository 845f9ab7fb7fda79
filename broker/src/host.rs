//! Canonical names of where a request goes. One spelling per place, decided once.

use crate::ask::Scheme;
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest text that is looked at, bytes. A name has 253 characters (RFC 1035 §2.3.4), each of
/// which UTS 46 may have been given in up to four bytes; anything longer only costs time.
const LONGEST_TEXT: usize = 1024;

/// A host in its one canonical spelling.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A DNS name: lower case, A-labels, no trailing dot.
    Name(String),
    /// An address literal; IPv4-mapped IPv6 is folded to IPv4.
    Address(IpAddr),
}

/// A canonical host and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Authority {
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
}

/// Why a text is not a host. The variants are named for what the sender did.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// Empty, or longer than 253 characters (RFC 1035 §2.3.4).
    #[error("the host is empty or too long")]
    Length,
    /// A control character, space, percent sign or other character that no host has.
    #[error("the host has a character that no host has")]
    Character,
    /// An address in a form that only some parsers accept, for example `127.1` or `0x7f.1`.
    #[error("the host is an address in a form that parsers read differently")]
    AmbiguousAddress,
    /// User information before the host.
    #[error("the authority carries user information")]
    UserInfo,
    /// A port that is not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// Not valid under IDNA (UTS 46).
    #[error("the host is not a valid internationalised name")]
    Idna,
}

impl Host {
    /// Parses a host strictly and returns its canonical form.
    ///
    /// A name becomes lower-case A-labels (UTS 46, non-transitional) and loses one trailing dot.
    /// IPv6 literals stand in brackets, without a zone. A name whose last label is a number is an
    /// address (WHATWG URL, "ends in a number") and must then be four plain decimal octets.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        if text.is_empty() || text.len() > LONGEST_TEXT {
            return Err(HostError::Length);
        }
        if text.contains('@') {
            return Err(HostError::UserInfo);
        }
        match text.strip_prefix('[') {
            Some(rest) => v6_literal(rest.strip_suffix(']').ok_or(HostError::Character)?),
            None => name_or_v4(text),
        }
    }
}

fn v6_literal(text: &str) -> Result<Host, HostError> {
    let address: Ipv6Addr = text.parse().map_err(|_| HostError::Character)?;
    Ok(Host::Address(IpAddr::V6(address).to_canonical()))
}

fn name_or_v4(text: &str) -> Result<Host, HostError> {
    if text.chars().any(|c| c.is_ascii() && !is_name_character(c)) {
        return Err(HostError::Character);
    }
    let without_dot = text.strip_suffix('.').unwrap_or(text);
    if without_dot.is_empty() {
        return Err(HostError::Length);
    }
    let name = Uts46::new()
        .to_ascii(without_dot.as_bytes(), AsciiDenyList::URL, Hyphens::Allow, DnsLength::Verify)
        .map_err(|_| idna_error(without_dot))?
        .into_owned();
    // UTS 46 maps full-width forms to ASCII, so the result is checked again.
    if !name.chars().all(is_name_character) {
        return Err(HostError::Character);
    }
    if !ends_in_a_number(&name) {
        return Ok(Host::Name(name));
    }
    // Only the plain spelling is an address: no trailing dot, no digits from other scripts.
    match (name == text, name.parse::<Ipv4Addr>()) {
        (true, Ok(address)) => Ok(Host::Address(IpAddr::V4(address))),
        _ => Err(HostError::AmbiguousAddress),
    }
}

/// ASCII characters of host names. The underscore is in no host name by RFC 952, yet every
/// resolver and parser agrees on it.
fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')
}

fn idna_error(name: &str) -> HostError {
    let plain = name.is_ascii() && !name.to_ascii_lowercase().contains("xn--");
    if plain { HostError::Length } else { HostError::Idna }
}

fn ends_in_a_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let hex = last.strip_prefix("0x");
    last.bytes().all(|b| b.is_ascii_digit())
        || hex.is_some_and(|h| h.bytes().all(|b| b.is_ascii_hexdigit()))
}

impl Authority {
    /// Parses `host[:port]` as it stands in a URI (RFC 3986 §3.2), strictly.
    ///
    /// An empty port (`host:`), a sign or a leading zero is refused, although RFC 3986 allows the
    /// first: no honest client sends it, and parsers differ.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, HostError> {
        if text.contains('@') {
            return Err(HostError::UserInfo);
        }
        let (host, port) = split_port(text);
        let port = port.map_or(Ok(default_port), parse_port)?;
        Ok(Self { host: Host::parse(host)?, port })
    }

    /// Returns the text for a `Host` header: without the port where the scheme implies it.
    pub fn for_scheme(&self, scheme: Scheme) -> String {
        if self.port == scheme.default_port() { self.host.to_string() } else { self.to_string() }
    }
}

/// Splits at the colon that follows the host; colons inside brackets belong to the host.
pub(crate) fn split_port(text: &str) -> (&str, Option<&str>) {
    let host_end = text.find(']').map_or(0, |bracket| bracket + 1);
    match text[host_end..].find(':') {
        Some(colon) => (&text[..host_end + colon], Some(&text[host_end + colon + 1..])),
        None => (text, None),
    }
}

/// Parses a port strictly: digits only, no leading zero, 1 to 65535.
pub(crate) fn parse_port(text: &str) -> Result<u16, HostError> {
    let plain = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().map_err(|_| HostError::Port) } else { Err(HostError::Port) }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(v4)) => write!(f, "{v4}"),
            Self::Address(IpAddr::V6(v6)) => write!(f, "[{v6}]"),
        }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
#[path = "host_tests.rs"]
mod tests;
