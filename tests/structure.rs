//! Who may import whom, and what may not be forgotten.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use writ_broker::limits::FIELDS;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}

fn metadata(manifest: &str) -> Value {
    let metadata = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--locked", "--format-version", "1"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu", "--manifest-path"])
        .arg(root().join(manifest))
        .output()
        .unwrap();
    serde_json::from_slice(&metadata.stdout).unwrap_or_else(|error| panic!("{error}: {metadata:?}"))
}

fn items(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Everything that is linked into what depends on a crate, however far away.
fn dependencies(metadata: &Value, package: &str) -> BTreeSet<String> {
    let packages = items(&metadata["packages"]);
    let named = |id: &str| packages.iter().find(|package| text(&package["id"]) == id).unwrap();
    let start = packages.iter().find(|it| text(&it["name"]) == package).unwrap();
    let (mut names, mut ids) = (BTreeSet::new(), vec![text(&start["id"])]);
    let mut seen = BTreeSet::new();
    while let Some(id) = ids.pop() {
        let nodes = items(&metadata["resolve"]["nodes"]);
        let node = nodes.iter().find(|node| text(&node["id"]) == id).unwrap();
        for dependency in items(&node["deps"]) {
            let linked = items(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
            let id = text(&dependency["pkg"]);
            if linked && seen.insert(id) {
                names.insert(text(&named(id)["name"]).to_owned());
                ids.push(id);
            }
        }
    }
    names
}

fn never_names(folder: &str, words: &[&str]) {
    for (path, text) in sources(folder) {
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for word in words {
                assert!(!line.contains(word), "{} names {word}: {line}", path.display());
            }
        }
    }
}

#[test]
fn the_broker_decides_without_the_runtime_or_wasmtime() {
    let linked = dependencies(&metadata("Cargo.toml"), "writ-broker");
    assert!(linked.contains("toml") && linked.contains("winnow"), "{linked:?}");
    for forbidden in ["writ-runtime", "writ-cli"] {
        assert!(!linked.contains(forbidden), "the broker depends on {forbidden}");
    }
    let engine = linked.iter().find(|name| name.starts_with("wasmtime"));
    assert_eq!(engine, None, "the broker depends on it");
    // Clients of upstream services are for the program, and not for who only checks tokens.
    let manifest = std::fs::read_to_string(root().join("broker/Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    for heavy in ["age", "hyper", "rustls", "tokio-postgres", "tokio-rustls"] {
        let optional = manifest["dependencies"][heavy].get("optional");
        assert_eq!(optional.and_then(toml::Value::as_bool), Some(true), "{heavy} is not optional");
    }
    never_names("broker/src", &["wasmtime::", "writ_runtime"]);
}

#[test]
fn the_runtime_knows_no_signing_key() {
    let dependencies = dependencies(&metadata("Cargo.toml"), "writ-runtime");
    assert!(dependencies.contains("writ-broker") && dependencies.contains("wasmtime-environ"));
    for forbidden in ["jsonwebtoken", "writ-cli"] {
        assert!(!dependencies.contains(forbidden), "the runtime depends on {forbidden}");
    }
    never_names("runtime/src", &["jsonwebtoken", "writ_cli"]);
}

#[test]
fn the_sdk_of_guests_stands_alone() {
    let dependencies = dependencies(&metadata("guest-sdk/Cargo.toml"), "writ-guest");
    assert!(dependencies.contains("wasip2"), "{dependencies:?}");
    let ours = dependencies.iter().find(|name| name.starts_with("writ"));
    assert_eq!(ours, None, "the SDK depends on it");
}

#[test]
fn there_is_one_crypto_provider_in_the_tree() {
    // `ring` stands in the lock file as an option of others; nothing may build it.
    let tree = std::process::Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--locked",
            "-e",
            "normal,build",
            "-p",
            "writ-cli",
            "--prefix",
            "none",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.contains("aws-lc-rs v"), "{tree}");
    for other in ["ring v", "openssl v", "native-tls v"] {
        assert!(!tree.lines().any(|line| line.starts_with(other)), "the tree builds {other}");
    }
}

#[test]
fn every_dependency_comes_from_the_registry_under_a_licence_that_may_be_shipped() {
    let deny: toml::Table =
        std::fs::read_to_string(root().join("deny.toml")).unwrap().parse().unwrap();
    let accepted = deny["licenses"]["allow"].as_array().unwrap();
    let accepted: Vec<&str> = accepted.iter().map(|licence| licence.as_str().unwrap()).collect();
    let metadata = metadata("Cargo.toml");
    let packages = items(&metadata["packages"]);
    assert!(packages.len() > 100);
    for package in packages.iter().filter(|package| !package["source"].is_null()) {
        let (name, source) = (text(&package["name"]), text(&package["source"]));
        assert!(source.starts_with("registry+"), "{name} comes from {source}");
        let licence = package["license"].as_str().unwrap_or("none");
        assert!(can_be_met(licence, &accepted), "{name} is under {licence}");
    }
}

/// Whether accepted licences are enough for an SPDX expression: of `OR` one side, of `AND` both.
fn can_be_met(expression: &str, accepted: &[&str]) -> bool {
    let expression = expression.trim();
    let (any, all) = (split(expression, " OR "), split(expression, " AND "));
    if any.len() > 1 {
        return any.iter().any(|part| can_be_met(part, accepted));
    }
    if all.len() > 1 {
        return all.iter().all(|part| can_be_met(part, accepted));
    }
    if let Some(inner) = expression.strip_prefix('(').and_then(|it| it.strip_suffix(')')) {
        return can_be_met(inner, accepted);
    }
    // The old way to write `OR`.
    expression.split('/').any(|licence| accepted.contains(&licence.trim()))
}

/// Cuts at a word that stands outside of all parentheses.
fn split<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b' ' if depth == 0 && at >= start && text[at..].starts_with(word) => {
                parts.push(&text[start..at]);
                start = at + word.len();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[test]
fn a_licence_is_met_by_what_is_accepted_and_nothing_else() {
    let accepted = ["MIT", "ISC", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"];
    for met in [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-3.0 OR MIT",
        "ISC AND (GPL-3.0 OR MIT)",
        "(GPL-3.0 AND ISC) OR MIT AND ISC",
        "Apache-2.0 WITH LLVM-exception",
    ] {
        assert!(can_be_met(met, &accepted), "{met}");
    }
    for unmet in [
        "GPL-3.0 AND MIT",
        "MIT AND (GPL-3.0 OR AGPL-3.0)",
        "(MIT OR ISC) AND GPL-3.0",
        "MIT-Advertising",
        "GPL-3.0 WITH LLVM-exception",
        "none",
        "",
    ] {
        assert!(!can_be_met(unmet, &accepted), "{unmet}");
    }
}

#[test]
fn only_the_output_module_prints() {
    for (path, text) in sources("src") {
        let prints = text.contains("println!") || text.contains("print!(");
        assert!(!prints || path.ends_with("src/output/mod.rs"), "{} prints", path.display());
    }
}

/// All tests that start the program, as text.
fn tests() -> String {
    let guests = root().join("tests/guests");
    let tests = sources("tests").into_iter().filter(|(path, _)| !path.starts_with(&guests));
    tests.map(|(_, text)| text).collect()
}

#[test]
fn every_fixture_has_a_test() {
    let tests = tests();
    // A name alone proves nothing: `http` and `files` stand in the tests for other reasons too.
    let ways = ["guest(", "run(", "refuses(", "refuses_call(", "inspected(", "for name in ["];
    let mut fixtures = 0;
    for folder in ["tests/guests", "tests/guests/wat"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let fixture = path.join("Cargo.toml").exists()
                || path.extension().is_some_and(|ending| ending == "wat");
            let is_run = || ways.iter().any(|way| tests.contains(&format!("{way}\"{name}\"")));
            assert!(!fixture || is_run(), "no test runs the fixture {name}");
            fixtures += usize::from(fixture);
        }
    }
    assert!(fixtures > 20, "{fixtures} fixtures were found");
}

#[test]
fn every_limit_has_a_test_in_which_it_is_hit() {
    let tests = tests();
    for field in FIELDS {
        let name = field.name;
        let hit = tests.lines().any(|line| {
            let named = line.contains(&format!("\"{name}\");"));
            named && (line.contains("over(") || line.contains("cut("))
        });
        assert!(hit, "no test hits the limit {name}");
    }
}

#[test]
fn the_cache_is_named_after_the_wasmtime_that_is_locked() {
    let lock: toml::Table =
        std::fs::read_to_string(root().join("Cargo.lock")).unwrap().parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    let wasmtime = packages.iter().find(|package| package["name"].as_str() == Some("wasmtime"));
    let version = wasmtime.unwrap()["version"].as_str().unwrap();
    let cache = std::fs::read_to_string(root().join("runtime/src/cache.rs")).unwrap();
    assert!(cache.contains(&format!("const WASMTIME: &str = \"{version}\";")));
}
