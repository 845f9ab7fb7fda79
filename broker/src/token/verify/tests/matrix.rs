//! Every claim, missing and in every wrong form.

use super::*;

/// Puts a value at a path; none removes what is there.
fn put(path: &str, value: Option<Value>) -> String {
    let mut payload = payload();
    let (parent, name) = path.rsplit_once('/').unwrap();
    let parent = payload.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => drop(parent.insert(name.to_owned(), value)),
        None => drop(parent.remove(name)),
    }
    payload.to_string()
}

/// The claim that a path belongs to.
fn claim(path: &str) -> &str {
    path.split('/').nth(1).unwrap()
}

const TEXTS: [&str; 15] = [
    "/iss",
    "/sub",
    "/aud",
    "/client_id",
    "/jti",
    "/txn",
    "/scope",
    "/task/id",
    "/task/parent",
    "/task/component",
    "/act/sub",
    "/act/act/sub",
    "/authorization_details/0/type",
    "/authorization_details/0/identifier",
    "/status/status_list/uri",
];
const INTEGERS: [&str; 4] = ["/iat", "/exp", "/task/depth", "/status/status_list/idx"];
const OBJECTS: [&str; 5] = ["/task", "/act", "/act/act", "/status", "/status/status_list"];
const LISTS: [&str; 3] = [
    "/authorization_details",
    "/authorization_details/0/locations",
    "/authorization_details/0/actions",
];

/// Claims and members that must be there.
const REQUIRED: [&str; 15] = [
    "/iss",
    "/sub",
    "/aud",
    "/client_id",
    "/jti",
    "/txn",
    "/iat",
    "/exp",
    "/task",
    "/task/id",
    "/task/depth",
    "/act/act/sub",
    "/authorization_details/0/type",
    "/status/status_list",
    "/status/status_list/idx",
];

fn refuses(path: &str, value: &Value) {
    let bed = Bed::new();
    let rejection = bed.refuse(&bed.seal_payload(&put(path, Some(value.clone()))));
    let is_payload = value.is_null() || value.is_f64() || *value == json!([null]);
    match rejection {
        Rejection::Payload if is_payload => {}
        Rejection::Invalid(name) | Rejection::Missing(name) if !is_payload => {
            assert!(name == claim(path) || (name == "exp" && path == "/iat"), "{path}: {name}");
        }
        other => panic!("{path} as {value}: {other}"),
    }
}

#[test]
fn a_claim_that_must_be_there_is_missed() {
    let bed = Bed::new();
    for path in REQUIRED {
        let rejection = bed.refuse(&bed.seal_payload(&put(path, None)));
        let (Rejection::Missing(name) | Rejection::Invalid(name)) = rejection else {
            panic!("{path}: {rejection}");
        };
        assert_eq!(name, claim(path), "{path}");
    }
}

#[test]
fn a_claim_that_may_be_left_out_is_not_missed() {
    let bed = Bed::new();
    for path in ["/scope", "/act", "/authorization_details", "/status", "/task/component"] {
        assert!(bed.verify(&bed.seal_payload(&put(path, None))).is_ok(), "{path}");
    }
}

#[test]
fn a_text_is_a_text_that_can_be_shown() {
    for path in TEXTS {
        for value in [
            json!(null),
            json!(true),
            json!(7),
            json!(7.5),
            json!([]),
            json!([AUDIENCE]),
            json!({}),
            json!(""),
            json!("\u{0}"),
            json!("a\r\nb"),
            json!("a\u{202e}b"),
            json!("x".repeat(1025)),
        ] {
            refuses(path, &value);
        }
    }
}

#[test]
fn an_integer_is_an_integer_from_zero() {
    for path in INTEGERS {
        for value in [
            json!(null),
            json!(true),
            json!("1800000000"),
            json!(-1),
            json!(1.5),
            json!(1_800_000_000.0),
            json!([1_800_000_000]),
            json!({}),
            json!(u64::MAX),
        ] {
            refuses(path, &value);
        }
    }
    let bed = Bed::new();
    for number in ["1.8e9", "1800000000.0", "18446744073709551616", "-0", "+1", "0x10", "01"] {
        let text = put("/exp", None).replacen('{', &format!("{{\"exp\":{number},"), 1);
        let rejection = bed.refuse(&bed.seal_payload(&text));
        assert!(matches!(rejection, Rejection::Payload | Rejection::Invalid("exp")), "{number}");
    }
}

#[test]
fn an_object_is_an_object_and_not_a_list_of_its_values() {
    for path in OBJECTS {
        for value in [
            json!(null),
            json!(false),
            json!(1),
            json!("task-02"),
            json!([]),
            json!(["task-02", "task-01", 2]),
            json!({}),
        ] {
            refuses(path, &value);
        }
    }
}

#[test]
fn a_list_is_a_list_with_something_in_it() {
    for path in LISTS {
        for value in [
            json!(null),
            json!(false),
            json!(1),
            json!("GET"),
            json!([]),
            json!({}),
            json!([1]),
            json!([[]]),
            json!([null]),
            json!([""]),
            json!(vec!["a"; 33]),
        ] {
            refuses(path, &value);
        }
    }
    refuses("/authorization_details", &json!(vec![json!({"type": "a"}); 33]));
}

#[test]
fn a_member_that_might_narrow_the_token_is_not_passed_over() {
    for path in [
        "/task/x",
        "/act/x",
        "/act/act/x",
        "/authorization_details/0/privileges",
        "/status/x",
        "/status/status_list/x",
    ] {
        refuses(path, &json!("x"));
    }
}

#[test]
fn scope_words_are_separated_by_one_space() {
    for scope in [" a", "a ", "a  b", "a\"b", "a\\b", "ä", "a\tb"] {
        refuses("/scope", &json!(scope));
    }
}

#[test]
fn a_task_has_a_parent_unless_it_is_the_root() {
    refuses("/task/depth", &json!(0));
    refuses("/task/depth", &json!(9));
    refuses("/task", &json!({"id": "task-02", "depth": 1}));
    refuses("/task", &json!({"id": "task-02", "depth": 0}));
    refuses("/task", &json!({"id": "task-00", "parent": "task-00", "depth": 0}));
}

#[test]
fn a_key_that_binds_is_one_thumbprint() {
    let jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    for cnf in [
        json!({}),
        json!([]),
        json!(jkt),
        json!({"jkt": ""}),
        json!({"jkt": [jkt]}),
        json!({"jkt": &jkt[1..]}),
        json!({"jkt": format!("{jkt}=")}),
        json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4J"}),
        json!({"jkt": jkt, "x5t#S256": jkt}),
        json!({"x5t#S256": jkt}),
    ] {
        refuses("/cnf", &cnf);
    }
}

#[test]
fn a_member_that_stands_twice_is_refused_wherever_it_stands() {
    let bed = Bed::new();
    let good = payload().to_string();
    for (one, two) in [
        (r#""aud":"#, r#""aud":"https://evil.example","aud":"#),
        (r#""aud":"#, r#""\u0061ud":"https://evil.example","aud":"#),
        (r#""exp":"#, r#""exp":1800000299,"exp":"#),
        (r#""depth":"#, r#""depth":0,"depth":"#),
        (r#""idx":"#, r#""idx":8,"idx":"#),
        (r#""actions":"#, r#""actions":["DELETE"],"actions":"#),
    ] {
        let doubled = good.replacen(one, two, 1);
        assert_ne!(doubled, good);
        assert_eq!(bed.refuse(&bed.seal_payload(&doubled)), Rejection::Payload, "{doubled}");
    }
}

#[test]
fn issuer_and_audience_are_equal_and_not_alike() {
    let bed = Bed::new();
    for (path, rejection) in [("/iss", Rejection::Issuer), ("/aud", Rejection::Audience)] {
        let good = payload().pointer(path).unwrap().as_str().unwrap().to_owned();
        for other in [
            format!("{good}/"),
            format!("{good} "),
            good[..good.len() - 1].to_owned(),
            good.to_uppercase(),
            "https://other.example".to_owned(),
            format!("{good} https://other.example"),
        ] {
            let token = bed.seal_payload(&put(path, Some(json!(other))));
            assert_eq!(bed.refuse(&token), rejection, "{other}");
        }
    }
}

#[test]
fn a_token_is_good_from_its_first_to_its_last_second_and_five_more() {
    let bed = Bed::new();
    let seconds = NOW.0 / 1000;
    let at = |iat: u64, exp: u64, nbf: Option<u64>, now: u64| {
        let mut payload = payload();
        payload["iat"] = json!(iat);
        payload["exp"] = json!(exp);
        if let Some(nbf) = nbf {
            payload["nbf"] = json!(nbf);
        }
        let token = bed.seal_payload(&payload.to_string());
        bed.verifier.verify(&token, &expected(), UnixMillis(now)).map(|_| ())
    };
    let (iat, exp) = (seconds, seconds + 60);
    assert_eq!(at(iat, exp, None, exp * 1000 + 4_999), Ok(()));
    assert_eq!(at(iat, exp, None, exp * 1000 + 5_000), Err(Rejection::Expired));
    assert_eq!(at(iat, exp, None, iat * 1000 - 5_000), Ok(()));
    assert_eq!(at(iat, exp, None, iat * 1000 - 5_001), Err(Rejection::NotYetValid));
    assert_eq!(at(iat, exp, Some(iat + 30), (iat + 25) * 1000), Ok(()));
    assert_eq!(at(iat, exp, Some(iat + 30), (iat + 25) * 1000 - 1), Err(Rejection::NotYetValid));
    assert_eq!(at(iat, iat + 300, None, NOW.0), Ok(()));
    for exp in [iat + 301, iat, iat - 1, 0, u64::MAX] {
        assert_eq!(at(iat, exp, None, NOW.0), Err(Rejection::Invalid("exp")), "{exp}");
    }
    let end = u64::MAX - 1;
    assert_eq!(at(end, u64::MAX, None, NOW.0), Err(Rejection::NotYetValid));
    assert_eq!(at(iat, exp, None, u64::MAX), Err(Rejection::Expired));
    for nbf in [json!("1"), json!(-1), json!([])] {
        let token = bed.seal_payload(&put("/nbf", Some(nbf)));
        assert_eq!(bed.refuse(&token), Rejection::Invalid("nbf"));
    }
}
