use super::*;
use crate::codes;
use crate::grant::{CredentialKind, Placement};
use std::time::Duration;

/// A rule that uses the credential `x`, which is what these lines say.
fn credential(lines: &str) -> Parsed {
    parse(&format!("{RULE}credential = \"x\"\n[[credential]]\nname = \"x\"\n{lines}\n"))
}

const RULE: &str = "[task]\nttl = \"1m\"\n[[http]]\nhost = \"api.example.com\"\npaths = [\"/a\"]\n";
const JWT: &str = "kind = \"jwt\"\naudience = \"https://api.example.com\"\n";

fn jwt(lines: &str) -> Parsed {
    credential(&format!("{JWT}{lines}"))
}

#[test]
fn a_credential_is_read_as_written() {
    let parsed = jwt("scope = \"repo:read issues\"\nttl = \"2m\"\nresource = \"acme/site\"");
    assert_eq!(warnings(&parsed), []);
    let grant = grant(parsed);
    let read = &grant.credentials[0];
    assert_eq!((read.name.as_str(), read.kind), ("x", CredentialKind::Jwt));
    assert_eq!(read.scope.audience.as_deref(), Some("https://api.example.com"));
    assert_eq!(read.scope.actions, ["repo:read", "issues"]);
    assert_eq!(read.scope.resource.as_deref(), Some("acme/site"));
    assert_eq!(read.ttl, Duration::from_secs(120));
    assert_eq!((&read.place, read.expose), (&Placement::Bearer, false));
    assert_eq!(grant.http[0].credential.as_ref(), Some(&read.name));
    assert_eq!(grant.credential(&read.name), Some(read));
}

#[test]
fn what_is_left_out_is_a_bearer_token_of_a_minute() {
    let read = &grant(jwt("")).credentials[0];
    assert_eq!((read.ttl, &read.place), (Duration::from_secs(60), &Placement::Bearer));
    assert!(read.scope.actions.is_empty() && read.scope.resource.is_none());
}

#[test]
fn the_sum_of_a_grant_is_the_same_grant_again() {
    let every = "[task]\nttl = \"1m\"\n\
        [[http]]\nhost = \"a.example\"\npaths = [\"/a\"]\ncredential = \"a\"\n\
        [[http]]\nhost = \"b.example\"\npaths = [\"/a\"]\ncredential = \"b\"\n\
        [[http]]\nhost = \"c.example\"\npaths = [\"/a\"]\ncredential = \"c\"\n\
        [[http]]\nhost = \"d.example\"\npaths = [\"/a\"]\ncredential = \"d\"\n\
        [[credential]]\nname = \"a\"\nkind = \"jwt\"\naudience = \"x\"\nplace = \"dpop\"\nttl = \"30s\"\n\
        [[credential]]\nname = \"b\"\nkind = \"secret\"\nplace = \"header:X-Api-Key\"\n\
        [[credential]]\nname = \"c\"\nkind = \"oauth\"\nscope = \"a b\"\nplace = \"query:key\"\n\
        [[credential]]\nname = \"d\"\nkind = \"github-app\"\nresource = \"site\"\nplace = \"basic:x\"\n\
        [[credential]]\nname = \"e\"\nkind = \"postgres\"\nttl = \"10m\"\nexpose = true\n";
    let parsed = parse(every);
    assert_eq!(warnings(&parsed), []);
    let first = grant(parsed);
    assert_eq!(grant(parse(&first.to_toml())), first, "{}", first.to_toml());
    assert_eq!(first.to_json()["credential"][1]["place"], "header:x-api-key");
}

#[test]
fn a_credential_needs_a_name_a_kind_and_what_its_kind_needs() {
    assert_eq!(errors(&parse("[[credential]]\nkind = \"secret\"")), [codes::MISSING_KEY]);
    assert_eq!(errors(&parse("[[credential]]\nname = \"x\"")), [codes::MISSING_KEY]);
    assert_eq!(
        errors(&credential("kind = \"jwt\"")),
        [codes::MISSING_KEY, codes::NO_SUCH_CREDENTIAL].into_iter().rev().collect::<Vec<_>>()
    );
    assert_eq!(
        errors(&parse("[[credential]]\nname = \"X\"\nkind = \"secret\"")),
        [codes::CREDENTIAL_NAME]
    );
    assert_eq!(errors(&parse("[[credential]]\nname = \"x\"\nkind = \"jwtt\"")), [codes::BAD_WORD]);
    assert_eq!(errors(&parse("[credential]\nname = \"x\"")), [codes::WRONG_TYPE]);
    assert_eq!(errors(&jwt("expose = 1"))[1..], [codes::WRONG_TYPE]);
    assert_eq!(errors(&jwt("scopes = \"x\"")), [codes::UNKNOWN_KEY]);
}

/// The error of the credential itself; its rule then names one that is not there.
fn broken(parsed: Parsed) -> Code {
    let mut errors = errors(&parsed);
    errors.retain(|code| *code != codes::NO_SUCH_CREDENTIAL);
    assert_eq!(errors.len(), 1, "{}", parsed.report.render(false));
    errors.remove(0)
}

#[test]
fn texts_that_no_issuer_takes_are_refused() {
    for lines in [
        "scope = \"\"",
        "scope = \"a  b\"",
        "scope = \" a\"",
        "scope = \"a\\\"b\"",
        "resource = \"\"",
        "resource = \"a\\nb\"",
    ] {
        assert_eq!(broken(jwt(lines)), codes::CREDENTIAL_SCOPE, "{lines}");
    }
    for audience in ["", "a b", "ä", "a\\n"] {
        let parsed = credential(&format!("kind = \"jwt\"\naudience = \"{audience}\""));
        assert_eq!(broken(parsed), codes::CREDENTIAL_SCOPE, "{audience}");
    }
    for place in ["Bearer", "header:", "header:host", "query:a b", "basic:"] {
        assert_eq!(broken(jwt(&format!("place = \"{place}\""))), codes::PLACEMENT, "{place}");
    }
    assert_eq!(broken(credential("kind = \"secret\"\nplace = \"dpop\"")), codes::PLACEMENT);
}

#[test]
fn a_life_has_an_upper_bound_by_its_kind() {
    assert_eq!(errors(&jwt("ttl = \"300s\"")), []);
    assert_eq!(broken(jwt("ttl = \"301s\"")), codes::TOO_MUCH);
    assert_eq!(broken(jwt("ttl = \"1500ms\"")), codes::AMOUNT);
    assert_eq!(broken(jwt("ttl = \"0s\"")), codes::NO_BOUND);
    assert_eq!(broken(jwt("ttl = 60")), codes::AMOUNT);
    assert_eq!(errors(&credential("kind = \"oauth\"\nttl = \"1h\"")), []);
    assert_eq!(broken(credential("kind = \"oauth\"\nttl = \"2h\"")), codes::TOO_MUCH);
}

#[test]
fn a_key_that_nothing_holds_the_kind_to_is_refused() {
    for key in ["audience", "scope", "resource", "ttl"] {
        let parsed = credential(&format!("kind = \"secret\"\n{key} = \"60s\""));
        assert_eq!(broken(parsed), codes::CREDENTIAL_KEY, "{key}");
    }
    assert_eq!(
        broken(credential("kind = \"github-app\"\naudience = \"x\"")),
        codes::CREDENTIAL_KEY
    );
    let postgres = "[[credential]]\nname = \"x\"\nkind = \"postgres\"\nexpose = true\n";
    assert_eq!(errors(&parse(postgres)), []);
    assert_eq!(errors(&parse(&format!("{postgres}place = \"bearer\""))), [codes::CREDENTIAL_KEY]);
}

#[test]
fn only_what_the_host_cannot_inject_is_exposed() {
    assert_eq!(broken(jwt("expose = true")), codes::EXPOSE);
    let postgres = "[[credential]]\nname = \"x\"\nkind = \"postgres\"\n";
    assert_eq!(errors(&parse(postgres)), [codes::EXPOSE]);
    let used = credential("kind = \"postgres\"\nexpose = true");
    assert_eq!(errors(&used), [codes::EXPOSE]);
}

#[test]
fn a_rule_names_a_credential_that_is_there() {
    let parsed =
        parse(&format!("{RULE}credential = \"github\"\n[[credential]]\nname = \"gitub\"\n{JWT}"));
    assert_eq!(errors(&parsed), [codes::NO_SUCH_CREDENTIAL]);
    assert!(parsed.report.render(false).contains("did you mean \"gitub\"?"));
    assert_eq!(
        errors(&parse(&format!("{RULE}credential = \"no name\""))),
        [codes::CREDENTIAL_NAME]
    );
    assert_eq!(errors(&parse(&format!("{RULE}credential = 1"))), [codes::WRONG_TYPE]);
}

#[test]
fn a_credential_that_no_rule_uses_is_warned_of_unless_it_is_exposed() {
    let unused = format!("{RULE}[[credential]]\nname = \"x\"\n{JWT}");
    assert_eq!(warnings(&parse(&unused)), [codes::UNUSED_CREDENTIAL]);
}

#[test]
fn a_credential_never_travels_in_clear_text_but_to_this_machine() {
    let rule = |host: &str| {
        parse(&format!(
            "[task]\nttl = \"1m\"\n[[http]]\nhost = \"{host}\"\nscheme = \"http\"\npaths = [\"/a\"]\n\
             credential = \"x\"\n[[credential]]\nname = \"x\"\nkind = \"secret\"\n"
        ))
    };
    assert_eq!(errors(&rule("api.example.com")), [codes::CREDENTIAL_CLEARTEXT]);
    assert_eq!(
        errors(&rule("localhost")),
        [codes::CREDENTIAL_CLEARTEXT],
        "a name may lead elsewhere"
    );
    assert_eq!(errors(&rule("127.0.0.1")), []);
}

#[test]
fn a_wildcard_with_a_credential_is_warned_of() {
    let parsed = parse(&format!(
        "[task]\nttl = \"1m\"\n[[http]]\nhost = \"*.acme.example\"\npaths = [\"/a\"]\ncredential = \"x\"\n\
         [[credential]]\nname = \"x\"\n{JWT}"
    ));
    assert_eq!(warnings(&parsed), [codes::CREDENTIAL_WILDCARD]);
}

#[test]
fn two_rules_that_give_one_request_two_credentials_are_refused() {
    let two = |first: &str, second: &str| {
        errors(&parse(&format!(
            "[[http]]\n{first}\ncredential = \"x\"\n[[http]]\n{second}\n\
             [[credential]]\nname = \"x\"\n{JWT}[[credential]]\nname = \"y\"\n{JWT}"
        )))
    };
    let at = |host: &str, path: &str| format!("host = \"{host}\"\npaths = [\"{path}\"]");
    let y = |rule: String| format!("{rule}\ncredential = \"y\"");
    let a = "a.acme.example";
    assert_eq!(two(&at(a, "/**"), &y(at("*.acme.example", "/b"))), [codes::TWO_CREDENTIALS_RULES]);
    assert_eq!(two(&at(a, "/a/*"), &y(at(a, "/*/b"))), [codes::TWO_CREDENTIALS_RULES]);
    assert_eq!(two(&at(a, "/a"), &y(at(a, "/b"))), []);
    assert_eq!(two(&at(a, "/**"), &y(at(a, "/**") + "\nmethods = [\"POST\"]")), []);
    assert_eq!(two(&at(a, "/**"), &y(at(a, "/**") + "\nport = 8443")), []);
    assert_eq!(two(&at(a, "/**"), &at(a, "/b")), [], "a rule without one may overlap");
}

#[test]
fn a_secret_in_the_grant_is_refused_and_not_shown() {
    for lines in [
        "token = \"hunter2hunter2\"",
        "value = \"hunter2hunter2\"",
        "place = \"basic:me:hunter2hunter2\"",
    ] {
        let parsed = jwt(lines);
        assert!(parsed.grant.is_none());
        let shown = parsed.report.render(false)
            + &parsed.report.to_json().to_string()
            + &parsed.report.to_sarif().to_string();
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn the_same_name_twice_is_refused() {
    let parsed =
        parse(&format!("[[credential]]\nname = \"x\"\n{JWT}[[credential]]\nname = \"x\"\n{JWT}"));
    assert_eq!(errors(&parsed), [codes::TWICE]);
}
