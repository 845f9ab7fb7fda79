//! What the command line adds.

use super::draft::Draft;
use super::http::{self, Parts};
use super::sink::{At, Sink};
use super::{Flags, Place, dirs, env, limits, target, task};
use crate::ask::Scheme;
use crate::codes;
use crate::diagnostic::{Origin, Span};
use crate::grant::Access;
use crate::host::{HostError, parse_port, split_port};

/// Reads every flag into the draft.
pub(super) fn read(sink: &mut Sink, draft: &mut Draft, flags: &Flags, place: &Place) {
    for (name, texts, access) in
        [("--read", &flags.read, Access::Read), ("--write", &flags.write, Access::Write)]
    {
        for text in texts {
            let flag = Flag::new(sink, name, text);
            dir(sink, draft, flag, access, place);
        }
    }
    for text in &flags.http {
        let flag = Flag::new(sink, "--http", text);
        http_rule(sink, draft, flag);
    }
    for text in &flags.tcp {
        let flag = Flag::new(sink, "--tcp", text);
        tcp_target(sink, draft, flag);
    }
    for text in &flags.env {
        let flag = Flag::new(sink, "--env", text);
        if let Some((name, value)) = flag.split_once(sink, "=", "--env NAME=VALUE") {
            env::add(sink, draft, name, value);
        }
    }
    for text in &flags.limit {
        let flag = Flag::new(sink, "--limit", text);
        if let Some((name, value)) = flag.split_once(sink, "=", "--limit memory=256MiB") {
            limits::flag(sink, draft, name, value);
        }
    }
    if let Some(text) = &flags.ttl {
        let flag = Flag::new(sink, "--ttl", text);
        task::flag(sink, draft, flag.whole());
    }
    if draft.start.is_none() {
        draft.start = sink.start();
    }
}

/// One flag, registered as a source of its own: its name, a space, its value.
#[derive(Clone, Copy)]
struct Flag<'f> {
    text: &'f str,
    source: usize,
    offset: usize,
}

impl<'f> Flag<'f> {
    fn new(sink: &mut Sink, name: &str, text: &'f str) -> Self {
        let source = sink.add_source(name, format!("{name} {text}"), Origin::Flag);
        Self { text, source, offset: name.len() + 1 }
    }

    fn whole(self) -> At<&'f str> {
        self.part(self.text)
    }

    /// Gives a part of the flag its place.
    fn part(self, part: &'f str) -> At<&'f str> {
        // Both point into the same text, so the difference is the place of the part.
        let start = self.offset + (part.as_ptr() as usize - self.text.as_ptr() as usize);
        At { value: part, span: Span { source: self.source, start, end: start + part.len() } }
    }

    fn split_once(
        self,
        sink: &mut Sink,
        at: &str,
        form: &str,
    ) -> Option<(At<&'f str>, At<&'f str>)> {
        let parts = self.text.split_once(at).map(|(a, b)| (self.part(a), self.part(b)));
        if parts.is_none() {
            self.malformed(sink, form);
        }
        parts
    }

    fn malformed(self, sink: &mut Sink, form: &str) {
        let message = "the flag is not in the form that it needs";
        sink.error(codes::FLAG, self.whole().span, message).help(format!("write {form}"));
    }
}

fn dir(sink: &mut Sink, draft: &mut Draft, flag: Flag<'_>, access: Access, place: &Place) {
    // The last one: a guest path has no `::/` in it that matters, a host path may.
    let Some(at) = flag.text.rfind("::") else {
        return flag
            .malformed(sink, &format!("--{} HOST::GUEST, as in ./web::/src", access.as_str()));
    };
    let (host, guest) = (flag.part(&flag.text[..at]), flag.part(&flag.text[at + 2..]));
    dirs::add(sink, draft, host, guest, access, &place.current_dir, place);
}

fn http_rule(sink: &mut Sink, draft: &mut Draft, flag: Flag<'_>) {
    let mut words = flag.text.split_ascii_whitespace();
    let (methods, url) = match (words.next(), words.next(), words.next()) {
        (Some(url), None, _) => (None, url),
        (Some(methods), Some(url), None) => (Some(methods), url),
        _ => return flag.malformed(sink, "--http 'GET https://api.example.com/path/**'"),
    };
    let (scheme, rest) = match url.split_once("://") {
        Some(("https", rest)) => (Scheme::Https, rest),
        Some(("http", rest)) => (Scheme::Http, rest),
        _ => {
            let span = flag.part(url).span;
            sink.error(codes::BAD_URL, span, "expected a URL with http:// or https://")
                .help("--http 'GET https://api.example.com/path/**'");
            return;
        }
    };
    let path_start = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(path_start);
    if authority.contains('@') {
        let span = flag.part(authority).span;
        sink.error(codes::BAD_HOST, span, HostError::UserInfo.to_string())
            .help("leave out what stands before the \"@\"");
        return;
    }
    let (host, port) = split_port(authority);
    let Some(port) =
        port.map(|text| flag_port(sink, flag.part(text))).map_or(Some(None), |p| p.map(Some))
    else {
        return;
    };
    let methods = methods.map(|list| {
        let each = list.split(',').filter_map(|name| http::method(sink, flag.part(name))).collect();
        At { value: each, span: flag.part(list).span }
    });
    let paths = (!path.is_empty()).then(|| At {
        value: http::path(sink, flag.part(path)).into_iter().collect(),
        span: flag.part(path).span,
    });
    let parts = Parts {
        span: flag.whole().span,
        host: http::host_pattern(sink, flag.part(host)),
        scheme: Some(At { value: scheme, span: flag.part(url).span }),
        port,
        methods,
        paths,
        addresses: Vec::new(),
        credential: None,
    };
    http::add(sink, draft, parts);
}

fn tcp_target(sink: &mut Sink, draft: &mut Draft, flag: Flag<'_>) {
    let (host, Some(port)) = split_port(flag.text) else {
        return flag.malformed(sink, "--tcp HOST:PORT, as in db.example.com:5432");
    };
    let Some(port) = flag_port(sink, flag.part(port)) else { return };
    let host = target::exact_host(sink, flag.part(host));
    target::add(sink, draft, flag.whole().span, host, port, Vec::new());
}

fn flag_port(sink: &mut Sink, text: At<&str>) -> Option<u16> {
    let port = parse_port(text.value).ok();
    if port.is_none() {
        sink.error(codes::BAD_PORT, text.span, "a port is a number from 1 to 65535")
            .help("write it in plain digits, as in db.example.com:5432");
    }
    port
}
