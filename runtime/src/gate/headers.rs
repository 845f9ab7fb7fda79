//! Which header fields pass in each direction.
//!
//! A request field that would speak to the connection or to a proxy is *refused*: an honest client
//! library never sends one, so its presence is an attempt, and removing it silently would hide that
//! from the record. Fields that honest libraries do send and that only describe what the gate states
//! anew (`host` equal to the target, `content-length`, `expect`, `te: trailers`) are *stripped*.

use crate::wire::egress as wire;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, TE, TRANSFER_ENCODING, UPGRADE,
};
use writ_broker::ask::Scheme;
use writ_broker::host::Authority;
use writ_broker::{Code, codes};

/// What a field costs on the wire beside its name and value: `: ` and a line end.
const FIELD_OVERHEAD: usize = 4;

/// Fields from which some servers and frameworks take the method, the path or the host instead of the
/// request line's. Letting one through lets a `GET /public` that was decided be a `DELETE /admin`.
const REROUTING: [&str; 8] = [
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
    "x-original-host",
    "x-forwarded-host",
    "forwarded",
];

/// A field that a guest tried to send and may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ForbiddenField {
    pub(super) code: Code,
    pub(super) reason: String,
}

/// Returns the bytes of a header or trailer section.
pub(super) fn section_bytes(headers: &HeaderMap) -> u64 {
    let sum: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + FIELD_OVERHEAD)
        .sum();
    sum as u64
}

/// Takes the fields of a guest's request that may go to the decided place.
pub(super) fn filter_request(
    headers: &mut HeaderMap,
    scheme: Scheme,
    authority: &Authority,
) -> Result<(), ForbiddenField> {
    for name in headers.keys() {
        if let Some(code) = forbidden(name) {
            return Err(ForbiddenField { code, reason: format!("a tool may not set {name}") });
        }
    }
    check_host(headers, scheme, authority)?;
    check_content_length(headers)?;
    let te_trailers = check_te(headers)?;
    for name in [HOST, CONTENT_LENGTH, EXPECT, TE] {
        headers.remove(name);
    }
    if te_trailers {
        headers.insert(TE, http::HeaderValue::from_static("trailers"));
    }
    Ok(())
}

fn forbidden(name: &HeaderName) -> Option<Code> {
    let text = name.as_str();
    if *name == UPGRADE || text == "http2-settings" {
        return Some(codes::PROTOCOL);
    }
    let refused = *name == CONNECTION
        || *name == TRANSFER_ENCODING
        || text == "keep-alive"
        || text.starts_with("proxy-")
        || REROUTING.contains(&text)
        || text.starts_with(wire::RESERVED_PREFIX);
    refused.then_some(codes::HEADER)
}

/// `Host` must name the place that is decided on; anything else is domain fronting.
fn check_host(
    headers: &HeaderMap,
    scheme: Scheme,
    authority: &Authority,
) -> Result<(), ForbiddenField> {
    let same = |value: &http::HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        Authority::parse(text, scheme.default_port()).is_ok_and(|named| named == *authority)
    };
    if headers.get_all(HOST).iter().all(same) {
        return Ok(());
    }
    let reason = "the host field names another place than the request's target".to_owned();
    Err(ForbiddenField { code: codes::HEADER, reason })
}

/// The length is stated anew from what the body is; the HTTP/2 layer holds the body to it.
fn check_content_length(headers: &HeaderMap) -> Result<(), ForbiddenField> {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = values.next() else { return Ok(()) };
    let digits = !first.is_empty() && first.as_bytes().iter().all(u8::is_ascii_digit);
    if digits && values.next().is_none() {
        return Ok(());
    }
    let reason = "content-length must be one number".to_owned();
    Err(ForbiddenField { code: codes::HEADER, reason })
}

/// `te: trailers` is the one value that HTTP/2 knows (RFC 9113 §8.2.2).
fn check_te(headers: &HeaderMap) -> Result<bool, ForbiddenField> {
    let mut values = headers.get_all(TE).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(false),
        (Some(value), None) if value == "trailers" => Ok(true),
        _ => {
            let reason = "te may only be trailers".to_owned();
            Err(ForbiddenField { code: codes::HEADER, reason })
        }
    }
}

/// Takes out of a response what belongs to the upstream connection, and what only the gate may say.
pub(super) fn filter_response(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    remove(headers, |name| is_hop_by_hop(name) || is_reserved(name));
}

/// Takes out of trailers what would change the meaning of the message they follow (RFC 9110 §6.5.1).
///
/// They come when the request is under way, so there is nothing left to refuse: they are removed.
pub(super) fn filter_trailers(trailers: &mut HeaderMap) {
    remove(trailers, |name| {
        is_hop_by_hop(name)
            || is_reserved(name)
            || name.as_str().starts_with("proxy-")
            || matches!(
                name.as_str(),
                "host" | "content-length" | "trailer" | "authorization" | "cookie" | "set-cookie"
            )
            || matches!(
                name.as_str(),
                "content-encoding" | "content-type" | "content-range" | "expect" | "max-forwards"
            )
    });
}

fn is_reserved(name: &HeaderName) -> bool {
    name.as_str().starts_with(wire::RESERVED_PREFIX)
}

/// Fields of the connection, not of the message (RFC 9110 §7.6.1).
fn is_hop_by_hop(name: &HeaderName) -> bool {
    [CONNECTION, TE, TRANSFER_ENCODING, UPGRADE].contains(name)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "http2-settings")
}

fn remove(headers: &mut HeaderMap, unwanted: impl Fn(&HeaderName) -> bool) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| unwanted(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use writ_broker::host::Host;

    fn filter(fields: &[(&'static str, &'static str)]) -> Result<HeaderMap, Code> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let authority = Authority { host: Host::Name("a.test".to_owned()), port: 80 };
        filter_request(&mut headers, Scheme::Http, &authority)
            .map(|()| headers)
            .map_err(|forbidden| forbidden.code)
    }

    #[test]
    fn fields_that_speak_to_the_connection_are_refused() {
        for name in ["connection", "keep-alive", "transfer-encoding", "proxy-connection"] {
            assert_eq!(filter(&[(name, "x")]), Err(codes::HEADER), "{name}");
        }
        for name in ["upgrade", "http2-settings"] {
            assert_eq!(filter(&[(name, "h2c")]), Err(codes::PROTOCOL), "{name}");
        }
        assert_eq!(filter(&[("te", "gzip")]), Err(codes::HEADER));
        assert_eq!(filter(&[("te", "trailers"), ("te", "trailers")]), Err(codes::HEADER));
    }

    #[test]
    fn fields_that_name_another_method_path_or_host_are_refused() {
        for name in REROUTING {
            assert_eq!(filter(&[(name, "x")]), Err(codes::HEADER), "{name}");
        }
    }

    #[test]
    fn a_length_is_one_number_and_is_stated_anew() {
        for twice in [["1", "2"], ["1", "1"]] {
            let fields = twice.map(|value| ("content-length", value));
            assert_eq!(filter(&fields), Err(codes::HEADER));
        }
        for value in ["", "+1", "1, 1", "0x1", "-1"] {
            assert_eq!(filter(&[("content-length", value)]), Err(codes::HEADER), "{value:?}");
        }
        assert_eq!(filter(&[("content-length", "12")]), Ok(HeaderMap::new()));
    }

    #[test]
    fn a_host_field_is_the_target_in_any_spelling_or_refused() {
        for same in ["a.test", "A.TEST:80", "a.test."] {
            assert_eq!(filter(&[("host", same)]), Ok(HeaderMap::new()), "{same}");
        }
        for other in ["b.test", "a.test:81", "", "a.test@b.test"] {
            assert_eq!(filter(&[("host", other)]), Err(codes::HEADER), "{other:?}");
        }
        assert_eq!(filter(&[("host", "a.test"), ("host", "b.test")]), Err(codes::HEADER));
    }

    #[test]
    fn ordinary_fields_pass() {
        let fields = [("accept", "*/*"), ("authorization", "Bearer own"), ("x-forwarded-for", "1")];
        assert_eq!(filter(&fields).map(|headers| headers.len()), Ok(3));
    }
}
