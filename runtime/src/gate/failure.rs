//! Why the gate itself answered, and how it says so.

use crate::outcome::LimitName;
use crate::wire::egress as wire;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use writ_broker::{Code, Refusal, codes};

/// What ended an exchange without a response of the upstream.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// The grant does not allow it. It is recorded where this is made.
    Refused(Refusal, ErrorCase),
    /// A bound of the task was hit.
    Limit(LimitName, ErrorCase),
    /// The network or the upstream failed.
    Upstream(ErrorCase),
    /// The guest gave up, or the task ended.
    Cancelled,
}

macro_rules! cases {
    ($($name:ident = $text:literal, $status:ident;)*) => {
        /// The `wasi:http` error-code cases that the gate uses, by their names in the WIT.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum ErrorCase { $($name),* }

        impl ErrorCase {
            /// Returns the case's name as the WIT of `wasi:http@0.2` spells it.
            pub(super) fn name(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status),* }
            }
        }
    };
}

cases! {
    DnsTimeout = "DNS-timeout", GATEWAY_TIMEOUT;
    DnsError = "DNS-error", BAD_GATEWAY;
    DestinationUnavailable = "destination-unavailable", BAD_GATEWAY;
    DestinationIpProhibited = "destination-IP-prohibited", FORBIDDEN;
    DestinationIpUnroutable = "destination-IP-unroutable", BAD_GATEWAY;
    ConnectionRefused = "connection-refused", BAD_GATEWAY;
    ConnectionTerminated = "connection-terminated", BAD_GATEWAY;
    ConnectionTimeout = "connection-timeout", GATEWAY_TIMEOUT;
    TlsProtocolError = "TLS-protocol-error", BAD_GATEWAY;
    TlsCertificateError = "TLS-certificate-error", BAD_GATEWAY;
    TlsAlertReceived = "TLS-alert-received", BAD_GATEWAY;
    HttpRequestDenied = "HTTP-request-denied", FORBIDDEN;
    HttpRequestBodySize = "HTTP-request-body-size", PAYLOAD_TOO_LARGE;
    HttpRequestUriInvalid = "HTTP-request-URI-invalid", FORBIDDEN;
    HttpRequestHeaderSectionSize = "HTTP-request-header-section-size", REQUEST_HEADER_FIELDS_TOO_LARGE;
    HttpRequestTrailerSectionSize = "HTTP-request-trailer-section-size", REQUEST_HEADER_FIELDS_TOO_LARGE;
    HttpResponseIncomplete = "HTTP-response-incomplete", BAD_GATEWAY;
    HttpResponseHeaderSectionSize = "HTTP-response-header-section-size", BAD_GATEWAY;
    HttpResponseBodySize = "HTTP-response-body-size", BAD_GATEWAY;
    HttpResponseTrailerSectionSize = "HTTP-response-trailer-section-size", BAD_GATEWAY;
    HttpResponseContentCoding = "HTTP-response-content-coding", BAD_GATEWAY;
    HttpResponseTimeout = "HTTP-response-timeout", GATEWAY_TIMEOUT;
    HttpUpgradeFailed = "HTTP-upgrade-failed", BAD_GATEWAY;
    HttpProtocolError = "HTTP-protocol-error", BAD_GATEWAY;
    ConfigurationError = "configuration-error", BAD_GATEWAY;
}

impl ErrorCase {
    /// Returns the case that stands for a refusal with this code.
    pub(super) fn of(code: &Code) -> Self {
        if *code == codes::ADDRESS {
            Self::DestinationIpProhibited
        } else if *code == codes::AMBIGUOUS {
            Self::HttpRequestUriInvalid
        } else if *code == codes::ENCODED {
            Self::HttpResponseContentCoding
        } else {
            Self::HttpRequestDenied
        }
    }
}

impl Failure {
    /// Returns the case by which the guest learns of it.
    pub(super) fn case(&self) -> ErrorCase {
        match self {
            Self::Refused(_, case) | Self::Limit(_, case) | Self::Upstream(case) => *case,
            Self::Cancelled => ErrorCase::ConnectionTerminated,
        }
    }

    /// Returns the reset code that ends a response which has already begun.
    pub(super) fn reason(&self) -> h2::Reason {
        match self {
            Self::Limit(LimitName::HttpTime, _) => wire::RESET_TIMEOUT,
            Self::Limit(..) => wire::RESET_OVER_LIMIT,
            Self::Refused(..) | Self::Upstream(_) => wire::RESET_INCOMPLETE,
            Self::Cancelled => h2::Reason::CANCEL,
        }
    }

    /// Returns the answer to the worker. Its text may be shown to an agent: it has no way out in it.
    pub(super) fn response(&self) -> Response<Full<Bytes>> {
        let case = self.case();
        let text = match self {
            Self::Refused(refusal, _) => refusal.reason.clone(),
            _ => String::new(),
        };
        let mut response = Response::new(Full::new(Bytes::from(text)));
        *response.status_mut() = case.status();
        let headers = response.headers_mut();
        headers.insert(wire::GATE_ERROR, HeaderValue::from_static(case.name()));
        if let Self::Refused(refusal, _) = self
            && let Ok(code) = HeaderValue::from_str(refusal.code.as_str())
        {
            headers.insert(wire::GATE_CODE, code);
        }
        response
    }
}
