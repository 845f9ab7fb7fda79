//! From a worker's request to a canonical ask. Nothing after this reads the guest's text again.

use http::{Method, Uri, request};
use writ_broker::ask::Scheme;
use writ_broker::host::Authority;
use writ_broker::path::RequestPath;
use writ_broker::{Code, HttpAsk, Refusal, TcpAsk, codes};

/// The most of a target that is recorded when it has no canonical form.
const MAX_RAW_TARGET: usize = 512;

/// What a worker asks for.
#[derive(Debug)]
pub(super) enum Asked {
    Http(HttpAsk),
    Tunnel(TcpAsk),
}

/// Reads a request's target strictly.
pub(super) fn canonical(head: &request::Parts) -> Result<Asked, Refusal> {
    if head.method == Method::CONNECT { tunnel(head) } else { exchange(head) }
}

fn tunnel(head: &request::Parts) -> Result<Asked, Refusal> {
    let refuse = |code, reason: &str| refusal("tcp", code, raw(&head.method, &head.uri), reason);
    if let Some(protocol) = head.extensions.get::<hyper::ext::Protocol>() {
        let reason = format!("a tool may not switch a request to {}", protocol.as_str());
        return Err(refuse(codes::PROTOCOL, &reason));
    }
    if head.uri.scheme().is_some() || head.uri.path_and_query().is_some() {
        return Err(refuse(codes::PROTOCOL, "CONNECT names a host and port and nothing else"));
    }
    let text = head.uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    // There is no default port here; 0 is none, and the parser refuses it when it is spelled out.
    match Authority::parse(text, 0) {
        Ok(authority) if authority.port != 0 => Ok(Asked::Tunnel(TcpAsk { authority })),
        Ok(_) => Err(refuse(codes::AMBIGUOUS, "CONNECT needs a port")),
        Err(error) => Err(refuse(codes::AMBIGUOUS, &error.to_string())),
    }
}

fn exchange(head: &request::Parts) -> Result<Asked, Refusal> {
    let refuse = |code, reason: &str| refusal("http", code, raw(&head.method, &head.uri), reason);
    let scheme = match head.uri.scheme_str() {
        Some("http") => Scheme::Http,
        Some("https") => Scheme::Https,
        _ => return Err(refuse(codes::PORT, "the scheme is neither http nor https")),
    };
    let text = head.uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    let authority = Authority::parse(text, scheme.default_port())
        .map_err(|error| refuse(codes::AMBIGUOUS, &error.to_string()))?;
    let path = head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let path =
        RequestPath::parse(path).map_err(|error| refuse(codes::AMBIGUOUS, &error.to_string()))?;
    let method = head.method.as_str().to_owned();
    Ok(Asked::Http(HttpAsk { scheme, authority, method, path }))
}

/// Builds a refusal of the gate's own; only the operator could help, so it has no way out.
pub(super) fn refusal(what: &str, code: Code, target: String, reason: &str) -> Refusal {
    Refusal { code, what: what.to_owned(), target, reason: reason.to_owned(), help: None }
}

fn raw(method: &Method, uri: &Uri) -> String {
    let text = format!("{method} {uri}");
    text.chars().take(MAX_RAW_TARGET).collect()
}
