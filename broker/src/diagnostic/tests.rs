#![expect(clippy::unwrap_used, reason = "a test may fail")]
use crate::grant::{Flags, GrantFile, GrantSource, Parsed, Place};
use serde_json::{Value, json};

fn parse(name: &str, text: &str, flags: Flags) -> Parsed {
    let file = GrantFile { name: name.into(), dir: "/".into(), bytes: text.into(), linked: false };
    GrantSource { file: Some(file), flags }.parse(&Place { lint: true, ..Place::default() })
}

const FAULTY: &str = "[task]\nttl = \"1m\"\nttl = \"2m\"\n\n[env]\n\"Ä\" = 1\n";

#[test]
fn json_names_file_line_and_column() {
    let messages = parse("a/grant.toml", FAULTY, Flags::default()).report.to_json();
    assert_eq!(messages[0]["code"], "G0107");
    assert_eq!(messages[0]["severity"], "error");
    assert_eq!(messages[0]["place"]["file"], "a/grant.toml");
    assert_eq!(
        (&messages[0]["place"]["line"], &messages[0]["place"]["column"]),
        (&json!(3), &json!(1))
    );
    assert_eq!(messages[1]["code"], "G0103");
    // Columns count characters: the first on this line has two bytes.
    assert_eq!(messages[1]["place"]["column"], 7);
}

#[test]
fn json_names_the_flag() {
    let flags = Flags { ttl: Some("0s".into()), ..Flags::default() };
    let messages = parse("g.toml", "", flags).report.to_json();
    let message = messages.as_array().unwrap().iter().find(|m| m["code"] == "G0502").unwrap();
    assert_eq!(message["place"]["flag"], "--ttl");
    assert_eq!(message["place"]["file"], Value::Null);
}

/// The parts of the SARIF 2.1.0 schema that a log of ours touches.
fn check_sarif(log: &Value) {
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "writ");
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for rule in rules {
        assert!(rule["id"].is_string());
        assert!(!rule["shortDescription"]["text"].as_str().unwrap().is_empty());
        assert!(!rule["help"]["text"].as_str().unwrap().is_empty());
    }
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(["error", "warning", "note", "none"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        for location in result["locations"].as_array().unwrap() {
            check_location(location);
        }
        for location in result["relatedLocations"].as_array().unwrap() {
            check_location(location);
            assert!(location["message"]["text"].is_string());
        }
    }
}

fn check_location(location: &Value) {
    let Some(place) = location.get("physicalLocation") else {
        assert!(location["logicalLocations"][0]["name"].is_string());
        return;
    };
    assert!(place["artifactLocation"]["uri"].is_string());
    let region = &place["region"];
    let number = |key: &str| region[key].as_u64().unwrap();
    let (start, end) =
        ((number("startLine"), number("startColumn")), (number("endLine"), number("endColumn")));
    assert!(start.0 >= 1 && start.1 >= 1 && start <= end, "{region}");
}

#[test]
fn sarif_has_the_published_structure() {
    let text = "[task]\nttl = \"1m\"\n[limits]\nmemory = \"1MiB\"\n[[http]]\nhost = \"a.example\"\nscheme = \"http\"\n";
    let flags = Flags { limit: vec!["memory=2MiB".into()], ..Flags::default() };
    let log = parse("grant.toml", text, flags).report.to_sarif();
    check_sarif(&log);
    let ids: Vec<&str> = log["runs"][0]["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["ruleId"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["G0312", "G0311", "G0505"]);
    assert_eq!(
        log["runs"][0]["results"][1]["locations"][0]["physicalLocation"]["region"]["startLine"],
        7
    );
    check_sarif(&parse("grant.toml", FAULTY, Flags::default()).report.to_sarif());
    check_sarif(&parse("grant.toml", "", Flags::default()).report.to_sarif());
}

#[test]
fn a_path_becomes_a_valid_uri_reference() {
    let uri = |name: &str| {
        let log = parse(name, FAULTY, Flags::default()).report.to_sarif();
        log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            .clone()
    };
    assert_eq!(uri("a b/ü:%.toml"), "a%20b/%C3%BC%3A%25.toml");
    assert_eq!(uri("/w/grant.toml"), "file:///w/grant.toml");
}

#[test]
fn no_colour_means_no_escape_sequence_and_colour_only_ours() {
    let report = parse("g\u{1b}[2J.toml", FAULTY, Flags::default()).report;
    assert!(!report.render(false).contains('\u{1b}'));
    assert!(report.render(true).contains("\u{1b}["));
    assert!(!report.render(true).contains("\u{1b}[2J"));
}
