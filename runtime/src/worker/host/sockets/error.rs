//! From the gate's answer to a connection to the error codes of `wasi:sockets`.

use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;
use wasmtime_wasi_http::Error;

/// Names why a connection was not made; what has no name of its own is `unknown`.
pub(super) fn from_gate(error: &Error) -> ErrorCode {
    match error {
        Error::HttpRequestDenied | Error::DestinationIpProhibited => ErrorCode::AccessDenied,
        Error::DnsTimeout => ErrorCode::TemporaryResolverFailure,
        Error::DnsError { .. } | Error::DestinationNotFound => ErrorCode::NameUnresolvable,
        Error::DestinationUnavailable | Error::DestinationIpUnroutable => {
            ErrorCode::RemoteUnreachable
        }
        Error::ConnectionRefused => ErrorCode::ConnectionRefused,
        Error::ConnectionTimeout
        | Error::ConnectionReadTimeout
        | Error::ConnectionWriteTimeout
        | Error::HttpResponseTimeout => ErrorCode::Timeout,
        Error::ConnectionLimitReached => ErrorCode::NewSocketLimit,
        Error::ConnectionTerminated => ErrorCode::ConnectionReset,
        Error::HttpRequestUriInvalid => ErrorCode::InvalidArgument,
        _ => ErrorCode::Unknown,
    }
}
