#![expect(clippy::unwrap_used, reason = "a test may fail")]
use super::*;
use proptest::prelude::*;

fn host(pattern: &str, host: &str) -> bool {
    HostPattern::parse(pattern).unwrap().matches(&Host::parse(host).unwrap())
}

fn path(pattern: &str, path: &str) -> bool {
    PathPattern::parse(pattern).unwrap().matches(&RequestPath::parse(path).unwrap())
}

#[test]
fn an_exact_host_matches_itself_in_every_spelling_and_nothing_else() {
    assert!(host("api.github.com", "API.github.com."));
    assert!(!host("api.github.com", "x.api.github.com"));
    assert!(!host("api.github.com", "api.github.com.evil.example"));
    assert!(!host("api.github.com", "apiXgithub.com"));
}

#[test]
fn a_wildcard_covers_one_or_more_labels_but_not_the_domain() {
    assert!(host("*.example.com", "a.example.com"));
    assert!(host("*.example.com", "a.b.example.com"));
    assert!(!host("*.example.com", "example.com"));
    assert!(!host("*.example.com", "evilexample.com"));
    assert!(!host("*.example.com", "a.example.com.evil.example"));
    assert!(!host("*.example.com", "[::2]"));
}

#[test]
fn a_wildcard_over_strangers_is_refused() {
    for text in [
        "*.com",
        "*.co.uk",
        "*.github.io",
        "*.internal",
        "*.COM.",
        "*.公司.cn",
        "*.ck",
        "*.s3.amazonaws.com",
        "*.xn--55qx5d.cn",
        "*.kawasaki.jp",
    ] {
        let error = HostPattern::parse(text).unwrap_err();
        assert!(matches!(error, HostPatternError::PublicSuffix(_)), "{text}: {error}");
    }
    assert!(HostPattern::parse("*.acme.github.io").is_ok());
    assert!(HostPattern::parse("*.ci.internal").is_ok());
}

#[test]
fn a_wildcard_stands_only_as_the_first_label() {
    for text in
        ["*", "a*.example.com", "a.*.example.com", "**.example.com", "*.*.example.com", "*x"]
    {
        assert_eq!(HostPattern::parse(text), Err(HostPatternError::Wildcard), "{text}");
    }
    assert_eq!(HostPattern::parse("*.10.0.0.1"), Err(HostPatternError::Address));
    assert_eq!(HostPattern::parse("*.[::1]"), Err(HostPatternError::Address));
    assert_eq!(HostPattern::parse("*."), Err(HostPatternError::Host(HostError::Length)));
}

#[test]
fn a_literal_path_matches_only_itself() {
    assert!(path("/a/b", "/a/b"));
    assert!(path("/a/b", "/a/b?c=d"));
    assert!(!path("/a/b", "/a/b/"));
    assert!(!path("/a/b", "/a"));
    assert!(!path("/a/b", "/a/b/c"));
    assert!(!path("/a/b", "/A/b"));
    assert!(path("/", "/"));
    assert!(!path("/", "/a"));
}

#[test]
fn a_star_is_exactly_one_segment() {
    assert!(path("/a/*", "/a/b"));
    assert!(!path("/a/*", "/a/"));
    assert!(!path("/a/*", "/a"));
    assert!(!path("/a/*", "/a/b/c"));
    assert!(path("/*/c", "/a/c"));
}

#[test]
fn two_stars_at_the_end_are_any_number_of_segments_none_included() {
    for sent in ["/a", "/a/", "/a/b", "/a/b/c"] {
        assert!(path("/a/**", sent), "{sent}");
    }
    assert!(!path("/a/**", "/ab"));
    assert!(!path("/a/**", "/"));
    assert!(path("/**", "/"));
    assert!(path("/**", "/a/b"));
}

#[test]
fn hexadecimal_case_does_not_matter_in_a_rule() {
    assert!(path("/caf%c3%a9", "/caf%C3%A9"));
}

#[test]
fn a_pattern_with_any_other_wildcard_is_refused() {
    for text in ["/a*", "/a/**/b", "/***", "/**/", "/a/b**", "/*.js"] {
        assert_eq!(PathPattern::parse(text), Err(PathPatternError::Wildcard), "{text}");
    }
    assert_eq!(PathPattern::parse("/a?b=*"), Err(PathPatternError::Query));
    assert!(PathPattern::parse("a").is_err());
    assert!(PathPattern::parse("/a/../b").is_err());
    assert!(PathPattern::parse("/a//b").is_err());
    assert!(PathPattern::parse("").is_err());
}

#[test]
fn patterns_overlap_when_one_host_or_path_fits_both() {
    let hosts = |a: &str, b: &str| {
        let (a, b) = (HostPattern::parse(a).unwrap(), HostPattern::parse(b).unwrap());
        assert_eq!(a.overlaps(&b), b.overlaps(&a));
        a.overlaps(&b)
    };
    assert!(hosts("a.acme.example", "A.acme.example."));
    assert!(hosts("a.acme.example", "*.acme.example"));
    assert!(hosts("*.b.acme.example", "*.acme.example"));
    assert!(!hosts("acme.example", "*.acme.example"));
    assert!(!hosts("*.xacme.example", "*.acme.example"));
    let paths = |a: &str, b: &str| {
        let (a, b) = (PathPattern::parse(a).unwrap(), PathPattern::parse(b).unwrap());
        assert_eq!(a.overlaps(&b), b.overlaps(&a));
        a.overlaps(&b)
    };
    assert!(paths("/a/*", "/*/b") && paths("/a/**", "/a") && paths("/a/**", "/**"));
    assert!(!paths("/a/*", "/a/") && !paths("/a/*", "/a") && !paths("/a/**", "/b/**"));
}

#[test]
fn a_pattern_covers_itself_and_what_is_narrower() {
    let hosts =
        |a: &str, b: &str| HostPattern::parse(a).unwrap().covers(&HostPattern::parse(b).unwrap());
    assert!(hosts("a.acme.example", "A.acme.example."));
    assert!(hosts("*.acme.example", "a.acme.example"));
    assert!(hosts("*.acme.example", "*.acme.example"));
    assert!(hosts("*.acme.example", "*.b.acme.example"));
    assert!(!hosts("*.b.acme.example", "*.acme.example"));
    assert!(!hosts("*.acme.example", "acme.example"));
    assert!(!hosts("*.acme.example", "*.xacme.example"));
    assert!(!hosts("a.acme.example", "*.acme.example"));
    let paths =
        |a: &str, b: &str| PathPattern::parse(a).unwrap().covers(&PathPattern::parse(b).unwrap());
    for (outer, inner) in [
        ("/**", "/"),
        ("/**", "/**"),
        ("/a/**", "/a"),
        ("/a/**", "/a/"),
        ("/a/**", "/a/*/**"),
        ("/*", "/a"),
        ("/*/b", "/a/b"),
        ("/*/**", "/a/**"),
        ("/caf%c3%a9", "/caf%C3%A9"),
    ] {
        assert!(paths(outer, inner), "{outer} {inner}");
    }
    for (outer, inner) in [
        ("/a", "/a/"),
        ("/a", "/a/**"),
        ("/a/*", "/a/"),
        ("/a/*", "/a/**"),
        ("/a/*", "/a/*/**"),
        ("/a/*/**", "/a/**"),
        ("/a", "/*"),
        ("/a/b", "/*/b"),
        ("/*", "/"),
        ("/*/**", "/**"),
    ] {
        assert!(!paths(outer, inner), "{outer} {inner}");
    }
}

proptest! {
    #[test]
    fn a_path_fits_both_patterns_exactly_if_it_fits_where_they_meet(
        a in "(/([ab]|\\*)){0,3}(/|/\\*\\*)?",
        b in "(/([ab]|\\*)){0,3}(/|/\\*\\*)?",
        sent in "(/[ab]){0,4}/?",
    ) {
        let (Ok(a), Ok(b)) = (PathPattern::parse(&a), PathPattern::parse(&b)) else { return Ok(()) };
        let Ok(sent) = RequestPath::parse(&sent) else { return Ok(()) };
        let meet = a.meet(&b);
        let fits = meet.as_ref().is_some_and(|meet| meet.matches(&sent));
        prop_assert_eq!(fits, a.matches(&sent) && b.matches(&sent));
        prop_assert!(meet.is_none_or(|meet| a.covers(&meet) && b.covers(&meet)));
        prop_assert!(!a.covers(&b) || !b.matches(&sent) || a.matches(&sent));
        prop_assert_eq!(a.covers(&b), a.meet(&b) == Some(b));
    }

    #[test]
    fn two_patterns_that_a_path_fits_overlap(
        a in "(/([ab]|\\*)){0,3}(/|/\\*\\*)?",
        b in "(/([ab]|\\*)){0,3}(/|/\\*\\*)?",
        sent in "(/[ab]){0,4}/?",
    ) {
        let (Ok(a), Ok(b)) = (PathPattern::parse(&a), PathPattern::parse(&b)) else { return Ok(()) };
        let Ok(sent) = RequestPath::parse(&sent) else { return Ok(()) };
        prop_assert!(!(a.matches(&sent) && b.matches(&sent)) || a.overlaps(&b));
    }

    #[test]
    fn a_pattern_is_its_own_text(text in "(/([a-c]{1,2}|\\*)){0,4}(/|/\\*\\*)?") {
        if let Ok(pattern) = PathPattern::parse(&text) {
            prop_assert_eq!(pattern.to_string(), text);
        }
    }

    #[test]
    fn a_host_pattern_is_its_own_canonical_form(text in "(\\*\\.)?[a-cA-C.]{1,12}") {
        if let Ok(pattern) = HostPattern::parse(&text) {
            prop_assert_eq!(HostPattern::parse(&pattern.to_string()), Ok(pattern));
        }
    }
}
