//! `[[http]]` and what `--http` shares with it.

use super::draft::Draft;
use super::sink::{At, Sink};
use super::table::{Table, wrong_type};
use super::target::{addresses, check_literal, host_help};
use crate::ask::Scheme;
use crate::codes;
use crate::diagnostic::Span;
use crate::grant::{CredentialName, HttpRule, is_grantable_method};
use crate::host::Host;
use crate::pattern::{
    HostPattern, HostPatternError, PathPattern, PathPatternError, is_known_suffix,
};
use crate::text::nearest;
use ipnet::IpNet;
use toml::de::DeValue;

/// What a rule without `methods` allows.
pub(super) const DEFAULT_METHODS: [&str; 2] = ["GET", "HEAD"];

/// The parts of a rule as they were said. Absent is not the same as empty.
pub(super) struct Parts {
    pub(super) span: Span,
    pub(super) host: Option<At<HostPattern>>,
    pub(super) scheme: Option<At<Scheme>>,
    pub(super) port: Option<u16>,
    pub(super) methods: Option<At<Vec<String>>>,
    pub(super) paths: Option<At<Vec<PathPattern>>>,
    pub(super) addresses: Vec<IpNet>,
    pub(super) credential: Option<At<CredentialName>>,
}

pub(super) fn read(sink: &mut Sink, draft: &mut Draft, table: Table<'_, '_>) {
    let known = ["host", "scheme", "port", "methods", "paths", "addresses", "credential"];
    table.refuse_others(sink, &known, &["query", "headers"]);
    let host = table.required(sink, "host", "\"api.example.com\"");
    let scheme = table.string(sink, "scheme").and_then(|text| scheme(sink, text));
    let Some(port) = port(sink, &table) else { return };
    let methods = table.strings(sink, "methods").map(|list| {
        list.map(list.value.iter().filter_map(|item| method(sink, item.clone())).collect())
    });
    let paths = table.strings(sink, "paths").map(|list| {
        list.map(list.value.iter().filter_map(|item| path(sink, item.clone())).collect())
    });
    let addresses = addresses(sink, &table);
    let host = host.and_then(|text| host_pattern(sink, text));
    let credential = table.string(sink, "credential");
    let credential = credential.and_then(|text| super::credential::name(sink, text));
    let parts =
        Parts { span: table.span, host, scheme, port, methods, paths, addresses, credential };
    add(sink, draft, parts);
}

/// Makes a rule of its parts and adds it.
pub(super) fn add(sink: &mut Sink, draft: &mut Draft, parts: Parts) {
    let Some(host) = parts.host else { return };
    let scheme = parts.scheme.as_ref().map_or(Scheme::Https, |scheme| scheme.value);
    if let HostPattern::Exact(exact) = &host.value {
        check_literal(sink, &host.map(exact.clone()), &parts.addresses);
        warn_of_suffix(sink, &host, exact);
    }
    let local =
        matches!(&host.value, HostPattern::Exact(exact) if super::target::is_loopback(exact));
    if scheme == Scheme::Http && !local {
        let span = parts.scheme.map_or(host.span, |scheme| scheme.span);
        sink.warning(
            codes::CLEARTEXT,
            span,
            "cleartext http: anybody on the way can read and change it",
        )
        .help("use https where the host offers it");
    }
    warn_of_empty(sink, "methods", parts.methods.as_ref().map(|m| m.map(m.value.len())));
    warn_of_empty(sink, "paths", parts.paths.as_ref().map(|p| p.map(p.value.len())));
    if parts.paths.is_none() {
        sink.warning(codes::ALL_PATHS, host.span, "no path is named, so every path is allowed")
            .help("name the paths that the task needs; \"/**\" says that all are meant");
    }
    let named_at = parts.credential.as_ref().map(|name| name.span);
    let credential = parts.credential.map(|name| name.value);
    let rule = HttpRule {
        host: host.value,
        scheme,
        port: parts.port.unwrap_or(scheme.default_port()),
        methods: parts
            .methods
            .map_or_else(|| DEFAULT_METHODS.map(str::to_owned).to_vec(), |methods| methods.value),
        paths: parts.paths.map_or_else(|| vec![PathPattern::any()], |paths| paths.value),
        addresses: parts.addresses,
        credential,
    };
    draft.add_http(sink, At { value: rule, span: parts.span }, named_at);
}

fn warn_of_suffix(sink: &mut Sink, host: &At<HostPattern>, exact: &Host) {
    if let Host::Name(name) = exact
        && is_known_suffix(name)
    {
        sink.warning(codes::SUFFIX_ITSELF, host.span, format!("\"{name}\" is a public suffix"))
            .label("only this one name is granted, and nothing below it")
            .help("if a name below it is meant, write that one");
    }
}

fn warn_of_empty(sink: &mut Sink, key: &str, list: Option<At<usize>>) {
    if let Some(At { value: 0, span }) = list {
        sink.warning(codes::EMPTY, span, format!("no {key} are named, so the rule allows nothing"))
            .help(format!("an empty list never means all; leave {key} out for its default"));
    }
}

pub(crate) fn host_pattern(sink: &mut Sink, text: At<&str>) -> Option<At<HostPattern>> {
    let error = match HostPattern::parse(text.value) {
        Ok(host) => return Some(text.map(host)),
        Err(error) => error,
    };
    let (code, help) = match &error {
        HostPatternError::Host(_) => (codes::BAD_HOST, host_help(text.value)),
        HostPatternError::Wildcard if text.value == "*" => {
            (codes::WILDCARD, "name each host; no rule can open the whole internet".to_owned())
        }
        HostPatternError::Wildcard | HostPatternError::Address => {
            (codes::WILDCARD, "name the host, or write \"*.\" and a domain of one owner".to_owned())
        }
        HostPatternError::PublicSuffix(suffix) => {
            (codes::PUBLIC_SUFFIX, format!("name one owner's domain, as in \"*.acme.{suffix}\""))
        }
    };
    sink.error(code, text.span, error.to_string()).help(help);
    None
}

fn scheme(sink: &mut Sink, text: At<&str>) -> Option<At<Scheme>> {
    match text.value {
        "http" => Some(text.map(Scheme::Http)),
        "https" => Some(text.map(Scheme::Https)),
        other => {
            let help = match nearest(other, ["http", "https"]) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "for anything else than HTTP use [[tcp]]".to_owned(),
            };
            let message = format!("there is no scheme \"{other}\", only \"http\" and \"https\"");
            sink.error(codes::BAD_WORD, text.span, message).help(help);
            None
        }
    }
}

/// Returns the port: the outer `None` is an error that was reported, the inner one an absent key.
#[expect(clippy::option_option, reason = "absent and wrong lead to different rules")]
pub(crate) fn port(sink: &mut Sink, table: &Table<'_, '_>) -> Option<Option<u16>> {
    let Some(value) = table.get("port") else { return Some(None) };
    let DeValue::Integer(integer) = value.value else {
        wrong_type(sink, value, "a port number");
        return None;
    };
    let port = u16::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|port| *port > 0);
    if port.is_none() {
        sink.error(codes::BAD_PORT, value.span, "a port is a number from 1 to 65535")
            .help("leave it out for the port of the scheme");
    }
    port.map(Some)
}

pub(crate) fn method(sink: &mut Sink, text: At<&str>) -> Option<String> {
    if is_grantable_method(text.value) {
        return Some(text.value.to_owned());
    }
    let upper = text.value.to_ascii_uppercase();
    let help = match text.value {
        "*" => "name each method; there is no wildcard".to_owned(),
        "CONNECT" => "use [[tcp]] to grant a connection".to_owned(),
        "TRACE" => "it sends request headers back, so no rule can grant it".to_owned(),
        _ if is_grantable_method(&upper) => format!("did you mean \"{upper}\"?"),
        _ => "a method is a word of capital letters, such as \"GET\"".to_owned(),
    };
    let message = "this method cannot be granted";
    sink.error(codes::BAD_METHOD, text.span, message).help(help);
    None
}

pub(crate) fn path(sink: &mut Sink, text: At<&str>) -> Option<PathPattern> {
    let error = match PathPattern::parse(text.value) {
        Ok(pattern) => return Some(pattern),
        Err(error) => error,
    };
    let help = match error {
        PathPatternError::Query => "leave out the \"?\" and what follows".to_owned(),
        PathPatternError::Wildcard => {
            "\"/a/*\" is one segment below /a, \"/a/**\" is /a and everything below".to_owned()
        }
        PathPatternError::Path(_) if !text.value.starts_with('/') => {
            "a path starts with \"/\"".to_owned()
        }
        PathPatternError::Path(_) => "write the path as it is sent, in one plain form".to_owned(),
    };
    sink.error(codes::BAD_PATH, text.span, error.to_string()).help(help);
    None
}
