//! Who may import whom, and what may not be forgotten.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

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

fn dependencies(manifest: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join(manifest)).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let names = |section: &str| {
        manifest.get(section).and_then(|table| table.as_table()).into_iter().flatten()
    };
    names("dependencies").map(|(name, _)| name.clone()).collect()
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
    let dependencies = dependencies("broker/Cargo.toml");
    for forbidden in ["wasmtime", "wasmtime-wasi", "writ-runtime", "tokio", "hyper"] {
        assert!(!dependencies.contains(forbidden), "the broker depends on {forbidden}");
    }
    never_names("broker/src", &["wasmtime::", "writ_runtime"]);
}

#[test]
fn the_runtime_knows_no_signing_key() {
    let dependencies = dependencies("runtime/Cargo.toml");
    for forbidden in ["jsonwebtoken", "writ-cli"] {
        assert!(!dependencies.contains(forbidden), "the runtime depends on {forbidden}");
    }
    never_names("runtime/src", &["jsonwebtoken", "writ_cli"]);
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
    let metadata = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--locked", "--format-version", "1"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let accepted = ["MIT", "Apache-2.0", "BSD-", "ISC", "Zlib", "Unicode-3.0", "CC0-1.0", "CDLA-"];
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100);
    for package in packages.iter().filter(|package| !package["source"].is_null()) {
        let name = package["name"].as_str().unwrap();
        let source = package["source"].as_str().unwrap();
        assert!(source.starts_with("registry+"), "{name} comes from {source}");
        let licence = package["license"].as_str().unwrap_or("none");
        let fits = accepted.iter().any(|accepted| licence.contains(accepted));
        assert!(fits, "{name} is under {licence}");
    }
}

#[test]
fn only_the_output_module_prints() {
    for (path, text) in sources("src") {
        let prints = text.contains("println!") || text.contains("print!(");
        assert!(!prints || path.ends_with("src/output/mod.rs"), "{} prints", path.display());
    }
}

#[test]
fn every_fixture_has_a_test() {
    let tests: String = sources("tests")
        .into_iter()
        .filter(|(path, _)| !path.starts_with(root().join("tests/guests")))
        .map(|(_, text)| text)
        .collect();
    for entry in std::fs::read_dir(root().join("tests/guests")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let fixture = path.join("Cargo.toml").exists()
            || path.extension().is_some_and(|ending| ending == "wat");
        assert!(
            !fixture || tests.contains(&format!("\"{name}\"")),
            "no test runs the fixture {name}"
        );
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
