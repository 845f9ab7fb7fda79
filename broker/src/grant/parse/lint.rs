//! Warnings about grants that hold but are wider than most tasks need.

use super::draft::{Dir, Draft};
use super::sink::{At, Sink};
use crate::codes;
use crate::grant::{Access, CredentialGrant, HttpRule};
use crate::limits::{Limits, Unit, field};
use crate::pattern::{HostPattern, PathPattern};
use std::path::Path;

/// Above this a ttl is worth a second look, milliseconds: one working day and the night after it.
const LONG_TTL: u64 = 24 * 3_600_000;

/// Above this multiple of its default a limit is worth a second look.
const FAR_ABOVE: u64 = 16;

/// What turns a write into running code elsewhere: hooks, CI definitions, accepted keys.
const TAKEOVER: [&str; 3] = [".git", ".ssh", ".github"];

/// Writing anywhere below these changes what the machine runs.
const SYSTEM: [&str; 7] = ["/bin", "/boot", "/etc", "/lib", "/lib64", "/sbin", "/usr"];

/// These are shared by many services; a folder below is one of them.
const SHARED: [&str; 4] = ["/opt", "/run", "/srv", "/var"];

/// What a read gives away.
const SECRETS: [&str; 11] = [
    ".env",
    ".aws",
    ".ssh",
    ".netrc",
    ".npmrc",
    ".kube",
    ".docker",
    ".gnupg",
    ".git-credentials",
    "id_rsa",
    "id_ed25519",
];

pub(super) fn check(sink: &mut Sink, draft: &Draft) {
    ttl(sink, draft);
    for (name, amount) in &draft.limits {
        limit(sink, name, amount);
    }
    for dir in &draft.dirs {
        directory(sink, dir);
    }
    for rule in &draft.http {
        wide_rule(sink, rule);
    }
    for credential in &draft.credentials {
        unused(sink, draft, credential);
    }
}

fn ttl(sink: &mut Sink, draft: &Draft) {
    match (&draft.ttl, draft.start) {
        (Some(ttl), _) if ttl.value > LONG_TTL => {
            let shown = Unit::Time.show(ttl.value);
            sink.warning(codes::LONG_TTL, ttl.span, format!("the task may live for {shown}")).help(
                "a day is enough for most tasks; rights that end early are worth less to steal",
            );
        }
        (None, Some(start)) => {
            sink.warning(codes::NO_TTL, start, "the task has no ttl")
                .help("add ttl = \"10m\" to [task], or --ttl 10m");
        }
        _ => {}
    }
}

fn limit(sink: &mut Sink, name: &str, amount: &At<u64>) {
    let Some(field) = field(name) else { return };
    let default = (field.get)(&Limits::default());
    if amount.value / FAR_ABOVE >= default && amount.value > default * FAR_ABOVE {
        let (shown, usual) = (field.unit.show(amount.value), field.unit.show(default));
        sink.warning(codes::FAR_ABOVE, amount.span, format!("{name} is far above its default"))
            .label(format!("{shown}, where {usual} is the default"))
            .help("ask for what the task was measured to need");
    }
}

fn directory(sink: &mut Sink, dir: &Dir) {
    let path = dir.host.value.as_path();
    if dir.access == Access::Write
        && let Some(name) = first_of(path, &TAKEOVER)
    {
        let message = format!("the task may write where {name} is");
        sink.warning(codes::TAKEOVER, dir.host.span, message)
            .label("hooks, workflows and keys in it run or open something outside the sandbox")
            .help("grant the directory for reading, and its output directory for writing");
    }
    if dir.access == Access::Write
        && (SYSTEM.iter().any(|system| path.starts_with(system))
            || SHARED.iter().any(|shared| path == Path::new(shared)))
    {
        let message = format!("the task may write where the system keeps {}", path.display());
        sink.warning(codes::SYSTEM_WRITE, dir.host.span, message)
            .label("programs, settings and services outside the sandbox use what is here")
            .help("name the folder that the task needs");
    }
    if let Some(name) = first_of(path, &SECRETS) {
        let message = format!("the task may read {name}");
        sink.warning(codes::SECRETS, dir.host.span, message)
            .label("secrets are usually kept there")
            .help("grant the directories beside it, or move it out");
    }
}

/// Looks for names in the path itself and one level below, by asking for each name: a directory of
/// a million entries costs no more than an empty one.
fn first_of(path: &Path, names: &[&'static str]) -> Option<&'static str> {
    let in_path = |name: &str| path.components().any(|part| part.as_os_str() == name);
    let below = |name: &str| path.join(name).symlink_metadata().is_ok();
    names.iter().copied().find(|name| in_path(name) || below(name))
}

fn wide_rule(sink: &mut Sink, rule: &At<HttpRule>) {
    let HttpRule { host, methods, paths, .. } = &rule.value;
    let changes =
        methods.iter().any(|method| !matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS"));
    let all = paths.iter().any(PathPattern::is_any);
    if matches!(host, HostPattern::Below(_)) && all && changes {
        let message = format!("the rule allows changes to everything at {host}");
        sink.warning(codes::WIDE_RULE, rule.span, message)
            .label("a wildcard, every path, and methods that change things")
            .help("name the host, or the paths, or keep to GET and HEAD");
    }
}

fn unused(sink: &mut Sink, draft: &Draft, credential: &At<CredentialGrant>) {
    let CredentialGrant { name, expose, .. } = &credential.value;
    let used = draft.http.iter().any(|rule| rule.value.credential.as_ref() == Some(name));
    if !used && !expose {
        let message = format!("no rule uses the credential \"{name}\"");
        sink.warning(codes::UNUSED_CREDENTIAL, credential.span, message)
            .label("it is never sent")
            .help(format!(
                "add credential = \"{name}\" to the [[http]] rule that needs it, or remove it"
            ));
    }
}
