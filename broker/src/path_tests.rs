#![expect(clippy::unwrap_used, reason = "a test may fail")]
use super::*;
use proptest::prelude::*;

fn refused(text: &str) -> PathError {
    RequestPath::parse(text).expect_err(text)
}

#[test]
fn an_ordinary_path_is_kept_as_sent() {
    for text in [
        "/",
        "/a",
        "/a/",
        "/repos/acme/site/contents/x.ts?ref=main",
        "/a;v=1/b",
        "/@scope/name",
        "/v1/models:run",
        "/caf%C3%A9",
        "/a%20b",
        "/a..%20/%20..b",
        "/a?b=c?d=/../e&f=%0d%0a",
        "/~user/",
        "/...",
        "/.x",
        "/a?filter[x]=1|2",
        "/*",
    ] {
        assert_eq!(RequestPath::parse(text).unwrap().as_sent(), text);
    }
}

#[test]
fn the_query_is_kept_but_is_no_part_of_the_path() {
    let path = RequestPath::parse("/a/b?c=/d/../e").unwrap();
    assert_eq!(path.path(), "/a/b");
    assert_eq!(path.segments().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(RequestPath::parse("/").unwrap().segments().collect::<Vec<_>>(), [""]);
}

#[test]
fn dot_segments_are_refused_in_every_spelling() {
    for text in [
        "/.",
        "/..",
        "/a/..",
        "/a/../b",
        "/a/./b",
        "/%2e",
        "/%2e%2e",
        "/%2E./b",
        "/a/.%2e/b",
        "/a/..;/b",
        "/a/..;x=1/b",
        "/a/.;/b",
        "/a/..%3b/b",
        "/a/%252e%252e/b",
        "/%c0%ae%c0%ae/b",
        "/a/..%20/b",
        "/a/.%20",
        "/a/..%20.%20%20/b",
        "/a/..%20;x/b",
        "/a/%20/b",
    ] {
        assert_eq!(refused(text), PathError::Ambiguous, "{text}");
    }
}

#[test]
fn empty_segments_are_refused() {
    for text in ["//", "//evil.example/a", "/a//b", "/a//", "/;x/b", "/a/;/b", "/%3bx/b"] {
        assert_eq!(refused(text), PathError::Ambiguous, "{text}");
    }
}

#[test]
fn encoded_separators_and_controls_are_refused() {
    for text in [
        "/a%2Fb",
        "/a%2fb",
        "/a%5Cb",
        "/a%5cb",
        "/a%00",
        "/a%0d%0aHost:x",
        "/a%7f",
        "/a%25b",
        "/a%c2%85b",
        "/%c0%af",
    ] {
        assert_eq!(refused(text), PathError::Ambiguous, "{text}");
    }
}

#[test]
fn a_needless_escape_is_refused_because_servers_compare_it_differently() {
    for text in ["/%41", "/%7euser", "/a%2Db", "/a%5fb", "/file%2etxt"] {
        assert_eq!(refused(text), PathError::Ambiguous, "{text}");
    }
}

#[test]
fn broken_escapes_are_refused() {
    for text in ["/%", "/%4", "/%zz", "/%+1", "/a%2", "/a?b=%", "/a?b=%4", "/a?b=%zz"] {
        assert_eq!(refused(text), PathError::Ambiguous, "{text}");
    }
}

#[test]
fn characters_that_no_request_line_has_are_refused() {
    for text in [
        "",
        "a",
        "*",
        "?a",
        "https://x/",
        "/a b",
        "/a\tb",
        "/a\r\nb",
        "/a\0",
        "/a\\b",
        "/a#b",
        "/a?b#c",
        "/a?b c",
        "/a?b\r\nc",
        "/é",
        "/a?é",
        "/a\"b",
        "/a<b",
        "/a{b",
        "/a|b",
        "/a^b",
        "/a[b",
    ] {
        assert_eq!(refused(text), PathError::Character, "{text:?}");
    }
}

#[test]
fn hexadecimal_case_in_an_escape_does_not_matter() {
    assert!(same_segment("caf%c3%a9", "caf%C3%A9"));
    assert!(!same_segment("cafa", "cafA"));
    assert!(!same_segment("a%20b", "a%20B"));
}

proptest! {
    #[test]
    fn an_accepted_path_has_no_dot_or_empty_segment_after_decoding(text in "/([a.;/%2eEfF5cC]|%2e|%2f|%5c|\\.\\.){0,16}") {
        if let Ok(path) = RequestPath::parse(&text) {
            prop_assert_eq!(path.as_sent(), text.as_str());
            let segments: Vec<&str> = path.segments().collect();
            for (index, segment) in segments.iter().enumerate() {
                let decoded = percent_encoding::percent_decode_str(segment).decode_utf8().unwrap();
                prop_assert!(decoded != "." && decoded != "..");
                prop_assert!(!decoded.contains(['/', '\\', '\0']));
                prop_assert!(!segment.is_empty() || index + 1 == segments.len());
            }
        }
    }

    #[test]
    fn parsing_never_panics(text in "\\PC{0,64}") {
        let _ = RequestPath::parse(&text);
        let _ = RequestPath::parse(&format!("/{text}"));
    }
}
