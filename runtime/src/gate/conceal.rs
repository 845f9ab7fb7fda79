//! What a guest may see of a response to a request that carried a credential.

use super::headers::ForbiddenField;
use crate::scrub::Patterns;
use http::header::{CONTENT_ENCODING, HeaderName, SET_COOKIE, TRANSFER_ENCODING};
use http::{HeaderMap, response};
use std::sync::Arc;
use writ_broker::codes;

const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// A request that carried a credential, as its response needs to know of it.
pub(super) struct Concealed {
    /// The decided target, for the record of a refusal.
    pub(super) target: String,
    /// What must not come back.
    pub(super) patterns: Arc<Patterns>,
}

/// Takes out of a response what belongs to the credential; refuses one that cannot be looked into.
///
/// - `dpop-nonce` goes: it is for the proofs, and the guest makes none.
/// - `set-cookie` goes: a session that a server opens on the strength of a credential is a credential
///   itself, one that the guest would hold and that no kill ends.
/// - `www-authenticate` passes: it is a question, and says to the guest why it got a 401. So does
///   everything else, scrubbed.
pub(super) fn conceal(
    concealed: &Concealed,
    head: &mut response::Parts,
    has_body: bool,
) -> Result<(), ForbiddenField> {
    if has_body {
        let coded = is_coded(&head.headers, CONTENT_ENCODING, "identity")
            || is_coded(&head.headers, TRANSFER_ENCODING, "chunked");
        if coded {
            let reason =
                "the response is encoded, so the credential could not be found in it".to_owned();
            return Err(ForbiddenField { code: codes::ENCODED, reason });
        }
    }
    head.headers.remove(SET_COOKIE);
    head.headers.remove(DPOP_NONCE);
    concealed.patterns.scrub_fields(&mut head.headers);
    Ok(())
}

fn is_coded(fields: &HeaderMap, name: HeaderName, plain: &str) -> bool {
    fields.get_all(name).iter().any(|value| {
        let text = value.to_str().unwrap_or("?");
        text.split(',').any(|coding| {
            let coding = coding.trim();
            !coding.is_empty() && !coding.eq_ignore_ascii_case(plain)
        })
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;
    use crate::secret::Secret;
    use http::{HeaderValue, Response};

    fn concealed_from(
        fields: &[(&'static str, &'static str)],
        has_body: bool,
    ) -> Result<HeaderMap, writ_broker::Code> {
        let (mut head, ()) = Response::new(()).into_parts();
        for (name, value) in fields {
            head.headers.append(*name, HeaderValue::from_static(value));
        }
        let patterns = Arc::new(Patterns::new(&[Secret::new(*b"the-secret")]).unwrap());
        let concealed = Concealed { target: String::new(), patterns };
        conceal(&concealed, &mut head, has_body)
            .map(|()| head.headers)
            .map_err(|forbidden| forbidden.code)
    }

    #[test]
    fn a_coded_response_is_refused_unless_it_is_empty() {
        for field in [
            ("content-encoding", "gzip"),
            ("content-encoding", "identity, br"),
            ("content-encoding", "x"),
            ("transfer-encoding", "gzip, chunked"),
        ] {
            assert_eq!(concealed_from(&[field], true), Err(codes::ENCODED), "{field:?}");
            assert!(concealed_from(&[field], false).is_ok(), "{field:?}");
        }
        for field in [
            ("content-encoding", "identity"),
            ("content-encoding", ""),
            ("transfer-encoding", "Chunked"),
        ] {
            assert!(concealed_from(&[field], true).is_ok(), "{field:?}");
        }
    }

    #[test]
    fn sessions_and_nonces_stay_here_and_challenges_pass() {
        let fields = concealed_from(
            &[
                ("set-cookie", "session=1"),
                ("set-cookie", "b=2"),
                ("dpop-nonce", "n"),
                ("www-authenticate", "Bearer realm=\"the-secret\""),
            ],
            true,
        )
        .unwrap();
        assert_eq!(fields.len(), 1);
        assert_eq!(fields["www-authenticate"], "Bearer realm=\"**********\"");
    }
}
