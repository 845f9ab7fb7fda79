use super::*;
use crate::codes;
use crate::grant::Access;
use std::os::unix::fs::symlink;

fn fs(guest: &str, host: &str, access: &str) -> String {
    format!("[[fs]]\nguest = \"{guest}\"\nhost = \"{host}\"\naccess = \"{access}\"\n")
}

fn with_ttl(entries: &[String]) -> String {
    format!("[task]\nttl = \"1m\"\n{}", entries.concat())
}

#[test]
fn writing_inside_reading_is_the_normal_build_step() {
    let bench = Bench::new(&["app/out"]);
    let parsed = bench.parse(with_ttl(&[fs("/", "app", "read"), fs("/out", "app/out", "write")]));
    assert_eq!(warnings(&parsed), []);
    assert_eq!(grant(parsed).fs[1].access, Access::Write);
}

#[test]
fn reading_inside_writing_is_refused_in_either_order() {
    let bench = Bench::new(&["app/out"]);
    let (outer, inner) = (fs("/a", "app", "write"), fs("/b", "app/out", "read"));
    assert_eq!(
        errors(&bench.parse(with_ttl(&[outer.clone(), inner.clone()]))),
        [codes::READ_IN_WRITE]
    );
    assert_eq!(errors(&bench.parse(with_ttl(&[inner, outer]))), [codes::READ_IN_WRITE]);
}

#[test]
fn writing_inside_writing_is_warned_of() {
    let bench = Bench::new(&["app/out"]);
    let parsed = bench.parse(with_ttl(&[fs("/a", "app", "write"), fs("/b", "app/out", "write")]));
    assert_eq!(warnings(&parsed), [codes::WRITE_IN_WRITE]);
}

#[test]
fn a_name_that_only_begins_alike_is_not_inside() {
    let bench = Bench::new(&["app", "app2"]);
    let parsed = bench.parse(with_ttl(&[fs("/a", "app", "write"), fs("/b", "app2", "read")]));
    assert_eq!(errors(&parsed), []);
}

#[test]
fn the_same_guest_path_is_refused_in_every_spelling() {
    let bench = Bench::new(&["a", "b"]);
    let parsed = bench.parse(with_ttl(&[fs("/src", "a", "read"), fs("/src/", "b", "read")]));
    assert_eq!(errors(&parsed), [codes::GUEST_TWICE]);
}

#[test]
fn the_same_directory_is_refused_in_every_spelling() {
    let bench = Bench::new(&["a"]);
    symlink(bench.path().join("a"), bench.path().join("link")).unwrap();
    for again in ["a", "./a/", "a/../a", "link"] {
        let parsed = bench.parse(with_ttl(&[fs("/x", "a", "read"), fs("/y", again, "write")]));
        assert_eq!(errors(&parsed), [codes::HOST_TWICE], "{again}");
    }
}

#[test]
fn a_directory_must_be_there_and_be_one() {
    let bench = Bench::new(&[]);
    fs::write(bench.path().join("file"), "").unwrap();
    for host in ["missing", "file", "file/below", "", "a\\u0000b"] {
        assert_eq!(errors(&bench.parse(fs("/x", host, "read"))), [codes::HOST_DIR], "{host:?}");
    }
}

#[test]
fn shell_shorthands_are_refused_and_not_expanded() {
    let bench = Bench::new(&["~", "$HOME"]);
    for host in ["~", "~/x", "$HOME/x", "${HOME}"] {
        assert_eq!(errors(&bench.parse(fs("/x", host, "read"))), [codes::NOT_EXPANDED], "{host}");
    }
    assert_eq!(errors(&bench.parse(fs("/x", "./~", "read"))), []);
}

#[test]
fn the_root_and_homes_cannot_be_granted_for_anything() {
    let mut bench = Bench::new(&["homes/me/project"]);
    bench.place.homes = vec![bench.path().join("homes/me")];
    for host in ["/", "homes/me", "homes", ".", "homes/me/project/.."] {
        for access in ["read", "write"] {
            assert_eq!(errors(&bench.parse(fs("/x", host, access))), [codes::TOO_BROAD], "{host}");
        }
    }
    assert_eq!(errors(&bench.parse(fs("/x", "homes/me/project", "write"))), []);
}

#[test]
fn a_link_to_the_root_is_the_root() {
    let bench = Bench::new(&[]);
    symlink("/", bench.path().join("web")).unwrap();
    assert_eq!(errors(&bench.parse(fs("/x", "web", "read"))), [codes::TOO_BROAD]);
}

#[test]
fn the_kernels_directories_cannot_be_granted() {
    let bench = Bench::new(&[]);
    for host in ["/proc", "/proc/self", "/sys", "/dev", "/dev/shm"] {
        if Path::new(host).is_dir() {
            assert_eq!(errors(&bench.parse(fs("/x", host, "read"))), [codes::SYSTEM_DIR], "{host}");
        }
    }
}

#[test]
fn writs_own_directories_cannot_be_reached_from_above_or_below() {
    let mut bench = Bench::new(&["cache/writ/code", "cache/other"]);
    bench.place.own = vec![bench.path().join("cache/writ"), bench.path().join("yet/to/come")];
    fs::create_dir_all(bench.path().join("yet")).unwrap();
    for host in ["cache", "cache/writ", "cache/writ/code", "yet"] {
        assert_eq!(errors(&bench.parse(fs("/x", host, "read"))), [codes::OWN_DIR], "{host}");
    }
    assert_eq!(errors(&bench.parse(fs("/x", "cache/other", "read"))), []);
}

#[test]
fn a_guest_path_is_absolute_and_has_one_spelling() {
    let bench = Bench::new(&["a"]);
    for guest in [
        "",
        "src",
        "./src",
        "/a/../b",
        "/a/./b",
        "//a",
        "/a//b",
        "/a//",
        "/..",
        "/a\\\\b",
        "/a\\u0000",
        "/a\\nb",
    ] {
        assert_eq!(errors(&bench.parse(fs(guest, "a", "read"))), [codes::GUEST_PATH], "{guest:?}");
    }
    assert_eq!(grant(bench.parse(fs("/", "a", "read"))).fs[0].guest, "/");
}

#[test]
fn another_word_for_access_is_refused_with_a_guess() {
    let bench = Bench::new(&["a"]);
    for word in ["rw", "r", "Read", "readwrite", ""] {
        assert_eq!(errors(&bench.parse(fs("/x", "a", word))), [codes::BAD_WORD], "{word}");
    }
}

#[test]
fn a_link_that_leads_out_is_warned_of() {
    let (bench, elsewhere) = (Bench::new(&[]), Bench::new(&["target"]));
    symlink(elsewhere.path().join("target"), bench.path().join("web")).unwrap();
    let parsed = bench.parse(with_ttl(&[fs("/x", "./web", "read")]));
    assert_eq!(warnings(&parsed), [codes::DETOUR]);
    assert_eq!(grant(parsed).fs[0].host, elsewhere.path().join("target").canonicalize().unwrap());
}

#[test]
fn writing_where_hooks_or_keys_are_is_warned_of() {
    let bench = Bench::new(&["repo/.git/hooks", "repo/src"]);
    let warned =
        |host: &str, access: &str| warnings(&bench.parse(with_ttl(&[fs("/x", host, access)])));
    assert_eq!(warned("repo", "write"), [codes::TAKEOVER]);
    assert_eq!(warned("repo/.git/hooks", "write"), [codes::TAKEOVER]);
    assert_eq!(warned("repo", "read"), []);
    assert_eq!(warned("repo/src", "write"), []);
}

#[test]
fn reading_where_secrets_are_is_warned_of() {
    let bench = Bench::new(&["app"]);
    fs::write(bench.path().join("app/.env"), "").unwrap();
    assert_eq!(warnings(&bench.parse(with_ttl(&[fs("/x", "app", "read")]))), [codes::SECRETS]);
}

#[test]
fn writing_where_the_system_keeps_its_files_is_warned_of() {
    let bench = Bench::new(&[]);
    let warned = |host: &str, access: &str| {
        warnings(&bench.parse(with_ttl(&[fs("/x", host, access)]))).contains(&codes::SYSTEM_WRITE)
    };
    for host in ["/etc", "/usr", "/usr/bin", "/bin", "/lib", "/var", "/run", "/opt"] {
        if Path::new(host).canonicalize().is_ok_and(|real| real == Path::new(host)) {
            assert!(warned(host, "write"), "{host}");
            assert!(!warned(host, "read"), "{host}");
        }
    }
    assert!(!warned("/var/lib", "write"));
}
