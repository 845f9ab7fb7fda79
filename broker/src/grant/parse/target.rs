//! `[[tcp]]`, `--tcp`, and what both kinds of rules say about addresses.

use super::draft::Draft;
use super::http::port;
use super::sink::{At, Sink};
use super::table::Table;
use crate::address::{AddressClass, RangeProblem, check_range, classify, readings};
use crate::codes;
use crate::diagnostic::Span;
use crate::grant::TcpRule;
use crate::host::Host;
use ipnet::IpNet;

pub(super) fn read(sink: &mut Sink, draft: &mut Draft, table: Table<'_, '_>) {
    table.refuse_others(sink, &["host", "port", "addresses"], &["credential"]);
    let host = table.required(sink, "host", "\"db.example.com\"");
    let host = host.and_then(|text| exact_host(sink, text));
    let addresses = addresses(sink, &table);
    match port(sink, &table) {
        Some(Some(port)) => add(sink, draft, table.span, host, port, addresses),
        Some(None) => {
            let message = "[[tcp]] needs the key \"port\"";
            sink.error(codes::MISSING_KEY, table.span, message).help("add port = 5432");
        }
        None => {}
    }
}

/// Adds one target.
pub(super) fn add(
    sink: &mut Sink,
    draft: &mut Draft,
    span: Span,
    host: Option<At<Host>>,
    port: u16,
    addresses: Vec<IpNet>,
) {
    let Some(host) = host else { return };
    check_literal(sink, &host, &addresses);
    draft.add_tcp(sink, At { value: TcpRule { host: host.value, port, addresses }, span });
}

pub(super) fn exact_host(sink: &mut Sink, text: At<&str>) -> Option<At<Host>> {
    if text.value.contains('*') {
        sink.error(codes::WILDCARD, text.span, "a TCP target has no wildcard")
            .help("name each host: nothing in a raw connection says which name was meant");
        return None;
    }
    match Host::parse(text.value) {
        Ok(host) => Some(text.map(host)),
        Err(error) => {
            let help = host_help(text.value);
            sink.error(codes::BAD_HOST, text.span, error.to_string()).help(help);
            None
        }
    }
}

/// Guesses what was meant by a text that is no host.
pub(super) fn host_help(text: &str) -> String {
    if text.contains("://") || text.contains('/') {
        "write the host alone; scheme and paths have keys of their own".to_owned()
    } else if text.parse::<std::net::Ipv6Addr>().is_ok() {
        format!("write an IPv6 address in brackets: \"[{text}]\"")
    } else if text.contains(':') && !text.starts_with('[') {
        "write the host alone; the port has a key of its own".to_owned()
    } else {
        "write a name such as \"api.example.com\", or an address in its usual form".to_owned()
    }
}

/// Reads `addresses`: the private ranges that the rule may lead to.
pub(super) fn addresses(sink: &mut Sink, table: &Table<'_, '_>) -> Vec<IpNet> {
    let Some(list) = table.strings(sink, "addresses") else { return Vec::new() };
    list.value.into_iter().filter_map(|item| range(sink, item)).collect()
}

fn range(sink: &mut Sink, text: At<&str>) -> Option<IpNet> {
    let parsed = text.value.parse::<IpNet>().ok();
    let Some(range) =
        parsed.or_else(|| text.value.parse().ok().map(|a: std::net::IpAddr| a.into()))
    else {
        sink.error(codes::BAD_RANGE, text.span, "expected a range of addresses")
            .help("write it as \"10.0.0.0/8\" or \"fd12:3456::/32\"");
        return None;
    };
    if range.trunc() != range {
        let message = "the range has bits set after its prefix";
        sink.error(codes::BAD_RANGE, text.span, message)
            .help(format!("did you mean \"{}\"?", range.trunc()));
        return None;
    }
    match check_range(range) {
        Ok(()) => return Some(range),
        Err(RangeProblem::NotPrivate) => sink
            .error(codes::RANGE, text.span, "no grant can name this range")
            .label("not inside one private range")
            .help("public addresses need no range; loopback, link-local and multicast have none"),
        Err(RangeProblem::Metadata) => sink
            .error(codes::RANGE, text.span, "this range includes a cloud metadata service")
            .help("name a narrower range: the subnet that the host is really in"),
    };
    None
}

/// Checks a host that is an address, or that always means this machine.
pub(super) fn check_literal(sink: &mut Sink, host: &At<Host>, ranges: &[IpNet]) {
    if is_loopback(&host.value) {
        sink.warning(codes::LOOPBACK, host.span, "no grant can open this machine's own ports")
            .label("every connection will be refused")
            .help("only the operator can, with a switch that is meant for tests and development");
        return;
    }
    let Host::Address(address) = host.value else { return };
    let named = |reading: &std::net::IpAddr| {
        let private = classify(*reading) == AddressClass::Private;
        !private || ranges.iter().any(|range| range.contains(reading))
    };
    match classify(address) {
        AddressClass::Public => {}
        AddressClass::Private if readings(address).iter().all(named) => {}
        AddressClass::Private => {
            sink.error(
                codes::PRIVATE,
                host.span,
                "a private address needs to be named as a range too",
            )
            .help(format!(
                "add addresses = [\"{}\"] to the rule in the grant file",
                IpNet::from(address)
            ));
        }
        class => {
            let message = format!("this is {}, which no grant can allow", class.describe());
            sink.error(codes::NEVER, host.span, message)
                .help("name the host that the task is really to reach");
        }
    }
}

/// Reports whether a host means this machine whatever a resolver says (RFC 6761 §6.3).
pub(super) fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Name(name) => name == "localhost" || name.ends_with(".localhost"),
        Host::Address(address) => classify(*address) == AddressClass::Loopback,
    }
}
