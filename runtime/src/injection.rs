//! What the host puts into one request: made by the authority, consumed by the gate.

use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HeaderName};
use writ_broker::grant::Placement;

/// The field that carries a proof of possession (RFC 9449 §4.1).
pub const DPOP: HeaderName = HeaderName::from_static("dpop");

/// The shortest secret that is injected, bytes. A shorter one stands in innocent text by chance, and
/// removing it there would tell the guest what it is.
pub const SHORTEST_SECRET: usize = 8;

/// The longest secret that is injected, bytes: what servers take as one field.
pub const LONGEST_SECRET: usize = 16 << 10;

/// A credential in the places where it goes.
#[derive(Debug, Clone)]
pub struct Injection {
    /// Fields and their whole values.
    pub headers: Vec<(HeaderName, Secret)>,
    /// A query parameter: its name, and its value not yet escaped.
    pub query: Option<(String, Secret)>,
    /// What must not come back, beside the values of the fields and the query: the bare secrets.
    pub scrub: Vec<Secret>,
}

/// Why a secret cannot be injected. No variant says anything of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InjectionError {
    /// Too short to be told from other text, or too long for any server.
    #[error("it is shorter than {SHORTEST_SECRET} bytes or longer than {} KiB", LONGEST_SECRET >> 10)]
    Length,
    /// A line end, a null byte or another control character: it could begin a field of its own.
    #[error("it has a control character in it")]
    Control,
    /// A placement that needs a proof came without one, or the other way round.
    #[error("a proof of possession goes with the place \"dpop\" and with no other")]
    Proof,
}

impl Injection {
    /// Puts a credential where the grant says; `proof` is the DPoP proof of that placement.
    pub fn place(
        placement: &Placement,
        secret: Secret,
        proof: Option<Secret>,
    ) -> Result<Self, InjectionError> {
        if proof.is_some() != (*placement == Placement::Dpop) {
            return Err(InjectionError::Proof);
        }
        check(&secret)?;
        let mut headers = Vec::new();
        let mut query = None;
        let mut scrub = vec![secret.clone()];
        match placement {
            Placement::Bearer => headers.push((AUTHORIZATION, with_scheme("Bearer", &secret))),
            Placement::Dpop => headers.push((AUTHORIZATION, with_scheme("DPoP", &secret))),
            Placement::Basic(user) => {
                let pair = Secret::new([user.as_bytes(), b":", secret.expose()].concat());
                let encoded = Secret::new(STANDARD.encode(pair.expose()));
                headers.push((AUTHORIZATION, with_scheme("Basic", &encoded)));
                scrub.push(encoded);
            }
            // The parser of the grant took only names of fields.
            Placement::Header(name) => match HeaderName::try_from(name) {
                Ok(name) => headers.push((name, secret.clone())),
                Err(_) => return Err(InjectionError::Control),
            },
            Placement::Query(name) => query = Some((name.clone(), secret)),
        }
        if let Some(proof) = proof {
            check(&proof)?;
            headers.push((DPOP, proof.clone()));
            scrub.push(proof);
        }
        Ok(Self { headers, query, scrub })
    }
}

/// Checks that a secret can stand in a field or a query and be found again in a response.
pub(crate) fn check(secret: &Secret) -> Result<(), InjectionError> {
    let bytes = secret.expose();
    if bytes.len() < SHORTEST_SECRET || bytes.len() > LONGEST_SECRET {
        return Err(InjectionError::Length);
    }
    if bytes.iter().any(u8::is_ascii_control) {
        return Err(InjectionError::Control);
    }
    Ok(())
}

fn with_scheme(scheme: &str, value: &Secret) -> Secret {
    Secret::new([scheme.as_bytes(), b" ", value.expose()].concat())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;

    fn placed(place: &str, secret: &str) -> Result<Injection, InjectionError> {
        let proof = (place == "dpop").then(|| Secret::new(*b"the.proof.itself"));
        Injection::place(&Placement::parse(place).unwrap(), Secret::new(secret), proof)
    }

    fn first(injection: &Injection) -> (&str, &[u8]) {
        let (name, value) = &injection.headers[0];
        (name.as_str(), value.expose())
    }

    #[test]
    fn each_place_has_its_form() {
        let secret = "Aladdin's open sesame";
        assert_eq!(
            first(&placed("bearer", secret).unwrap()),
            ("authorization", &b"Bearer Aladdin's open sesame"[..])
        );
        // RFC 7617 §2.
        let basic = placed("basic:Aladdin", "open sesame").unwrap();
        assert_eq!(first(&basic), ("authorization", &b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="[..]));
        let header = placed("header:X-Api-Key", secret).unwrap();
        assert_eq!(first(&header), ("x-api-key", secret.as_bytes()));
        let query = placed("query:key", secret).unwrap();
        assert!(query.headers.is_empty());
        assert_eq!(query.query.unwrap().1.expose(), secret.as_bytes());
        let dpop = placed("dpop", secret).unwrap();
        assert_eq!(first(&dpop), ("authorization", &b"DPoP Aladdin's open sesame"[..]));
        assert_eq!((dpop.headers[1].0.as_str(), dpop.scrub.len()), ("dpop", 2));
    }

    #[test]
    fn a_secret_that_could_begin_another_field_is_refused() {
        for bad in ["secret\r\nx: y", "secret\nxx", "secret\0xx", "secret\x7fxx", "secret\txx"] {
            for place in ["bearer", "basic:me", "header:x-api-key", "query:key"] {
                assert_eq!(placed(place, bad).err(), Some(InjectionError::Control), "{bad:?}");
            }
        }
        for bad in ["", "short", &"a".repeat(LONGEST_SECRET + 1)] {
            assert_eq!(placed("bearer", bad).err(), Some(InjectionError::Length));
        }
    }

    #[test]
    fn a_proof_goes_with_dpop_and_with_nothing_else() {
        let place = |place, proof: Option<Secret>| {
            let secret = Secret::new(*b"long enough");
            Injection::place(&place, secret, proof).err()
        };
        assert_eq!(place(Placement::Dpop, None), Some(InjectionError::Proof));
        let proof = Some(Secret::new(*b"long enough"));
        assert_eq!(place(Placement::Bearer, proof), Some(InjectionError::Proof));
    }

    #[test]
    fn an_injection_is_not_printed() {
        let text = format!("{:?}", placed("basic:me", "hunter2hunter2").unwrap());
        assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg"), "{text}");
    }
}
