//! Tools that others made, unmodified, doing what they are made for.

use crate::harness::{Writ, denied, third_party};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A small TypeScript project: `app/` with an empty `app/out/`, and a file beside it.
fn project() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let app = folder.path().join("app");
    fs::create_dir_all(app.join("lib")).unwrap();
    fs::create_dir(app.join("out")).unwrap();
    for (name, text) in [
        (
            "main.ts",
            "import { greet } from \"./lib/greet\";\nimport data from \"./data.json\";\n\
             enum Mood { Calm, Glad }\n\
             console.log(greet(data.name), Mood[Mood.Glad]);\n",
        ),
        (
            "lib/greet.ts",
            "import { upper } from \"./upper\";\n\
             export const greet = (name: string): string => `hello ${upper(name)}`;\n",
        ),
        (
            "lib/upper.ts",
            "export function upper<T extends string>(text: T) { return text.toUpperCase(); }\n",
        ),
        ("data.json", "{\"name\": \"writ\"}\n"),
        ("leaves.ts", "import { secret } from \"../secret\";\nconsole.log(secret);\n"),
    ] {
        fs::write(app.join(name), text).unwrap();
    }
    fs::write(folder.path().join("secret.ts"), "export const secret = \"leaked\";\n").unwrap();
    folder
}

/// Runs esbuild on the project: sources to read, `out/` in them to write. It computes for less than
/// a second, well within the default bounds.
fn esbuild(project: &Path, words: &[&str]) -> Value {
    let run = Writ::run(&third_party("esbuild")).within(project);
    run.args(&["--read", "./app::/", "--write", "./app/out::/out", "--"]).args(words).json()
}

#[test]
fn esbuild_bundles_a_project_that_node_then_runs() {
    let project = project();
    let words = ["/main.ts", "--bundle", "--minify", "--sourcemap", "--outfile=/out/main.js"];
    let report = esbuild(project.path(), &words);
    assert_eq!(report["exit_code"], 0, "{report}");
    assert_eq!(denied(&report), Vec::<&str>::new());
    let bundle = project.path().join("app/out/main.js");
    let node =
        Command::new("node").arg(&bundle).output().expect("node is installed by the tests' script");
    assert_eq!(String::from_utf8_lossy(&node.stdout), "hello WRIT Glad\n", "{node:?}");
    assert!(project.path().join("app/out/main.js.map").exists());
}

#[test]
fn esbuild_cannot_import_from_outside_the_grant() {
    let project = project();
    let report = esbuild(project.path(), &["/leaves.ts", "--bundle", "--outfile=/out/leaves.js"]);
    assert_eq!(
        (&report["outcome"], &report["exit_code"]),
        (&json!("exited"), &json!(1)),
        "{report}"
    );
    let stderr = report["stderr"].as_str().unwrap();
    assert!(stderr.contains("[ERROR] Could not resolve \"../secret\""), "{stderr}");
    assert!(!project.path().join("app/out/leaves.js").exists());
}

#[test]
fn esbuild_can_write_nowhere_but_out() {
    let project = project();
    for target in ["/dist/main.js", "/main.js", "/lib/greet.ts"] {
        let words = ["/main.ts", "--bundle", "--allow-overwrite", &format!("--outfile={target}")];
        let report = esbuild(project.path(), &words);
        assert_eq!(report["exit_code"], 1, "{report}");
        assert!(denied(&report).contains(&"D0201"), "{target}: {report}");
    }
    let app = project.path().join("app");
    assert!(!app.join("dist").exists() && !app.join("main.js").exists());
    assert!(fs::read_to_string(app.join("lib/greet.ts")).unwrap().contains("hello"));
}

#[test]
fn esbuild_is_held_to_its_limits_like_any_other() {
    let project = project();
    let run = Writ::run(&third_party("esbuild")).within(project.path());
    let run =
        run.args(&["--read", "./app::/", "--write", "./app/out::/out", "--limit", "memory=8MiB"]);
    let report = run.args(&["--", "/main.ts", "--bundle", "--outfile=/out/main.js"]).json();
    assert_eq!((&report["outcome"], &report["limit"]), (&json!("over_limit"), &json!("memory")));
}

/// Runs ripgrep, built from crates.io, on a directory as its working directory.
fn rg(folder: &Path, words: &[&str]) -> Value {
    Writ::run(&third_party("rg")).read(folder, "/").args(&["--"]).args(words).json()
}

/// The corpus of ripgrep's own user guide, in small.
fn sources() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    for (name, text) in [
        ("README.md", "faster than fast\nthe fastest\nslow\n"),
        ("src/main.rs", "fn main() {\n    fn write() {}\n}\n"),
        ("src/lib.rs", "pub fn write_all() {}\n"),
        ("notes.txt", "clap = 1\n"),
        (".ignore", "notes.txt\n"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn ripgrep_passes_examples_of_its_own_guide() {
    let folder = sources();
    for (words, expected) in [
        (&["fast", "/README.md"][..], "faster than fast\nthe fastest\n"),
        (&["fast\\w+", "/README.md", "-o"], "faster\nfastest\n"),
        (&["fast", "/README.md", "--replace", "FAST"], "FASTer than FAST\nthe FASTest\n"),
        (&["fn write\\(", "/src", "--no-filename"], "    fn write() {}\n"),
        (&["-n", "fn write", "/src", "--sort", "path"], "/src/lib.rs:1:pub fn write_all() {}\n"),
        (&["clap", "/"], ""),
        (&["clap", "/", "--no-ignore", "--no-filename"], "clap = 1\n"),
        (
            &["-g", "*.rs", "--count", "write", "/src", "--sort", "path"],
            "/src/lib.rs:1\n/src/main.rs:1\n",
        ),
        (&["--files", "/src", "--sort", "path"], "/src/lib.rs\n/src/main.rs\n"),
    ] {
        let report = rg(folder.path(), words);
        let stdout = report["stdout"].as_str().unwrap();
        match expected {
            "/src/lib.rs:1:pub fn write_all() {}\n" => {
                assert!(stdout.starts_with(expected), "{report}")
            }
            _ => assert_eq!(stdout, expected, "{words:?}: {report}"),
        }
        assert_eq!(report["exit_code"], u8::from(expected.is_empty()), "{words:?}: {report}");
    }
}

#[test]
fn ripgrep_searches_what_is_piped_into_it() {
    let tool = third_party("rg");
    let ran = Writ::new(&["run", tool.to_str().unwrap(), "--", "fast", "-"]);
    let ran = ran.input(b"slow\nfast\n").done();
    assert_eq!((ran.code, ran.text()), (0, "fast\n"), "{ran:?}");
}

#[test]
fn ripgrep_finds_nothing_where_it_may_not_look() {
    let folder = sources();
    let inside = folder.path().join("src");
    std::os::unix::fs::symlink("/etc/passwd", inside.join("link")).unwrap();
    for words in [&["root", "/../README.md"][..], &["root", "/link"], &["--follow", "root", "/"]] {
        let report = rg(&inside, words);
        assert_ne!(report["exit_code"], 0, "{words:?}: {report}");
        assert_eq!(report["stdout"], "", "{words:?}: {report}");
    }
}

#[test]
fn a_javascript_component_runs() {
    for (title, slug) in [("Été à Paris!", "ete-a-paris"), ("", "")] {
        let arguments = json!([title]).to_string();
        let run = Writ::run(&third_party("slugify"));
        let report = run.args(&["--call", "slugify", "--args", &arguments]).json();
        assert_eq!(
            (&report["exit_code"], &report["result"]),
            (&json!(0), &json!(slug)),
            "{report}"
        );
    }
}

#[test]
fn a_python_component_runs() {
    let arguments = json!({"markdown": "# A\n\n```\n# no\n```\n## B\n"}).to_string();
    let run = Writ::run(&third_party("outline"));
    let report = run.args(&["--call", "headings", "--args", &arguments]).json();
    let expected = json!([
        {"level": 1, "text": "A", "line": 1},
        {"level": 2, "text": "B", "line": 6},
    ]);
    assert_eq!((&report["exit_code"], &report["result"]), (&json!(0), &expected), "{report}");
}
