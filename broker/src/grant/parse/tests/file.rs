use super::*;
use crate::codes;
use crate::limits::{FIELDS, Limits};
use proptest::prelude::*;
use std::time::Duration;

#[test]
fn an_empty_file_grants_nothing() {
    let grant = grant(parse(""));
    assert_eq!(grant, Grant::default());
}

#[test]
fn a_whole_grant_is_read_as_written() {
    let bench = Bench::new(&["web", "web/out"]);
    let grant = grant(bench.parse(
        r#"
        [task]
        ttl = "10m"
        purpose = "bundle the site"
        [[fs]]
        guest = "/src"
        host = "./web"
        access = "read"
        [[fs]]
        guest = "/src/out/"
        host = "web/out"
        access = "write"
        [[http]]
        host = "API.github.com."
        methods = ["GET"]
        paths = ["/repos/acme/**"]
        [[tcp]]
        host = "db.example.com"
        port = 5432
        addresses = ["10.0.0.0/8"]
        [env]
        NODE_ENV = "production"
        [limits]
        memory = "512MiB"
        wall = "90s"
        output = "2MiB"
        http_requests = 7
        "#,
    ));
    assert_eq!(grant.ttl, Some(Duration::from_secs(600)));
    assert_eq!(grant.purpose.as_deref(), Some("bundle the site"));
    let root = bench.path().canonicalize().unwrap();
    assert_eq!(grant.fs[0].host, root.join("web"));
    assert_eq!(grant.fs[1].guest, "/src/out");
    assert_eq!(grant.http[0].host.to_string(), "api.github.com");
    assert_eq!(grant.http[0].port, 443);
    assert_eq!(grant.tcp[0].addresses.len(), 1);
    assert_eq!(grant.env["NODE_ENV"], "production");
    let limits = &grant.limits;
    assert_eq!((limits.memory, limits.wall_ms, limits.http_requests), (512 << 20, 90_000, 7));
    assert_eq!((limits.stdout, limits.stderr), (2 << 20, 2 << 20));
    assert_eq!(limits.cpu_ms, Limits::default().cpu_ms);
}

#[test]
fn every_problem_is_reported_with_its_line_and_column() {
    let parsed =
        parse("[task]\nttl = 5\n[[http]]\nhots = \"a.example\"\n[limits]\nmemory = \"0\"\n");
    let places: Vec<_> = parsed
        .report
        .diagnostics
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .map(|d| {
            let span = d.span.unwrap();
            (d.code.to_string(), parsed.report.line_and_column(span.source, span.start))
        })
        .collect();
    let expected = [("G0501", (2, 7)), ("G0104", (3, 1)), ("G0102", (4, 1)), ("G0502", (6, 10))];
    assert_eq!(places, expected.map(|(code, place)| (code.to_owned(), place)));
}

#[test]
fn an_unknown_key_is_an_error_with_a_guess() {
    let parsed = parse("[[http]]\nhost = \"a.example\"\nmethod = [\"GET\"]\n");
    assert_eq!(errors(&parsed), [codes::UNKNOWN_KEY]);
    assert!(
        parsed
            .report
            .diagnostics
            .iter()
            .any(|d| d.help.as_deref() == Some("did you mean \"methods\"?"))
    );
    for text in [
        "x = 1",
        "[net]",
        "[limits]\nmemroy = \"1MiB\"",
        "[task]\nx = 1",
        "[[tcp]]\nhost = \"a.example\"\nport = 1\nx = 1",
    ] {
        assert_eq!(errors(&parse(text)), [codes::UNKNOWN_KEY], "{text}");
    }
}

#[test]
fn a_key_of_a_later_feature_is_refused_as_not_enforced() {
    for text in [
        "[policy]",
        "[[http]]\nhost = \"a.example\"\nquery = \"x\"",
        "[[tcp]]\nhost = \"a.example\"\nport = 1\ncredential = \"db\"",
    ] {
        assert_eq!(errors(&parse(text)), [codes::NOT_YET], "{text}");
    }
}

#[test]
fn a_value_of_the_wrong_type_is_pointed_at() {
    for text in [
        "task = 1",
        "[[task]]\nttl = \"1s\"",
        "[fs]\nguest = \"/\"",
        "http = [1]",
        "[[http]]\nhost = 1",
        "[[http]]\nhost = \"a.example\"\nmethods = \"GET\"",
        "[[http]]\nhost = \"a.example\"\nmethods = [1]",
        "[[http]]\nhost = \"a.example\"\nport = \"443\"",
        "[env]\nA = 1",
        "[limits]\nmemory = true",
        "[limits]\nmemory = 1.5",
    ] {
        assert_eq!(errors(&parse(text)), [codes::WRONG_TYPE], "{text}");
    }
}

#[test]
fn broken_toml_is_reported_and_nothing_of_it_is_read() {
    for text in ["[task", "a = ", "a = \"", "[[http]]\nhost = a.example", "\u{0}", "a\rb"] {
        let parsed = parse(text);
        assert!(errors(&parsed).contains(&codes::SYNTAX), "{text:?}");
    }
}

#[test]
fn a_key_given_twice_is_an_error_that_does_not_hide_others() {
    let parsed = parse("[task]\nttl = \"1m\"\nttl = \"2m\"\n[limits]\nwall = \"0s\"\n");
    assert_eq!(errors(&parsed), [codes::TWICE, codes::NO_BOUND]);
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_fine() {
    let parsed = parse("\u{feff}[task]\r\nttl = \"1m\"\r\nx = 1\r\n");
    assert_eq!(errors(&parsed), [codes::UNKNOWN_KEY]);
    let span = parsed.report.diagnostics[0].span.unwrap();
    assert_eq!(parsed.report.line_and_column(0, span.start), (3, 1));
}

#[test]
fn a_file_that_is_too_large_or_no_text_is_refused() {
    let large = vec![b'#'; LARGEST_FILE + 1];
    assert_eq!(errors(&Bench::new(&[]).parse(large)), [codes::UNREADABLE]);
    let latin1 = b"[task]\npurpose = \"caf\xe9\"\n";
    let parsed = Bench::new(&[]).parse(latin1);
    assert_eq!(errors(&parsed), [codes::UNREADABLE]);
    assert_eq!(
        parsed.report.line_and_column(0, parsed.report.diagnostics[0].span.unwrap().start),
        (2, 15)
    );
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    for text in [
        format!("a = {}", "[".repeat(LARGEST_FILE / 2)),
        format!("a = {}", "{a=".repeat(LARGEST_FILE / 4)),
        format!("[{}a]", "a.".repeat(LARGEST_FILE / 4)),
    ] {
        assert!(!errors(&parse(&text)).is_empty());
    }
}

#[test]
fn a_flood_of_problems_is_cut_off_and_counted() {
    let text = (0..5_000).map(|n| format!("x{n} = 1\n")).collect::<String>();
    let parsed = parse(&text);
    assert_eq!(parsed.report.diagnostics.len(), crate::diagnostic::MOST_DIAGNOSTICS);
    assert!(parsed.report.left_out >= 4_800);
    assert!(parsed.grant.is_none());
}

#[test]
fn no_flood_of_warnings_hides_an_error() {
    let mut text = String::new();
    for n in 0..250 {
        text.push_str(&format!("[[http]]\nhost = \"a{n}.example\"\nscheme = \"http\"\n"));
    }
    text.push_str("[limits]\nmemory = 0\n");
    assert_eq!(errors(&parse(&text)), [codes::NO_BOUND]);
}

#[test]
fn too_many_rules_are_refused() {
    let text = (0..251).map(|n| format!("[[tcp]]\nhost = \"a{n}.example\"\nport = 1\n"));
    assert_eq!(errors(&parse(&text.collect::<String>())), [codes::TOO_MANY]);
}

#[test]
fn every_limit_can_be_set_by_its_name_and_not_above_its_maximum() {
    for field in FIELDS {
        let value = |amount: u64| match field.unit {
            crate::limits::Unit::Count => amount.to_string(),
            unit => format!("\"{}\"", unit.show(amount)),
        };
        let at = |amount| parse(&format!("[limits]\n{} = {}\n", field.name, value(amount)));
        assert_eq!((field.get)(&grant(at(field.max)).limits), field.max, "{}", field.name);
        assert_eq!(errors(&at(field.max + 1)), [codes::TOO_MUCH], "{}", field.name);
    }
}

#[test]
fn a_bound_cannot_be_switched_off() {
    for value in ["0", "\"0\"", "\"unlimited\"", "-1", "\"none\"", "0x0"] {
        let parsed = parse(&format!("[limits]\nmemory = {value}\n"));
        assert_eq!(errors(&parsed), [codes::NO_BOUND], "{value}");
    }
    assert_eq!(errors(&parse("[limits]\nmemory = 9223372036854775807\n")), [codes::TOO_MUCH]);
    assert_eq!(errors(&parse("[limits]\nwall = 30\n")), [codes::AMOUNT]);
    assert_eq!(errors(&parse("[task]\nttl = \"31d\"\n")), [codes::TOO_MUCH]);
}

#[test]
fn output_sets_both_streams_and_contradicts_either() {
    let parsed = parse("[limits]\noutput = \"1MiB\"\nstdout = \"2MiB\"\n");
    assert_eq!(errors(&parsed), [codes::TWICE]);
}

#[test]
fn the_names_and_values_of_variables_are_checked() {
    for text in ["\"\" = \"x\"", "\"A=B\" = \"x\"", "\"A\\u0000\" = \"x\"", "\"A\\n\" = \"x\""] {
        assert_eq!(errors(&parse(&format!("[env]\n{text}\n"))), [codes::ENV_NAME], "{text}");
    }
    assert_eq!(errors(&parse("[env]\nA = \"x\\u0000y\"\n")), [codes::ENV_VALUE]);
}

#[test]
fn a_value_that_looks_like_a_credential_is_warned_of_and_never_shown() {
    for secret in [
        "ghp_0123456789abcdefghij0123456789abcdef",
        "github_pat_0123456789abcdefghij",
        "AKIA0123456789ABCDEF",
        "sk-0123456789abcdefghij",
        "xoxb-0123456789",
        "-----BEGIN PRIVATE KEY-----",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2ln",
    ] {
        let parsed = parse(&format!("[task]\nttl = \"1m\"\n[env]\nTOKEN = \"{secret}\"\n"));
        assert_eq!(warnings(&parsed), [codes::ENV_SECRET], "{secret}");
        let all = [
            parsed.report.render(false),
            parsed.report.to_json().to_string(),
            parsed.report.to_sarif().to_string(),
        ];
        assert!(all.iter().all(|text| !text.contains(secret)), "{secret}");
        let grant = grant(parsed);
        assert_eq!(grant.env["TOKEN"], secret);
        assert!(!grant.to_toml().contains(secret));
    }
    assert_eq!(warnings(&parse("[task]\nttl = \"1m\"\n[env]\nMODE = \"sk-short\"\n")), []);
}

#[test]
fn a_task_without_an_end_or_with_a_far_one_is_warned_of() {
    assert_eq!(warnings(&parse("")), [codes::NO_TTL]);
    assert_eq!(warnings(&parse("[task]\nttl = \"25h\"")), [codes::LONG_TTL]);
    assert_eq!(warnings(&parse("[task]\nttl = \"24h\"")), []);
}

#[test]
fn a_limit_far_above_its_default_is_warned_of() {
    assert_eq!(warnings(&parse("[task]\nttl = \"1m\"\n[limits]\nstdout = \"16MiB\"\n")), []);
    assert_eq!(
        warnings(&parse("[task]\nttl = \"1m\"\n[limits]\nstdout = \"17MiB\"\n")),
        [codes::FAR_ABOVE]
    );
}

#[test]
fn without_lint_there_are_no_warnings() {
    let mut bench = Bench::new(&[]);
    bench.place.lint = false;
    assert_eq!(warnings(&bench.parse("[[http]]\nhost = \"a.example\"\nscheme = \"http\"\n")), []);
}

proptest! {
    #[test]
    fn parsing_never_panics(text in "\\PC{0,200}") {
        let parsed = parse(&text);
        prop_assert_eq!(parsed.grant.is_none(), parsed.report.has_errors());
        parsed.report.render(true);
        parsed.report.to_sarif();
    }

    #[test]
    fn parsing_near_toml_never_panics(lines in prop::collection::vec("(\\[\\[?(fs|http|tcp|credential|env|limits|task)\\]?\\]|(host|guest|access|paths|methods|addresses|ttl|memory|port|name|kind|place|scope) ?= ?(\"[a-z*/.:0-9\u{1b}\u{85}\r]{0,9}\"|\\[\"[A-Z/*]{0,3}\"\\]|-?[0-9]{1,4}|\\{a=1\\})|[\\PC]{0,5})", 0..12)) {
        let parsed = parse(&lines.join("\n"));
        parsed.report.render(false);
        parsed.report.to_json();
        parsed.report.to_sarif();
    }

    #[test]
    fn bytes_that_are_no_text_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        Bench::new(&[]).parse(bytes).report.render(false);
    }
}

#[test]
fn every_message_has_a_way_out() {
    let bench = Bench::new(&["a"]);
    let many = "[[tcp]]\nhost = \"x.example.com\"\nport = ";
    let many: String = (1..300).map(|port| format!("{many}{port}\n")).collect();
    let credentials: String =
        (0..300).map(|n| format!("[[credential]]\nname = \"a{n}\"\nkind = \"secret\"\n")).collect();
    let texts = [
        "a = \n",
        "[env]\nA = \"1\"\nA = \"2\"\n",
        "[[fs]]\nguest = \"/x\"\nhost = \"a\\u0000\"\naccess = \"read\"\n",
        "[[http]]\nhost = \"a.example.com\"\nport = 0\n",
        "[[http]]\nhost = \"169.254.169.254\"\n",
        "[[http]]\nhost = \"github.io\"\n",
        "task = 1\nfs = 1\n[env]\nA = 1\n[limits]\nmemory = true\nwall = \"0\"\n",
        many.as_str(),
        "[[credential]]\nname = \"A\"\nkind = \"jwt\"\nsecret = 1\nexpose = 1\n",
        "[[credential]]\nname = \"a\"\nkind = \"jwd\"\n[[http]]\nhost = \"a.example.com\"\ncredential = \"b\"\n",
        "[[credential]]\nname = \"a\"\nkind = \"secret\"\nttl = \"1m\"\nplace = \"header:host\"\nexpose = true\n",
        "[[credential]]\nname = \"a\"\nkind = \"jwt\"\naudience = \"a b\"\nscope = \"a  b\"\nttl = \"1h\"\nplace = \"x\"\n",
        credentials.as_str(),
    ];
    let big = vec![b'#'; LARGEST_FILE + 1];
    let texts = texts.iter().map(|text| text.as_bytes()).chain([&b"\xff"[..], &big[..]]);
    let flags = Flags { tcp: vec_of(&["a.example.com:0"]), ..Flags::default() };
    let reports = texts.map(|text| bench.parse(text)).chain([bench.flags(flags)]);
    for parsed in reports {
        assert!(!parsed.report.diagnostics.is_empty());
        for diagnostic in &parsed.report.diagnostics {
            assert!(diagnostic.help.is_some(), "{diagnostic:?}");
        }
    }
}

#[test]
fn a_file_behind_a_link_is_read_and_not_shown() {
    let bench = Bench::new(&[]);
    let (secret, link) = (bench.path().join("secret"), bench.path().join("grant.toml"));
    fs::write(&secret, "hunter2 and more\n").unwrap();
    std::os::unix::fs::symlink(&secret, &link).unwrap();
    let parse = |path: &Path| {
        let file = Some(GrantFile::read(path).unwrap());
        GrantSource { file, flags: Flags::default() }.parse(&bench.place)
    };
    let parsed = parse(&link);
    assert_eq!(errors(&parsed), [codes::SYNTAX]);
    let said = [
        parsed.report.render(false),
        parsed.report.to_json().to_string(),
        parsed.report.to_sarif().to_string(),
    ];
    assert!(!said.concat().contains("hunter2"), "{said:?}");
    assert!(said[0].contains("grant.toml:1:"), "{said:?}");
    // The control: the file itself is shown, and a sound grant behind a link is a grant.
    assert!(parse(&secret).report.render(false).contains("hunter2"));
    fs::write(&secret, "[task]\nttl = \"1m\"\n").unwrap();
    assert!(parse(&link).grant.is_some());
}

#[test]
fn what_is_no_regular_file_is_not_waited_for() {
    let bench = Bench::new(&["directory"]);
    let fifo = bench.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for path in [fifo.as_path(), Path::new("/dev/null"), &bench.path().join("directory")] {
        assert!(GrantFile::read(path).is_err(), "{}", path.display());
    }
}
