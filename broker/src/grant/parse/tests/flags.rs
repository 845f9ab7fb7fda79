use super::*;
use crate::codes;
use crate::grant::Access;
use proptest::prelude::*;
use std::time::Duration;

fn http(rule: &str) -> Parsed {
    Bench::new(&[]).flags(Flags {
        http: vec_of(&[rule]),
        ttl: Some("1m".into()),
        ..Flags::default()
    })
}

#[test]
fn flags_alone_make_a_grant() {
    let bench = Bench::new(&["web/out"]);
    let grant = grant(bench.flags(Flags {
        read: vec_of(&["./web::/src"]),
        write: vec_of(&["web/out::/src/out"]),
        http: vec_of(&["GET,POST https://api.example.com:8443/v1/**"]),
        tcp: vec_of(&["db.example.com:5432"]),
        env: vec_of(&["A=b=c", "EMPTY="]),
        limit: vec_of(&["memory=512MiB", "wall=5s"]),
        ttl: Some("10m".into()),
    }));
    assert_eq!(grant.fs[0].guest, "/src");
    assert_eq!(grant.fs[1].access, Access::Write);
    assert_eq!(grant.http[0].methods, ["GET", "POST"]);
    assert_eq!(grant.http[0].port, 8443);
    assert_eq!(grant.http[0].paths[0].to_string(), "/v1/**");
    assert_eq!(grant.tcp[0].port, 5432);
    assert_eq!((grant.env["A"].as_str(), grant.env["EMPTY"].as_str()), ("b=c", ""));
    assert_eq!((grant.limits.memory, grant.limits.wall_ms), (512 << 20, 5_000));
    assert_eq!(grant.ttl, Some(Duration::from_secs(600)));
}

#[test]
fn a_url_without_a_path_means_every_path_and_warns() {
    let parsed = http("GET https://a.example");
    assert_eq!(warnings(&parsed), [codes::ALL_PATHS]);
    assert!(grant(parsed).http[0].paths[0].is_any());
    let parsed = http("GET https://a.example/");
    assert_eq!(warnings(&parsed), []);
    assert_eq!(grant(parsed).http[0].paths[0].to_string(), "/");
}

#[test]
fn methods_may_be_left_out() {
    assert_eq!(grant(http("https://a.example/")).http[0].methods, ["GET", "HEAD"]);
}

#[test]
fn a_flag_that_is_not_in_its_form_is_refused() {
    for (rule, code) in [
        ("", codes::FLAG),
        ("GET https://a.example/ x", codes::FLAG),
        ("GET a.example/", codes::BAD_URL),
        ("GET ftp://a.example/", codes::BAD_URL),
        ("GET HTTPS://a.example/", codes::BAD_URL),
        ("get https://a.example/", codes::BAD_METHOD),
        ("GET,,POST https://a.example/", codes::BAD_METHOD),
        ("GET https:///", codes::BAD_HOST),
        ("GET https://u:p@a.example/", codes::BAD_HOST),
        ("GET https://a.example:0/", codes::BAD_PORT),
        ("GET https://a.example:/", codes::BAD_PORT),
        ("GET https://a.example/?q=1", codes::BAD_PATH),
        ("GET https://a.example?q=1", codes::BAD_PATH),
        ("GET https://a.example#x", codes::BAD_PATH),
        ("GET https://a.example\\@b.example/", codes::BAD_HOST),
        ("GET https://*/", codes::WILDCARD),
        ("GET https://10.0.0.1/", codes::PRIVATE),
    ] {
        let found = errors(&http(rule));
        assert!(found.contains(&code), "{rule}: {found:?}");
    }
    let form = |flags: Flags| errors(&Bench::new(&[]).flags(flags));
    assert_eq!(form(Flags { read: vec_of(&["web"]), ..Flags::default() }), [codes::FLAG]);
    assert_eq!(form(Flags { tcp: vec_of(&["db.example"]), ..Flags::default() }), [codes::FLAG]);
    assert_eq!(
        form(Flags { tcp: vec_of(&["db.example:x"]), ..Flags::default() }),
        [codes::BAD_PORT]
    );
    assert_eq!(form(Flags { env: vec_of(&["PATH"]), ..Flags::default() }), [codes::FLAG]);
    assert_eq!(form(Flags { env: vec_of(&["=x"]), ..Flags::default() }), [codes::ENV_NAME]);
    assert_eq!(form(Flags { limit: vec_of(&["memory"]), ..Flags::default() }), [codes::FLAG]);
    assert_eq!(
        form(Flags { limit: vec_of(&["memroy=1MiB"]), ..Flags::default() }),
        [codes::UNKNOWN_KEY]
    );
    assert_eq!(form(Flags { ttl: Some("soon".into()), ..Flags::default() }), [codes::AMOUNT]);
}

#[test]
fn a_host_path_may_have_two_colons_in_it() {
    let bench = Bench::new(&["a::b"]);
    let grant = grant(bench.flags(Flags { read: vec_of(&["a::b::/x"]), ..Flags::default() }));
    assert!(grant.fs[0].host.ends_with("a::b"));
}

#[test]
fn flags_add_to_the_file_and_never_replace_it() {
    let bench = Bench::new(&["a", "b"]);
    let file = "[task]\nttl = \"10m\"\n[env]\nA = \"1\"\n[[fs]]\nguest = \"/a\"\nhost = \"a\"\naccess = \"read\"\n\
                [[tcp]]\nhost = \"a.example\"\nport = 1\n[[http]]\nhost = \"a.example\"\nmethods = [\"GET\"]\npaths = [\"/\"]\n";
    let with = |flags| errors(&bench.parse_with(file, flags));
    assert_eq!(with(Flags { read: vec_of(&["b::/b"]), ..Flags::default() }), []);
    assert_eq!(with(Flags { write: vec_of(&["a::/b"]), ..Flags::default() }), [codes::HOST_TWICE]);
    assert_eq!(with(Flags { read: vec_of(&["b::/a"]), ..Flags::default() }), [codes::GUEST_TWICE]);
    assert_eq!(with(Flags { env: vec_of(&["A=2"]), ..Flags::default() }), [codes::TWICE]);
    assert_eq!(with(Flags { tcp: vec_of(&["A.example:1"]), ..Flags::default() }), [codes::TWICE]);
    let rule = vec_of(&["GET https://a.example/"]);
    assert_eq!(with(Flags { http: rule, ..Flags::default() }), [codes::TWICE]);
    assert_eq!(with(Flags { ttl: Some("10m".into()), ..Flags::default() }), [codes::TWICE]);
}

#[test]
fn a_limit_or_ttl_from_a_flag_may_lower_what_the_file_says_and_not_raise_it() {
    let bench = Bench::new(&[]);
    let file = "[task]\nttl = \"10m\"\n[limits]\nmemory = \"64MiB\"\n";
    let memory = |value: &str| {
        bench.parse_with(file, Flags { limit: vec![format!("memory={value}")], ..Flags::default() })
    };
    assert_eq!(grant(memory("32MiB")).limits.memory, 32 << 20);
    assert_eq!(errors(&memory("128MiB")), [codes::RAISES]);
    let ttl =
        |value: &str| bench.parse_with(file, Flags { ttl: Some(value.into()), ..Flags::default() });
    assert_eq!(grant(ttl("1m")).ttl, Some(Duration::from_secs(60)));
    assert_eq!(errors(&ttl("11m")), [codes::RAISES]);
    let twice = Flags { limit: vec_of(&["cpu=2s", "cpu=1s"]), ..Flags::default() };
    assert_eq!(errors(&bench.parse_with(file, twice)), [codes::TWICE]);
}

proptest! {
    #[test]
    fn no_flag_widens_a_limit_of_the_file(file in 1u64..1 << 32, flag in 1u64..1 << 32) {
        let bench = Bench::new(&[]);
        let text = format!("[limits]\nmemory = {file}\n");
        let flags = Flags { limit: vec![format!("memory={flag}")], ..Flags::default() };
        if let Some(grant) = bench.parse_with(text, flags).grant {
            prop_assert!(grant.limits.memory <= file);
        }
    }

    #[test]
    fn flags_never_panic(text in "\\PC{0,40}") {
        let one = || vec![text.clone()];
        let flags = Flags {
            read: one(), write: one(), http: one(), tcp: one(), env: one(), limit: one(), ttl: Some(text.clone()),
        };
        Bench::new(&[]).flags(flags).report.render(true);
    }

    #[test]
    fn the_sum_of_a_grant_is_a_grant_file_of_the_same_grant(host in "[a-z]{1,8}\\.example", path in "(/[a-z]{1,4}|/\\*){1,3}(/\\*\\*)?", name in "[A-Z_\u{1b}ü\"\\\\]{1,5}", value in "[ -~\u{1b}\u{202e}ü]{0,9}", memory in 1u64..1 << 32) {
        let bench = Bench::new(&["a"]);
        let first = bench.flags(Flags {
            read: vec_of(&["a::/src"]),
            http: vec![format!("GET,PUT https://{host}{path}")],
            tcp: vec![format!("{host}:22")],
            env: vec![format!("{name}={value}")],
            limit: vec![format!("memory={memory}"), "cpu=7s".into()],
            ttl: Some("90s".into()),
            ..Flags::default()
        });
        if let Some(first) = first.grant {
            let text = first.to_toml();
            prop_assert!(text.chars().all(|c| c == '\n' || !crate::text::is_treacherous(c)));
            prop_assert_eq!(grant(bench.parse(&text)), first);
        }
    }
}
