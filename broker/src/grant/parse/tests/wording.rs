//! Whole messages, as a person sees them.

use super::*;

#[track_caller]
fn shows(parsed: &Parsed, expected: &str) {
    let rendered = parsed.report.render(false);
    assert_eq!(rendered.trim_end(), expected.trim(), "\n{rendered}");
}

#[test]
fn a_misspelt_key() {
    let text = "[task]\nttl = \"10m\"\n\n[[http]]\nhost = \"api.github.com\"\nmethod = [\"GET\"]\npaths = [\"/\"]\n";
    shows(
        &parse(text),
        r#"
error[G0102]: [[http]] has no key "method"
 --> grant.toml:6:1
  |
6 | method = ["GET"]
  | ^^^^^^ unknown key
  |
  = help: did you mean "methods"?

1 error
"#,
    );
}

#[test]
fn a_read_grant_inside_a_write_grant() {
    let bench = Bench::new(&["app/src"]);
    let text = "[task]\nttl = \"10m\"\n\n[[fs]]\nguest = \"/app\"\nhost = \"./app\"\naccess = \"write\"\n\n\
                [[fs]]\nguest = \"/src\"\nhost = \"./app/src\"\naccess = \"read\"\n";
    shows(
        &bench.parse(text),
        r#"
error[G0209]: reading inside a directory that is granted for writing protects nothing
  --> grant.toml:11:8
   |
 6 | host = "./app"
   |        ------- granted for writing here
...
11 | host = "./app/src"
   |        ^^^^^^^^^^^ everything in here can be changed through the other grant
   |
   = help: grant the outer directory for reading, and the parts that may change for writing

1 error
"#,
    );
}

#[test]
fn a_flag_that_raises_a_limit() {
    let text = "[task]\nttl = \"10m\"\n[limits]\nmemory = \"64MiB\"\n";
    let flags = Flags { limit: vec_of(&["memory=1GiB"]), ..Flags::default() };
    shows(
        &Bench::new(&[]).parse_with(text, flags),
        r#"
error[G0505]: a flag cannot raise memory above what the file says
 --> command line:1:16
  |
1 | --limit memory=1GiB
  |                ^^^^ more than 64MiB
  |
 ::: grant.toml:4:10
  |
4 | memory = "64MiB"
  |          ------- the file says 64MiB
  |
  = help: lower the flag, or change the file, where the change can be reviewed

1 error
"#,
    );
}

#[test]
fn a_public_suffix_in_a_flag() {
    let http = vec_of(&["GET https://*.github.io/**"]);
    let flags = Flags { http, ttl: Some("1m".into()), ..Flags::default() };
    shows(
        &Bench::new(&[]).flags(flags),
        r#"
error[G0303]: "github.io" is a public suffix: below it anybody can register a name
 --> command line:1:20
  |
1 | --http GET https://*.github.io/**
  |                    ^^^^^^^^^^^
  |
  = help: name one owner's domain, as in "*.acme.github.io"

1 error
"#,
    );
}

#[test]
fn two_credentials_for_one_request() {
    let rule = |path: &str, name: &str| {
        format!("[[http]]\nhost = \"a.example\"\npaths = [\"{path}\"]\ncredential = \"{name}\"\n\n")
    };
    let credential =
        |name: &str| format!("[[credential]]\nname = \"{name}\"\nkind = \"secret\"\n\n");
    let rules = rule("/**", "read") + &rule("/repos/*", "write");
    let text =
        format!("[task]\nttl = \"1m\"\n\n{rules}{}{}", credential("read"), credential("write"));
    shows(
        &parse(&text),
        r#"
error[G0610]: two rules give one request two credentials
  --> grant.toml:12:14
   |
 7 | credential = "read"
   |              ------ the other credential is named here
...
12 | credential = "write"
   |              ^^^^^^^ some requests fit this rule and the other
   |
   = help: keep the methods or paths of the two rules apart, or give both the same credential

1 error
"#,
    );
}

#[test]
fn escape_sequences_in_a_file_are_shown_and_not_obeyed() {
    let parsed = parse("[task]\nttl = \"10m\"\n\"\\u001b[31mred\u{202e}\" = 1 # \u{9b}2J\n");
    shows(
        &parsed,
        r#"
error[G0102]: [task] has no key "\u{1b}[31mred\u{202e}"
 --> grant.toml:3:1
  |
3 | "\u001b[31mred\u{202e}" = 1 # \u{9b}2J
  | ^^^^^^^^^^^^^^^^^^^^^^^ unknown key
  |
  = help: [task] has: ttl, purpose

1 error
"#,
    );
    let rendered = parsed.report.render(false);
    assert!(rendered.chars().all(|c| c == '\n' || !crate::text::is_treacherous(c)));
    let json = parsed.report.to_json().to_string() + &parsed.report.to_sarif().to_string();
    assert!(!json.chars().any(crate::text::is_treacherous));
}
