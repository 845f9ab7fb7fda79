//! Puts a credential into a request that was decided and admitted, and nowhere else.
//!
//! What goes out is what was decided plus the injection: fields that the guest may not set, or a
//! parameter at the end of the query. The record shows the target without it.

use super::check::Allowed;
use super::exchange::Exchange;
use super::failure::Failure;
use super::headers::ForbiddenField;
use super::http::{Outgoing, Route};
use super::link::Link;
use super::pool::{Origin, Upstream};
use crate::authority::{CredentialAsk, Nonce};
use crate::injection::{self, DPOP, Injection};
use crate::scrub::Patterns;
use crate::secret::Secret;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, WWW_AUTHENTICATE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use hyper::body::Incoming;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use writ_broker::grant::{CredentialName, Placement};
use writ_broker::{Grant, HttpAsk, codes};
use zeroize::Zeroizing;

/// The origins whose nonces one task remembers; a task that meets more asks once more at each.
const MOST_NONCES: usize = 64;

/// Everything but RFC 3986 `unreserved`: no reader takes what is left for anything but itself.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The credential of one request.
pub(super) struct Injector {
    place: Placement,
    ask: CredentialAsk,
}

/// A request that was sent with its credential, and what must not come back.
pub(super) type Carried = (Upstream, Response<Incoming>, Arc<Patterns>);

impl Injector {
    /// Prepares the injection of the credential that was decided on.
    pub(super) fn new(grant: &Grant, name: CredentialName, request: &HttpAsk) -> Option<Self> {
        let place = grant.credential(&name)?.place.clone();
        Some(Self {
            place,
            ask: CredentialAsk { credential: name, request: request.clone(), nonce: None },
        })
    }

    /// Returns the name of the credential.
    pub(super) fn credential(&self) -> &CredentialName {
        &self.ask.credential
    }

    /// Refuses a request in which the guest speaks where the host is to speak.
    pub(super) fn check(&self, fields: &HeaderMap) -> Result<(), ForbiddenField> {
        let refuse = |reason| Err(ForbiddenField { code: codes::MANAGED, reason });
        if let Some(name) = self.names().into_iter().find(|name| fields.contains_key(name)) {
            return refuse(format!("a tool may not set {name} here: the host fills it in"));
        }
        if let Placement::Query(name) = &self.place
            && has_parameter(self.ask.request.path.as_sent(), name)
        {
            return refuse(format!(
                "a tool may not set the parameter {name}: the host fills it in"
            ));
        }
        Ok(())
    }

    /// The fields that only the host may set on this request. `authorization` and `dpop` are among
    /// them wherever the credential goes: a server that sees two credentials picks one.
    fn names(&self) -> Vec<HeaderName> {
        let own = match &self.place {
            Placement::Header(name) => HeaderName::try_from(name).ok(),
            _ => None,
        };
        [AUTHORIZATION, DPOP].into_iter().chain(own).collect()
    }

    /// Sends the request with its credential; once more if the server wants its nonce in the proof.
    pub(super) async fn send(
        mut self,
        link: &Link,
        outgoing: &mut Outgoing,
        route: Route,
        allowed: &Allowed<'_>,
        exchange: &Arc<Exchange>,
    ) -> Result<Carried, Failure> {
        exchange.keep_from_trailers(self.names());
        // A body that was begun is gone. Only an empty one can be sent again.
        let again = exchange.outgoing.at_end();
        self.ask.nonce = link.nonces.of(&outgoing.origin);
        let patterns = self.put_into(link, outgoing).await?;
        let (upstream, response) = outgoing.deliver(link, route, allowed, exchange).await?;
        let nonce = self.new_nonce(&response);
        if let Some(nonce) = &nonce {
            link.nonces.remember(&outgoing.origin, nonce.clone());
        }
        // The nonce that was just refused would be refused again.
        let news = nonce.is_some() && nonce != self.ask.nonce;
        if !again || !news || !wants_nonce(&response) {
            return Ok((upstream, response, patterns));
        }
        drop((upstream, response));
        self.ask.nonce = nonce;
        let patterns = self.put_into(link, outgoing).await?;
        let route = outgoing.route(link, allowed).await?;
        let (upstream, response) = outgoing.deliver(link, route, allowed, exchange).await?;
        if let Some(nonce) = self.new_nonce(&response) {
            link.nonces.remember(&outgoing.origin, nonce);
        }
        Ok((upstream, response, patterns))
    }

    /// Asks the authority for the credential and puts it in; returns what must not come back.
    async fn put_into(
        &self,
        link: &Link,
        outgoing: &mut Outgoing,
    ) -> Result<Arc<Patterns>, Failure> {
        let injection = link.meter.credential(&self.ask).await?;
        self.apply(link, &injection, outgoing)
            .map_err(|reason| link.meter.refuse(self.ask.refusal(&reason)))
    }

    fn apply(
        &self,
        link: &Link,
        injection: &Injection,
        outgoing: &mut Outgoing,
    ) -> Result<Arc<Patterns>, String> {
        let secrets = sent(injection);
        for secret in &secrets {
            injection::check(secret).map_err(|error| error.to_string())?;
        }
        let patterns = link.prepared.patterns(secrets);
        let patterns = patterns.ok_or("it is too short to be told from other text")?;
        let names = self.names();
        for (name, secret) in &injection.headers {
            let value = HeaderValue::from_bytes(secret.expose());
            let (Ok(mut value), true) = (value, names.contains(name)) else {
                return Err(format!("it cannot be put into the field {name}"));
            };
            value.set_sensitive(true);
            outgoing.headers.insert(name.clone(), value);
        }
        // A coding would hide the secret from whoever looks for it in the response.
        outgoing.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some((name, secret)) = &injection.query {
            outgoing.path = with_parameter(self.ask.request.path.as_sent(), name, secret)?;
        }
        Ok(patterns)
    }

    fn new_nonce(&self, response: &Response<Incoming>) -> Option<Nonce> {
        let nonce = response.headers().get("dpop-nonce")?;
        (self.place == Placement::Dpop).then(|| Nonce::parse(nonce.as_bytes()))?
    }
}

/// Everything that is sent: the bare secrets, and what stands on the wire for them. A server that
/// encodes what it repeats starts from the latter.
fn sent(injection: &Injection) -> Vec<Secret> {
    let mut secrets = injection.scrub.clone();
    let query = injection.query.iter().flat_map(|(_, value)| [value.clone(), escaped(value)]);
    for value in injection.headers.iter().map(|(_, value)| value.clone()).chain(query) {
        let bytes = value.expose();
        let inside = |secret: &Secret| {
            bytes.windows(secret.expose().len().max(1)).any(|part| part == secret.expose())
        };
        if !secrets.iter().any(inside) {
            secrets.push(value);
        }
    }
    secrets
}

fn escaped(secret: &Secret) -> Secret {
    Secret::new(percent_encode(secret.expose(), ESCAPED).to_string())
}

/// Reports whether a query has a parameter, in any spelling that a server may take for its name.
fn has_parameter(target: &str, name: &str) -> bool {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    query.split(['&', ';']).any(|pair| {
        let key = pair.split('=').next().unwrap_or_default().replace('+', " ");
        let key = percent_decode_str(&key).decode_utf8_lossy().into_owned();
        // Some servers read `key[]`, `key%00x` and ` key` as `key`, and some ignore case.
        let key = key.split(['[', '\0']).next().unwrap_or_default().trim();
        key.eq_ignore_ascii_case(name)
    })
}

/// Appends a parameter; what was decided stays as it is, byte for byte.
fn with_parameter(target: &str, name: &str, secret: &Secret) -> Result<PathAndQuery, String> {
    let joint = match target.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    let value = percent_encode(secret.expose(), ESCAPED);
    let text = Zeroizing::new(format!("{target}{joint}{name}={value}"));
    // The error of the parser is not passed on: it is about a text with the secret in it.
    PathAndQuery::try_from(text.as_str()).map_err(|_| "it makes the target too long".to_owned())
}

/// RFC 9449 §9: a challenge of the scheme `DPoP` with the error `use_dpop_nonce`.
fn wants_nonce(response: &Response<Incoming>) -> bool {
    response.status() == StatusCode::UNAUTHORIZED
        && response.headers().get_all(WWW_AUTHENTICATE).iter().any(|challenge| {
            let text = challenge.to_str().unwrap_or_default().to_ascii_lowercase();
            text.contains("dpop") && text.contains("use_dpop_nonce")
        })
}

/// The last nonce of each origin of one task.
#[derive(Default)]
pub(super) struct Nonces(Mutex<HashMap<Origin, Nonce>>);

impl Nonces {
    fn of(&self, origin: &Origin) -> Option<Nonce> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(origin).cloned()
    }

    fn remember(&self, origin: &Origin, nonce: Nonce) {
        let mut nonces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if nonces.len() >= MOST_NONCES && !nonces.contains_key(origin) {
            nonces.clear();
        }
        nonces.insert(origin.clone(), nonce);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;

    #[test]
    fn a_parameter_is_seen_in_every_spelling_of_its_name() {
        for target in [
            "/?key=1",
            "/?a=1&key",
            "/?KEY=1",
            "/?%6bey=1",
            "/?a;key=1",
            "/?key[]=1",
            "/?+key=1",
            "/?key%00x=1",
        ] {
            assert!(has_parameter(target, "key"), "{target}");
        }
        for target in ["/key=1", "/", "/?monkey=1", "/?a=key", "/?keys=1", "/?a=1&&b"] {
            assert!(!has_parameter(target, "key"), "{target}");
        }
    }

    #[test]
    fn a_parameter_is_appended_to_what_was_decided() {
        let secret = Secret::new(*b"a/b+c d&e=f#g");
        for (target, joint) in [("/a", "?"), ("/a?", ""), ("/a?b=c", "&"), ("/a?b&", "")] {
            let path = with_parameter(target, "key", &secret).unwrap();
            assert_eq!(path.as_str(), format!("{target}{joint}key=a%2Fb%2Bc%20d%26e%3Df%23g"));
        }
        let long = format!("/{}", "a".repeat(65_000));
        let error = with_parameter(&long, "key", &Secret::new("s".repeat(900))).unwrap_err();
        assert!(!error.contains("sss"));
    }

    #[test]
    fn a_task_remembers_a_bounded_number_of_nonces() {
        use writ_broker::ask::Scheme;
        use writ_broker::host::{Authority, Host};
        let origin = |n: usize| {
            let authority = Authority { host: Host::Name(format!("h{n}.test")), port: 443 };
            Origin { scheme: Scheme::Https, authority, credential: None }
        };
        let nonces = Nonces::default();
        for n in 0..=MOST_NONCES {
            nonces.remember(&origin(n), Nonce::parse(b"n").unwrap());
        }
        assert!(nonces.0.lock().unwrap().len() <= MOST_NONCES);
        assert!(nonces.of(&origin(MOST_NONCES)).is_some());
    }
}
