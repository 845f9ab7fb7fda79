//! What a rule may say about hosts and paths. There are few wildcards, and each has one meaning.

use crate::host::{Host, HostError};
use crate::path::{PathError, RequestPath, check_path, same_segment};
use std::fmt;

/// One host, or every name below a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// Exactly this host.
    Exact(Host),
    /// `*.example.com`: one or more labels before the domain; never the domain itself.
    Below(String),
}

/// Why a text is not a host pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostPatternError {
    /// The host itself is malformed.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A `*` that is not the whole first label, or stands alone.
    #[error("a wildcard is the whole first label of a name, as in \"*.example.com\"")]
    Wildcard,
    /// A wildcard before an address.
    #[error("an address cannot have a wildcard")]
    Address,
    /// A wildcard below a public suffix or a single label: it would cover names of strangers.
    #[error("\"{0}\" is a public suffix: below it anybody can register a name")]
    PublicSuffix(String),
}

impl HostPattern {
    /// Parses an exact host or `*.` and a domain that somebody can own.
    pub fn parse(text: &str) -> Result<Self, HostPatternError> {
        let Some(domain) = text.strip_prefix("*.") else {
            if text.contains('*') {
                return Err(HostPatternError::Wildcard);
            }
            return Ok(Self::Exact(Host::parse(text)?));
        };
        if domain.contains('*') {
            return Err(HostPatternError::Wildcard);
        }
        match Host::parse(domain)? {
            Host::Address(_) => Err(HostPatternError::Address),
            Host::Name(name) if is_public_suffix(&name) => {
                Err(HostPatternError::PublicSuffix(name))
            }
            Host::Name(name) => Ok(Self::Below(name)),
        }
    }

    /// Reports whether the pattern covers the host.
    pub fn matches(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Exact(exact), _) => exact == host,
            (Self::Below(domain), Host::Name(name)) => name
                .strip_suffix(domain.as_str())
                .and_then(|labels| labels.strip_suffix('.'))
                .is_some_and(|labels| !labels.is_empty()),
            (Self::Below(_), Host::Address(_)) => false,
        }
    }

    /// Reports whether there is a host that both patterns cover.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(host), pattern) | (pattern, Self::Exact(host)) => pattern.matches(host),
            (Self::Below(a), Self::Below(b)) => {
                let below = |inner: &str, outer: &str| {
                    inner
                        .strip_suffix(outer)
                        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                };
                below(a, b) || below(b, a)
            }
        }
    }

    /// Reports whether the pattern covers every host that the other one covers.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (pattern, Self::Exact(host)) => pattern.matches(host),
            (Self::Below(outer), Self::Below(inner)) => inner
                .strip_suffix(outer.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
            (Self::Exact(_), Self::Below(_)) => false,
        }
    }

    /// Returns the pattern of the hosts that both patterns cover.
    pub fn meet<'p>(&'p self, other: &'p Self) -> Option<&'p Self> {
        // Patterns are nested or apart: one that overlaps another covers it, or is covered.
        if self.covers(other) { Some(other) } else { other.covers(self).then_some(self) }
    }
}

/// Reports whether strangers can register names directly below a name.
///
/// A single label counts by the list's default rule, and so does a name below which every label is
/// a suffix of its own (the list's `*.kawasaki.jp`).
pub(crate) fn is_public_suffix(name: &str) -> bool {
    let is_suffix = |n: &str| psl::suffix_str(n).is_none_or(|suffix| suffix.len() == n.len());
    is_suffix(name) || is_suffix(&format!("any.{name}"))
}

/// Reports whether a name stands in the public suffix list itself.
pub(crate) fn is_known_suffix(name: &str) -> bool {
    psl::suffix(name.as_bytes())
        .is_some_and(|suffix| suffix.is_known() && suffix.as_bytes().len() == name.len())
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => host.fmt(f),
            Self::Below(domain) => write!(f, "*.{domain}"),
        }
    }
}

/// A pattern over the segments of a path. `*` is one segment that is not empty; `**` at the end is
/// any number of segments, none included. The query is never matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    segments: Vec<String>,
    open_end: bool,
}

/// Why a text is not a path pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathPatternError {
    /// The text around the wildcards is no path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A `*` inside a segment, or a `**` that is not the last segment.
    #[error("\"*\" is a whole segment and \"**\" is the whole last segment")]
    Wildcard,
    /// A query, which rules cannot speak of.
    #[error("a rule cannot speak of the query: every query is allowed")]
    Query,
}

impl PathPattern {
    /// Parses a pattern; the text around the wildcards follows the rules of [`RequestPath::parse`].
    pub fn parse(text: &str) -> Result<Self, PathPatternError> {
        if text.contains('?') {
            return Err(PathPatternError::Query);
        }
        check_path(text)?;
        let mut segments: Vec<String> = text[1..].split('/').map(str::to_owned).collect();
        let open_end = segments.last().is_some_and(|last| last == "**");
        if open_end {
            segments.pop();
        }
        if segments.iter().any(|segment| segment.contains('*') && segment != "*") {
            return Err(PathPatternError::Wildcard);
        }
        Ok(Self { segments, open_end })
    }

    /// Returns the pattern that matches every path.
    pub fn any() -> Self {
        Self { segments: Vec::new(), open_end: true }
    }

    /// Reports whether this is the pattern that matches every path.
    pub fn is_any(&self) -> bool {
        self.open_end && self.segments.is_empty()
    }

    /// Reports whether the pattern covers the path; the query plays no part.
    pub fn matches(&self, path: &RequestPath) -> bool {
        let mut sent = path.segments();
        for wanted in &self.segments {
            let Some(segment) = sent.next() else { return false };
            let fits =
                if wanted == "*" { !segment.is_empty() } else { same_segment(wanted, segment) };
            if !fits {
                return false;
            }
        }
        self.open_end || sent.next().is_none()
    }

    /// Reports whether there is a path that both patterns cover.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (a, b) = (&self.segments, &other.segments);
        let meet = |(a, b): (&String, &String)| match (a.as_str(), b.as_str()) {
            ("*", segment) | (segment, "*") => !segment.is_empty(),
            (a, b) => same_segment(a, b),
        };
        a.iter().zip(b).all(meet)
            && (a.len() <= b.len() || other.open_end)
            && (b.len() <= a.len() || self.open_end)
    }

    /// Reports whether the pattern covers every path that the other one covers.
    pub fn covers(&self, other: &Self) -> bool {
        let (outer, inner) = (&self.segments, &other.segments);
        let fits = |(outer, inner): (&String, &String)| match (outer.as_str(), inner.as_str()) {
            ("*", segment) => !segment.is_empty(),
            (_, "*") => false,
            (outer, inner) => same_segment(outer, inner),
        };
        let long_enough = outer.len() <= inner.len();
        let ends = self.open_end || (outer.len() == inner.len() && !other.open_end);
        long_enough && ends && outer.iter().zip(inner).all(fits)
    }

    /// Returns the pattern of the paths that both patterns cover.
    pub fn meet(&self, other: &Self) -> Option<Self> {
        if !self.overlaps(other) {
            return None;
        }
        let (long, short) =
            if self.segments.len() >= other.segments.len() { (self, other) } else { (other, self) };
        let mut segments = long.segments.clone();
        for (segment, narrower) in segments.iter_mut().zip(&short.segments) {
            if segment == "*" {
                segment.clone_from(narrower);
            }
        }
        let same_length = long.segments.len() == short.segments.len();
        Some(Self { segments, open_end: long.open_end && (short.open_end || !same_length) })
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.open_end.then_some("**");
        for segment in self.segments.iter().map(String::as_str).chain(end) {
            write!(f, "/{segment}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "pattern_tests.rs"]
mod tests;
