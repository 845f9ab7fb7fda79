//! From what the gate and the connection say to the error codes of `wasi:http`.

use http::HeaderValue;
use wasmtime_wasi_http::Error;

use crate::wire::egress as wire;

/// Reads the name of a `wasi:http` error-code case; an unknown one is an internal error, never a success.
///
/// The cases that carry more than their name arrive without it: the gate's words are for the person.
pub(super) fn from_gate(name: &HeaderValue) -> Error {
    let Ok(name) = name.to_str() else { return Error::InternalError(None) };
    connection_case(name)
        .or_else(|| request_case(name))
        .or_else(|| response_case(name))
        .unwrap_or(Error::InternalError(None))
}

fn connection_case(name: &str) -> Option<Error> {
    Some(match name {
        "DNS-timeout" => Error::DnsTimeout,
        "DNS-error" => Error::DnsError { rcode: None, info_code: None },
        "destination-not-found" => Error::DestinationNotFound,
        "destination-unavailable" => Error::DestinationUnavailable,
        "destination-IP-prohibited" => Error::DestinationIpProhibited,
        "destination-IP-unroutable" => Error::DestinationIpUnroutable,
        "connection-refused" => Error::ConnectionRefused,
        "connection-terminated" => Error::ConnectionTerminated,
        "connection-timeout" => Error::ConnectionTimeout,
        "connection-read-timeout" => Error::ConnectionReadTimeout,
        "connection-write-timeout" => Error::ConnectionWriteTimeout,
        "connection-limit-reached" => Error::ConnectionLimitReached,
        "TLS-protocol-error" => Error::TlsProtocolError,
        "TLS-certificate-error" => Error::TlsCertificateError,
        "TLS-alert-received" => Error::TlsAlertReceived { alert_id: None, alert_message: None },
        _ => return None,
    })
}

fn request_case(name: &str) -> Option<Error> {
    Some(match name {
        "HTTP-request-denied" => Error::HttpRequestDenied,
        "HTTP-request-length-required" => Error::HttpRequestLengthRequired,
        "HTTP-request-body-size" => Error::HttpRequestBodySize(None),
        "HTTP-request-method-invalid" => Error::HttpRequestMethodInvalid,
        "HTTP-request-URI-invalid" => Error::HttpRequestUriInvalid,
        "HTTP-request-URI-too-long" => Error::HttpRequestUriTooLong,
        "HTTP-request-header-section-size" => Error::HttpRequestHeaderSectionSize(None),
        "HTTP-request-header-size" => {
            Error::HttpRequestHeaderSize { field_name: None, field_size: None }
        }
        "HTTP-request-trailer-section-size" => Error::HttpRequestTrailerSectionSize(None),
        "HTTP-request-trailer-size" => {
            Error::HttpRequestTrailerSize { field_name: None, field_size: None }
        }
        _ => return None,
    })
}

fn response_case(name: &str) -> Option<Error> {
    Some(match name {
        "HTTP-response-incomplete" => Error::HttpResponseIncomplete,
        "HTTP-response-header-section-size" => Error::HttpResponseHeaderSectionSize(None),
        "HTTP-response-header-size" => {
            Error::HttpResponseHeaderSize { field_name: None, field_size: None }
        }
        "HTTP-response-body-size" => Error::HttpResponseBodySize(None),
        "HTTP-response-trailer-section-size" => Error::HttpResponseTrailerSectionSize(None),
        "HTTP-response-trailer-size" => {
            Error::HttpResponseTrailerSize { field_name: None, field_size: None }
        }
        "HTTP-response-transfer-coding" => Error::HttpResponseTransferCoding(None),
        "HTTP-response-content-coding" => Error::HttpResponseContentCoding(None),
        "HTTP-response-timeout" => Error::HttpResponseTimeout,
        "HTTP-upgrade-failed" => Error::HttpUpgradeFailed,
        "HTTP-protocol-error" => Error::HttpProtocolError,
        "loop-detected" => Error::LoopDetected,
        "configuration-error" => Error::ConfigurationError,
        "internal-error" => Error::InternalError(None),
        _ => return None,
    })
}

/// Names what went wrong between worker and gate before a response arrived.
///
/// The gate resets a stream when a bound of the task is hit or the task is killed, so most of these
/// mean that the other side ended the exchange.
pub(super) fn from_hyper(error: &hyper::Error) -> Error {
    let reset = std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<h2::Error>())
        .and_then(h2::Error::reason);
    if error.is_timeout() || reset == Some(wire::RESET_TIMEOUT) {
        Error::HttpResponseTimeout
    } else if reset == Some(wire::RESET_OVER_LIMIT) {
        Error::HttpResponseBodySize(None)
    } else if error.is_parse() || error.is_user() {
        Error::HttpProtocolError
    } else {
        Error::ConnectionTerminated
    }
}
