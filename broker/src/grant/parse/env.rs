//! `[env]` and `--env`.

use super::draft::{Draft, said_twice};
use super::sink::{At, Sink};
use super::table::{Table, string};
use crate::codes;

pub(super) fn read(sink: &mut Sink, draft: &mut Draft, table: Table<'_, '_>) {
    for (name, value) in table.entries() {
        if let Some(value) = string(sink, value) {
            add(sink, draft, At { value: name.value.as_str(), span: name.span }, value);
        }
    }
}

/// Adds one variable.
pub(super) fn add(sink: &mut Sink, draft: &mut Draft, name: At<&str>, value: At<&str>) {
    // Masked first: the message about a bad name shows the line that the value stands on.
    if let Some(kind) = credential_kind(value.value) {
        sink.mask(value.span);
        sink.warning(codes::ENV_SECRET, value.span, format!("this value looks like {kind}"))
            .label("the guest will hold it, and can send it wherever the grant lets it")
            .help("prefer a value that is worthless elsewhere; the guest's copy cannot be revoked");
    }
    if name.value.is_empty() || name.value.contains('=') || name.value.chars().any(char::is_control)
    {
        sink.error(codes::ENV_NAME, name.span, "this is no name of an environment variable")
            .help("a name is not empty and has no \"=\" and no control characters");
        return;
    }
    if value.value.contains('\0') {
        sink.error(codes::ENV_VALUE, value.span, "a value cannot contain a null character")
            .help("programs would read the value only up to it");
        return;
    }
    match draft.env.get(name.value) {
        Some(first) => {
            let what = format!("the variable {}", name.value);
            said_twice(sink, &what, name.span, first.span);
        }
        None => drop(draft.env.insert(name.value.to_owned(), value.map(value.value.to_owned()))),
    }
}

/// Says what kind of credential a value looks like, by the shapes that issuers document.
pub(in crate::grant) fn credential_kind(value: &str) -> Option<&'static str> {
    const PREFIXES: &[(&str, usize, &str)] = &[
        ("ghp_", 20, "a GitHub token"),
        ("gho_", 20, "a GitHub token"),
        ("ghs_", 20, "a GitHub token"),
        ("ghu_", 20, "a GitHub token"),
        ("ghr_", 20, "a GitHub token"),
        ("github_pat_", 20, "a GitHub token"),
        ("glpat-", 20, "a GitLab token"),
        ("AKIA", 20, "an AWS access key"),
        ("ASIA", 20, "an AWS access key"),
        ("sk-", 20, "an API key"),
        ("sk_live_", 20, "an API key"),
        ("npm_", 20, "an npm token"),
        ("xoxb-", 10, "a Slack token"),
        ("xoxp-", 10, "a Slack token"),
        ("AIza", 30, "a Google API key"),
    ];
    let value = value.trim();
    if value.contains("-----BEGIN") {
        return Some("a private key or certificate");
    }
    let known = PREFIXES.iter().find(|(prefix, least, _)| {
        value.starts_with(prefix) && value.len() >= *least && !value.contains(char::is_whitespace)
    });
    known.map(|(_, _, kind)| *kind).or_else(|| is_jwt(value).then_some("a JSON web token"))
}

fn is_jwt(value: &str) -> bool {
    let part = |p: &str| {
        !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    let parts: Vec<&str> = value.split('.').collect();
    // A JSON object in base64url starts with `eyJ`.
    parts.len() == 3 && value.starts_with("eyJ") && parts.into_iter().all(part)
}
