//! `[[credential]]`.

use super::MOST_ENTRIES;
use super::amount;
use super::draft::{Draft, said_twice, too_many};
use super::sink::{At, Sink};
use super::table::{Table, wrong_type};
use crate::codes;
use crate::grant::credential::{
    CredentialGrant, CredentialKind, CredentialName, DEFAULT_TTL, Placement, PlacementError, Scope,
};
use crate::limits::Unit;
use crate::text::{is_treacherous, nearest};
use std::time::Duration;
use toml::de::DeValue;

/// The longest audience, scope or resource, bytes: none is known that comes near it.
const LONGEST_WORDS: usize = 1024;

/// Keys under which people write the secret itself.
const HOLDS: [&str; 5] = ["key", "password", "secret", "token", "value"];

pub(super) fn read(sink: &mut Sink, draft: &mut Draft, table: Table<'_, '_>) {
    let known = ["name", "kind", "audience", "scope", "resource", "ttl", "place", "expose"];
    table.refuse_others(sink, &[&known[..], &HOLDS].concat(), &["approval"]);
    refuse_secrets(sink, &table);
    let named = table.required(sink, "name", "\"github\"");
    let named = named.and_then(|text| name(sink, text));
    let kind = table.required(sink, "kind", "\"jwt\"").and_then(|text| kind(sink, text));
    let Some(kind) = kind else { return };
    refuse_what_the_kind_lacks(sink, &table, kind.value);
    let scope = scope(sink, &table, kind.value);
    let ttl = ttl(sink, &table, kind.value);
    let place = place(sink, &table, kind.value);
    let expose = expose(sink, &table, &kind);
    let (Some(name), Some(scope), Some(ttl), Some(place), Some(expose)) =
        (named, scope, ttl, place, expose)
    else {
        return;
    };
    let (span, kind) = (name.span, kind.value);
    let credential = CredentialGrant { name: name.value, kind, scope, ttl, place, expose };
    add(sink, draft, At { value: credential, span });
}

/// Refuses a secret in the grant, and keeps it out of the message that says so.
fn refuse_secrets(sink: &mut Sink, table: &Table<'_, '_>) {
    for value in HOLDS.iter().filter_map(|key| table.get(key)) {
        sink.mask(value.span);
        sink.error(codes::CREDENTIAL_KEY, value.span, "a grant names a credential and never holds one")
            .label("whoever reads the grant would have it")
            .help("let the operator's configuration say where it comes from, and replace this one by another");
    }
}

fn add(sink: &mut Sink, draft: &mut Draft, credential: At<CredentialGrant>) {
    let same = |other: &&At<CredentialGrant>| other.value.name == credential.value.name;
    match draft.credentials.iter().find(same) {
        Some(other) => {
            let what = format!("the credential \"{}\"", credential.value.name);
            said_twice(sink, &what, credential.span, other.span);
        }
        None if draft.credentials.len() >= MOST_ENTRIES => {
            too_many(sink, credential.span, "credentials");
        }
        None => draft.credentials.push(credential),
    }
}

/// Reads the name of a credential, where it is defined and where a rule uses it.
pub(super) fn name(sink: &mut Sink, text: At<&str>) -> Option<At<CredentialName>> {
    match CredentialName::parse(text.value) {
        Ok(name) => Some(text.map(name)),
        Err(error) => {
            sink.error(codes::CREDENTIAL_NAME, text.span, error.to_string())
                .help("write it as \"github\" or \"build-db\"");
            None
        }
    }
}

fn kind(sink: &mut Sink, text: At<&str>) -> Option<At<CredentialKind>> {
    let words = CredentialKind::ALL.map(CredentialKind::as_str);
    let known = CredentialKind::ALL.into_iter().find(|kind| kind.as_str() == text.value);
    if known.is_none() {
        let message = format!("there is no kind of credential \"{}\"", text.value);
        let help = match nearest(text.value, words) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("the kinds are: {}", words.join(", ")),
        };
        sink.error(codes::BAD_WORD, text.span, message).help(help);
    }
    known.map(|kind| text.map(kind))
}

/// Refuses keys that nothing would hold the kind to.
fn refuse_what_the_kind_lacks(sink: &mut Sink, table: &Table<'_, '_>, kind: CredentialKind) {
    let (keys, why): (&[&str], _) = match kind {
        CredentialKind::Secret => (
            &["audience", "scope", "resource", "ttl"],
            "a static secret is what it is: nothing can narrow it or end it early",
        ),
        CredentialKind::Postgres => (
            &["audience", "scope", "place"],
            "a database role is no part of a request, and its rights are the operator's to name",
        ),
        CredentialKind::GithubApp => (&["audience"], "an installation token has no audience"),
        CredentialKind::Jwt | CredentialKind::Oauth => (&[], ""),
    };
    for key in keys {
        if let Some(value) = table.get(key) {
            let kind = kind.as_str();
            let message = format!("a credential of kind \"{kind}\" has no \"{key}\"");
            sink.error(codes::CREDENTIAL_KEY, value.span, message).label(why).help("remove it");
        }
    }
}

fn scope(sink: &mut Sink, table: &Table<'_, '_>, kind: CredentialKind) -> Option<Scope> {
    let audience = if kind == CredentialKind::Jwt {
        table.required(sink, "audience", "\"https://api.example.com\"")
    } else {
        table.string(sink, "audience")
    };
    let missing = kind == CredentialKind::Jwt && audience.is_none();
    let audience = words(sink, "an audience", audience, is_audience);
    let (actions, resource) = (table.string(sink, "scope"), table.string(sink, "resource"));
    let actions = words(sink, "a scope", actions, is_scope);
    let resource = words(sink, "a resource", resource, is_resource);
    if missing {
        return None;
    }
    Some(Scope {
        audience: audience?.map(str::to_owned),
        actions: actions?
            .unwrap_or_default()
            .split(' ')
            .filter(|w| !w.is_empty())
            .map(str::to_owned)
            .collect(),
        resource: resource?.map(str::to_owned),
    })
}

/// Checks a text; the outer `None` is an error that was reported, the inner one an absent key.
#[expect(clippy::option_option, reason = "absent and wrong lead to different grants")]
fn words<'t>(
    sink: &mut Sink,
    what: &str,
    text: Option<At<&'t str>>,
    fits: impl Fn(&str) -> bool,
) -> Option<Option<&'t str>> {
    let Some(text) = text else { return Some(None) };
    if !text.value.is_empty() && text.value.len() <= LONGEST_WORDS && fits(text.value) {
        return Some(Some(text.value));
    }
    let help = match what {
        "a scope" => "write words with one space between them, as in \"repo:read issues\"",
        "an audience" => "write what the server calls itself, such as \"https://api.example.com\"",
        _ => "write it as its issuer does, without control characters",
    };
    let message = format!("this is not {what}");
    sink.error(codes::CREDENTIAL_SCOPE, text.span, message).help(help);
    None
}

/// RFC 7519 §2 StringOrURI, without what no server compares well: white space.
fn is_audience(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic())
}

/// RFC 6749 §3.3.
fn is_scope(text: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
    };
    text.split(' ').all(word)
}

fn is_resource(text: &str) -> bool {
    !text.chars().any(is_treacherous)
}

fn ttl(sink: &mut Sink, table: &Table<'_, '_>, kind: CredentialKind) -> Option<Duration> {
    let (Some(value), Some(longest)) = (table.get("ttl"), kind.longest_ttl()) else {
        return Some(DEFAULT_TTL);
    };
    let ttl = amount::from_toml(sink, value, Unit::Time)?;
    let asked = Duration::from_millis(ttl.value);
    if asked.subsec_nanos() != 0 {
        sink.error(codes::AMOUNT, ttl.span, "a credential lasts for whole seconds")
            .help("write it as \"60s\"");
        return None;
    }
    if asked > longest {
        let shown = Unit::Time.show(u64::try_from(longest.as_millis()).unwrap_or(u64::MAX));
        let message = format!("a credential of kind \"{}\" lasts {shown} at most", kind.as_str());
        sink.error(codes::TOO_MUCH, ttl.span, message)
            .help("the host renews it while the task runs; a short life costs the tool nothing");
        return None;
    }
    Some(asked)
}

fn place(sink: &mut Sink, table: &Table<'_, '_>, kind: CredentialKind) -> Option<Placement> {
    if !kind.is_injected() {
        return Some(Placement::default());
    }
    let Some(text) = table.string(sink, "place") else {
        return table.get("place").is_none().then(Placement::default);
    };
    match Placement::parse(text.value) {
        Ok(Placement::Dpop) if kind != CredentialKind::Jwt => {
            let message = "only a token of kind \"jwt\" is bound to a key that can make proofs";
            sink.error(codes::PLACEMENT, text.span, message).help("write place = \"bearer\"");
            None
        }
        Ok(place) => Some(place),
        Err(error) => {
            if error == PlacementError::User {
                // What follows a second colon is likely a password.
                sink.mask(text.span);
            }
            let help = match error {
                PlacementError::Unknown => guess(text.value),
                PlacementError::ManagedHeader => {
                    "name the field that the server's documentation names, such as x-api-key"
                        .to_owned()
                }
                _ => PlacementError::Unknown.to_string(),
            };
            sink.error(codes::PLACEMENT, text.span, error.to_string()).help(help);
            None
        }
    }
}

fn guess(text: &str) -> String {
    let word = text.split(':').next().unwrap_or_default();
    match nearest(word, ["bearer", "dpop", "header", "query", "basic"]) {
        Some(near @ ("bearer" | "dpop")) => format!("did you mean \"{near}\"?"),
        Some(near) => format!("did you mean \"{near}:NAME\"?"),
        None => "leave it out for an Authorization field with a bearer token".to_owned(),
    }
}

fn expose(sink: &mut Sink, table: &Table<'_, '_>, kind: &At<CredentialKind>) -> Option<bool> {
    let (exposed, span) = match table.get("expose") {
        None => (false, kind.span),
        Some(At { value: DeValue::Boolean(exposed), span }) => (*exposed, span),
        Some(value) => {
            wrong_type(sink, value, "true or false");
            return None;
        }
    };
    let word = kind.value.as_str();
    match (exposed, kind.value.is_injected()) {
        (true, true) => {
            let message = format!("a credential of kind \"{word}\" cannot be exposed");
            sink.error(codes::EXPOSE, span, message)
                .label("the host puts it into requests, so the tool has no need to hold it")
                .help("remove expose, and name the credential in the [[http]] rules that need it");
            None
        }
        (false, false) => {
            let message = format!("a credential of kind \"{word}\" is of no use without expose");
            sink.error(codes::EXPOSE, span, message)
                .label("the host cannot put it into anything: the tool itself has to hold it")
                .help("add expose = true if the tool may hold a role that is dropped when the task ends");
            None
        }
        _ => Some(exposed),
    }
}
