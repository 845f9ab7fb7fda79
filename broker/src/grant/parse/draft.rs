//! A grant in the making: every part still knows where it was said.

use super::MOST_ENTRIES;
use super::sink::{At, Sink};
use crate::codes;
use crate::diagnostic::Span;
use crate::grant::{Access, CredentialGrant, DirGrant, Grant, HttpRule, TcpRule};
use crate::limits::Field;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) ttl: Option<At<u64>>,
    pub(super) purpose: Option<String>,
    pub(super) dirs: Vec<Dir>,
    pub(super) http: Vec<At<HttpRule>>,
    /// Where each HTTP rule names its credential.
    pub(super) uses: Vec<Option<Span>>,
    pub(super) tcp: Vec<At<TcpRule>>,
    pub(super) credentials: Vec<At<CredentialGrant>>,
    pub(super) env: BTreeMap<String, At<String>>,
    /// By the name of the bound.
    pub(super) limits: BTreeMap<&'static str, At<u64>>,
    /// The start of the file, or of the first flag; where to point when something is absent.
    pub(super) start: Option<Span>,
}

/// One directory, resolved.
#[derive(Debug, Clone)]
pub(super) struct Dir {
    pub(super) guest: At<String>,
    pub(super) host: At<PathBuf>,
    pub(super) access: Access,
}

impl Draft {
    /// Adds a rule unless the same one stands there already.
    pub(super) fn add_http(&mut self, sink: &mut Sink, rule: At<HttpRule>, uses: Option<Span>) {
        match self.http.iter().find(|other| other.value == rule.value) {
            Some(other) => said_twice(sink, "the same HTTP rule", rule.span, other.span),
            None if self.http.len() >= MOST_ENTRIES => too_many(sink, rule.span, "HTTP rules"),
            None => {
                self.http.push(rule);
                self.uses.push(uses);
            }
        }
    }

    /// Adds a target unless it stands there already.
    pub(super) fn add_tcp(&mut self, sink: &mut Sink, rule: At<TcpRule>) {
        let same = |other: &&At<TcpRule>| {
            other.value.host == rule.value.host && other.value.port == rule.value.port
        };
        match self.tcp.iter().find(same) {
            Some(other) => said_twice(sink, "the same TCP target", rule.span, other.span),
            None if self.tcp.len() >= MOST_ENTRIES => too_many(sink, rule.span, "TCP targets"),
            None => self.tcp.push(rule),
        }
    }

    pub(super) fn into_grant(self) -> Grant {
        let mut grant = Grant {
            ttl: self.ttl.map(|at| Duration::from_millis(at.value)),
            purpose: self.purpose,
            fs: self.dirs.into_iter().map(Dir::into_grant).collect(),
            http: self.http.into_iter().map(|at| at.value).collect(),
            tcp: self.tcp.into_iter().map(|at| at.value).collect(),
            credentials: self.credentials.into_iter().map(|at| at.value).collect(),
            env: self.env.into_iter().map(|(name, at)| (name, at.value)).collect(),
            ..Grant::default()
        };
        for (name, at) in &self.limits {
            if let Some(Field { set, .. }) = crate::limits::field(name) {
                set(&mut grant.limits, at.value);
            }
        }
        grant
    }
}

impl Dir {
    fn into_grant(self) -> DirGrant {
        DirGrant { guest: self.guest.value, host: self.host.value, access: self.access }
    }
}

pub(super) fn too_many(sink: &mut Sink, span: Span, what: &str) {
    sink.error(codes::TOO_MANY, span, format!("a grant has at most {MOST_ENTRIES} {what}"))
        .help("say several in one, or give the task fewer");
}

/// Reports that something was said twice.
pub(super) fn said_twice(sink: &mut Sink, what: &str, again: Span, first: Span) {
    sink.error(codes::TWICE, again, format!("{what} is given twice"))
        .label("given again here")
        .also(first, "first given here")
        .help("keep one of the two; flags only add to what the file says");
}
