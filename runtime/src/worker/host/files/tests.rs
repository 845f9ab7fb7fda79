#![expect(clippy::unwrap_used, reason = "a test may fail")]

use super::decide::join;
use super::links::stays;
use super::p2::FilesView;
use super::*;
use crate::worker::host::test_support::{Kept, kept};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, HostDescriptor, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::{FsPerms, WasiCtx};
use writ_broker::grant::Access;
use writ_broker::{Decision, FileOp};

fn code(op: FileOp, relative: &str, access: Access) -> Option<String> {
    match decide(op, "/src", relative, access) {
        Decision::Allow(()) => None,
        Decision::Forbid(refusal) => Some(refusal.code.as_str().to_owned()),
    }
}

#[test]
fn a_write_below_a_read_grant_is_refused_by_name() {
    assert_eq!(code(FileOp::Write, "a/b", Access::Read).as_deref(), Some("D0201"));
    assert_eq!(code(FileOp::Write, "a/b", Access::Write), None);
    assert_eq!(code(FileOp::Read, "a/b", Access::Read), None);
    let Decision::Forbid(refusal) = decide(FileOp::Write, "/src", "./a//b", Access::Read) else {
        panic!("allowed");
    };
    assert_eq!(refusal.target, "/src/a/b");
}

#[test]
fn a_path_that_climbs_out_is_refused_whatever_the_access() {
    for path in ["..", "../x", "a/../../x", "/etc/passwd", "/", "./../src/a", "a//../.."] {
        for access in [Access::Read, Access::Write] {
            assert_eq!(code(FileOp::Read, path, access).as_deref(), Some("D0202"), "{path}");
        }
    }
    for path in ["", ".", "a/..", "a/../b", "..a", "a/...", "a/b/../.."] {
        assert_eq!(code(FileOp::Read, path, Access::Read), None, "{path}");
    }
}

#[test]
fn targets_are_named_as_the_guest_sees_them() {
    assert_eq!(join("/src", "a/../b"), "/src/b");
    assert_eq!(join("/src", "../etc"), "/etc");
    assert_eq!(join("/src", "/etc//passwd"), "/etc/passwd");
    assert_eq!(join("/", ""), "/");
}

#[test]
fn a_link_may_climb_only_at_its_start_and_only_to_the_root() {
    assert!(stays("a/b", 0));
    assert!(stays("../a", 1));
    assert!(!stays("../a", 0));
    assert!(!stays("/a", 9));
    assert!(!stays("../../a", 1));
    assert!(!stays("a/../b", 9), "the name before it may be a link");
}

/// Two directories under one grant each, `/src` for reading and `/out` for writing.
struct Sandbox {
    _dir: TempDir,
    src: PathBuf,
    out: PathBuf,
    ctx: WasiCtx,
    table: ResourceTable,
    guard: FilesGuard,
    kept: Arc<Kept>,
}

type Fd = Resource<Descriptor>;

impl Sandbox {
    fn new() -> (Self, Fd, Fd) {
        let dir = tempfile::tempdir().unwrap();
        let (src, out) = (dir.path().join("src"), dir.path().join("out"));
        std::fs::create_dir_all(&src).unwrap();
        std::fs::create_dir_all(&out).unwrap();
        std::fs::write(src.join("a.txt"), "a").unwrap();
        std::fs::write(dir.path().join("secret"), "s").unwrap();
        let mut builder = WasiCtx::builder();
        builder.allow_blocking_current_thread(true);
        builder.preopened_dir(&src, "/src", FsPerms::ReadOnly).unwrap();
        builder.preopened_dir(&out, "/out", FsPerms::ReadWrite).unwrap();
        let (kept, recorder) = kept();
        let mut sandbox = Self {
            _dir: dir,
            src,
            out,
            ctx: builder.build(),
            table: ResourceTable::new(),
            guard: FilesGuard::new(recorder, DiskBudget::new(1 << 20)),
            kept,
        };
        let mut roots = preopens::Host::get_directories(&mut sandbox.view()).unwrap().into_iter();
        let (src, out) = (roots.next().unwrap().0, roots.next().unwrap().0);
        (sandbox, src, out)
    }

    fn view(&mut self) -> FilesView<'_> {
        FilesView { ctx: self.ctx.filesystem(), table: &mut self.table, guard: &mut self.guard }
    }

    async fn open(&mut self, fd: &Fd, path: &str, wish: Wanted) -> Result<Fd, ErrorCode> {
        let (open, access) = match wish {
            Wanted::Read => (OpenFlags::empty(), DescriptorFlags::READ),
            Wanted::Write => (OpenFlags::empty(), DescriptorFlags::WRITE),
            Wanted::Create => (OpenFlags::CREATE, DescriptorFlags::WRITE),
            Wanted::Directory => (OpenFlags::DIRECTORY, DescriptorFlags::READ),
        };
        let fd = Resource::new_borrow(fd.rep());
        let path = path.to_owned();
        seen(self.view().open_at(fd, PathFlags::SYMLINK_FOLLOW, path, open, access).await)
    }

    fn refused(&self, code: &str, target: &str) {
        let expected = [(code.to_owned(), target.to_owned())];
        assert_eq!(self.kept.refusals(), expected, "refused and recorded once");
    }
}

#[derive(Clone, Copy)]
enum Wanted {
    Read,
    Write,
    Create,
    Directory,
}

fn again(fd: &Fd) -> Fd {
    Resource::new_borrow(fd.rep())
}

fn seen<T>(result: FsResult<T>) -> Result<T, ErrorCode> {
    result.map_err(|error| error.downcast().unwrap())
}

fn fifo(path: &Path) {
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    rustix::fs::mkfifoat(rustix::fs::CWD, path, mode).unwrap();
}

#[tokio::test]
async fn what_the_grant_allows_works_and_is_counted_not_recorded() {
    let (mut sandbox, src, out) = Sandbox::new();
    let file = sandbox.open(&src, "a.txt", Wanted::Read).await.unwrap();
    let (bytes, _) = seen(sandbox.view().read(again(&file), 100, 0).await).unwrap();
    assert_eq!(bytes, b"a");
    let made = sandbox.open(&out, "b.txt", Wanted::Create).await.unwrap();
    seen(sandbox.view().write(again(&made), b"b".to_vec(), 0).await).unwrap();
    assert_eq!(std::fs::read(sandbox.out.join("b.txt")).unwrap(), b"b");
    HostDescriptor::drop(&mut sandbox.view(), made).unwrap();
    assert!(sandbox.kept.refusals().is_empty());
    assert_eq!(sandbox.guard.allowed(), 3);
}

#[tokio::test]
async fn every_kind_of_write_below_a_read_grant_is_recorded() {
    let (mut sandbox, src, out) = Sandbox::new();
    let times = || (NewTimestamp::Now, NewTimestamp::Now);
    for wish in [Wanted::Write, Wanted::Create] {
        let refused = sandbox.open(&src, "a.txt", wish).await;
        assert_eq!(refused.unwrap_err(), ErrorCode::ReadOnly);
    }
    let (fd, path, mut view) = (|| again(&src), || "a.txt".to_owned(), sandbox.view());
    let all = [
        seen(view.create_directory_at(fd(), "d".to_owned()).await),
        seen(view.remove_directory_at(fd(), "d".to_owned()).await),
        seen(view.unlink_file_at(fd(), path()).await),
        seen(view.symlink_at(fd(), "x".to_owned(), path()).await),
        seen(view.set_times_at(fd(), PathFlags::empty(), path(), times().0, times().1).await),
        seen(view.rename_at(fd(), path(), again(&out), path()).await),
        seen(view.link_at(fd(), PathFlags::empty(), path(), again(&out), path()).await),
        seen(view.set_times(fd(), times().0, times().1).await),
    ];
    for result in all {
        assert_eq!(result.unwrap_err(), ErrorCode::ReadOnly);
    }
    let refusals = sandbox.kept.refusals();
    assert_eq!(refusals.len(), 10);
    assert!(refusals.iter().all(|(code, target)| code == "D0201" && target.starts_with("/src")));
    assert_eq!(std::fs::read_dir(&sandbox.src).unwrap().count(), 1, "nothing changed");
    assert_eq!(std::fs::read_dir(&sandbox.out).unwrap().count(), 0, "nothing came over");
}

#[tokio::test]
async fn a_file_opened_for_reading_cannot_be_written_through() {
    let (mut sandbox, src, _) = Sandbox::new();
    let file = sandbox.open(&src, "a.txt", Wanted::Read).await.unwrap();
    let result = seen(sandbox.view().set_size(again(&file), 0).await);
    assert_eq!(result.unwrap_err(), ErrorCode::ReadOnly);
    sandbox.refused("D0201", "/src/a.txt");
}

#[tokio::test]
async fn a_directory_opened_below_a_read_grant_stays_read_only_and_keeps_its_name() {
    let (mut sandbox, src, _) = Sandbox::new();
    std::fs::create_dir(sandbox.src.join("deep")).unwrap();
    let deep = sandbox.open(&src, "deep", Wanted::Directory).await.unwrap();
    let refused = sandbox.open(&deep, "new", Wanted::Create).await;
    assert_eq!(refused.unwrap_err(), ErrorCode::ReadOnly);
    sandbox.refused("D0201", "/src/deep/new");
}

#[tokio::test]
async fn a_link_that_leads_outside_is_refused_and_recorded() {
    for target in ["../secret", "/etc/passwd"] {
        let (mut sandbox, src, _) = Sandbox::new();
        symlink(target, sandbox.src.join("link")).unwrap();
        let refused = sandbox.open(&src, "link", Wanted::Read).await;
        assert_eq!(refused.unwrap_err(), ErrorCode::NotPermitted);
        sandbox.refused("D0202", "/src/link");
    }
}

#[tokio::test]
async fn a_stat_through_a_link_that_leads_outside_is_recorded_too() {
    let (mut sandbox, src, _) = Sandbox::new();
    symlink("../secret", sandbox.src.join("link")).unwrap();
    let follow = PathFlags::SYMLINK_FOLLOW;
    let refused = seen(sandbox.view().stat_at(again(&src), follow, "link".to_owned()).await);
    assert_eq!(refused.unwrap_err(), ErrorCode::NotPermitted);
    sandbox.refused("D0202", "/src/link");
}

#[tokio::test]
async fn a_missing_file_is_not_a_denial() {
    let (mut sandbox, src, _) = Sandbox::new();
    let missing = sandbox.open(&src, "nope", Wanted::Read).await;
    assert_eq!(missing.unwrap_err(), ErrorCode::NoEntry);
    assert!(sandbox.kept.refusals().is_empty());
}

#[tokio::test]
async fn a_fifo_a_socket_and_a_link_to_a_fifo_are_never_opened() {
    let (mut sandbox, src, out) = Sandbox::new();
    fifo(&sandbox.out.join("fifo"));
    fifo(&sandbox.src.join("fifo"));
    symlink("fifo", sandbox.src.join("link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(sandbox.out.join("socket")).unwrap();
    let asked = [
        (&src, "fifo", Wanted::Read),
        (&src, "link", Wanted::Read),
        (&out, "fifo", Wanted::Write),
        (&out, "fifo", Wanted::Create),
        (&out, "socket", Wanted::Read),
    ];
    for (fd, path, wish) in asked {
        assert_eq!(sandbox.open(fd, path, wish).await.unwrap_err(), ErrorCode::Access);
    }
    let refusals = sandbox.kept.refusals();
    assert_eq!(refusals.len(), 5);
    assert!(refusals.iter().all(|(code, _)| code == "D0203"));
}

#[tokio::test]
async fn a_device_is_never_opened() {
    let mut sandbox = Sandbox::new().0;
    let mut builder = WasiCtx::builder();
    builder.preopened_dir("/dev", "/dev", FsPerms::ReadOnly).unwrap();
    sandbox.ctx = builder.build();
    let roots = preopens::Host::get_directories(&mut sandbox.view()).unwrap();
    let refused = sandbox.open(&roots[0].0, "null", Wanted::Read).await;
    assert_eq!(refused.unwrap_err(), ErrorCode::Access);
    sandbox.refused("D0203", "/dev/null");
}

/// Runs on a thread of its own, which may then read no file at all.
fn without_reading(test: impl FnOnce() + Send + 'static) {
    use landlock::{AccessFs, Ruleset, RulesetAttr, RulesetStatus};
    let thread = std::thread::spawn(move || {
        let rules = Ruleset::default().handle_access(AccessFs::ReadFile).unwrap();
        let status = rules.create().unwrap().restrict_self().unwrap();
        assert_ne!(status.ruleset, RulesetStatus::NotEnforced, "the kernel has landlock");
        test();
    });
    thread.join().unwrap();
}

#[test]
fn what_the_system_refuses_after_the_grant_allowed_it_is_recorded_as_such() {
    let (mut sandbox, src, _) = Sandbox::new();
    without_reading(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let refused = runtime.block_on(sandbox.open(&src, "a.txt", Wanted::Read));
        assert_eq!(refused.unwrap_err(), ErrorCode::Access);
        sandbox.refused("D0204", "/src/a.txt");
    });
}

#[tokio::test]
async fn a_guest_cannot_leave_a_link_that_leads_a_later_tool_out() {
    for (target, path) in [("/etc/passwd", "l"), ("../secret", "l"), ("a/../../secret", "l")] {
        let (mut sandbox, _, out) = Sandbox::new();
        let made = sandbox.view().symlink_at(again(&out), target.to_owned(), path.to_owned()).await;
        assert_eq!(seen(made).unwrap_err(), ErrorCode::NotPermitted, "{target}");
        sandbox.refused("D0202", "/out/l");
        assert!(sandbox.out.join(path).symlink_metadata().is_err());
    }
}

#[tokio::test]
async fn a_path_of_megabytes_is_recorded_in_part() {
    let (mut sandbox, src, _) = Sandbox::new();
    let path = "../".to_owned() + &"é".repeat(4_500_000);
    let refused = sandbox.open(&src, &path, Wanted::Read).await;
    assert_eq!(refused.unwrap_err(), ErrorCode::NotPermitted);
    let refusals = sandbox.kept.refusals();
    assert_eq!(refusals.len(), 1, "recorded once");
    assert!(refusals[0].1.len() < 4200 && refusals[0].1.ends_with("(9000001 bytes)"));
    sandbox.open(&src, "a.txt", Wanted::Read).await.unwrap();
}

#[tokio::test]
async fn a_link_that_stays_inside_is_made() {
    let (mut sandbox, _, out) = Sandbox::new();
    std::fs::create_dir(sandbox.out.join("bin")).unwrap();
    let made = sandbox.view().symlink_at(again(&out), "../x".to_owned(), "bin/l".to_owned()).await;
    seen(made).unwrap();
    assert_eq!(std::fs::read_link(sandbox.out.join("bin/l")).unwrap(), Path::new("../x"));
}

#[tokio::test]
async fn a_link_made_through_a_shortcut_is_measured_where_it_really_is() {
    let (mut sandbox, _, out) = Sandbox::new();
    std::fs::create_dir_all(sandbox.out.join("deep/deeper")).unwrap();
    std::fs::create_dir(sandbox.out.join("top")).unwrap();
    symlink("../../top", sandbox.out.join("deep/deeper/short")).unwrap();
    let path = "deep/deeper/short/l".to_owned();
    let made = sandbox.view().symlink_at(again(&out), "../../secret".to_owned(), path).await;
    assert_eq!(seen(made).unwrap_err(), ErrorCode::NotPermitted);
    assert!(sandbox.out.join("top/l").symlink_metadata().is_err());
}

#[tokio::test]
async fn a_directory_that_was_moved_up_gives_no_more_room_to_climb() {
    let (mut sandbox, _, out) = Sandbox::new();
    std::fs::create_dir_all(sandbox.out.join("a/b")).unwrap();
    let b = sandbox.open(&out, "a/b", Wanted::Directory).await.unwrap();
    let moved = sandbox.view().rename_at(again(&out), "a/b".into(), again(&out), "b".into()).await;
    seen(moved).unwrap();
    let made = sandbox.view().symlink_at(again(&b), "../../secret".into(), "l".into()).await;
    assert_eq!(seen(made).unwrap_err(), ErrorCode::NotPermitted);
}

#[tokio::test]
async fn a_link_cannot_be_moved_to_where_it_leads_out() {
    for moved in ["a/b/l", "a/b"] {
        let (mut sandbox, _, out) = Sandbox::new();
        std::fs::create_dir_all(sandbox.out.join("a/b")).unwrap();
        symlink("../../secret", sandbox.out.join("a/b/l")).unwrap();
        let mut view = sandbox.view();
        let result = view.rename_at(again(&out), moved.into(), again(&out), "top".into()).await;
        assert_eq!(seen(result).unwrap_err(), ErrorCode::NotPermitted, "{moved}");
        sandbox.refused("D0202", "/out/top");
        assert!(sandbox.out.join("a/b/l").symlink_metadata().is_ok());
    }
    let (mut sandbox, _, out) = Sandbox::new();
    std::fs::create_dir_all(sandbox.out.join("a/b")).unwrap();
    symlink("../../secret", sandbox.out.join("a/b/l")).unwrap();
    let flags = PathFlags::empty();
    let mut view = sandbox.view();
    let linked = view.link_at(again(&out), flags, "a/b/l".into(), again(&out), "top".into()).await;
    assert_eq!(seen(linked).unwrap_err(), ErrorCode::NotPermitted, "nor by a hard link");
}

#[tokio::test]
async fn a_dropped_descriptor_is_forgotten() {
    let (mut sandbox, src, _) = Sandbox::new();
    for _ in 0..1000 {
        let file = sandbox.open(&src, "a.txt", Wanted::Read).await.unwrap();
        HostDescriptor::drop(&mut sandbox.view(), file).unwrap();
    }
    assert_eq!(sandbox.guard.known(), 2, "the two preopens");
}

#[tokio::test]
async fn files_and_directories_are_told_apart() {
    let (mut sandbox, src, out) = Sandbox::new();
    std::fs::create_dir(sandbox.out.join("d")).unwrap();
    let not = sandbox.open(&src, "a.txt", Wanted::Directory).await;
    assert_eq!(not.unwrap_err(), ErrorCode::NotDirectory);
    let is = sandbox.open(&out, "d", Wanted::Write).await;
    assert_eq!(is.unwrap_err(), ErrorCode::IsDirectory);
    let file = sandbox.open(&src, "a.txt", Wanted::Read).await.unwrap();
    let below = sandbox.open(&file, "x", Wanted::Read).await;
    assert_eq!(below.unwrap_err(), ErrorCode::NotDirectory);
}

#[tokio::test]
async fn a_link_to_its_own_directory_does_not_make_paths_grow_for_ever() {
    let (mut sandbox, _, out) = Sandbox::new();
    symlink(".", sandbox.out.join("self")).unwrap();
    let mut here = again(&out);
    for _ in 0..2000 {
        here = sandbox.open(&here, "self", Wanted::Directory).await.unwrap();
    }
    assert!(sandbox.guard.path(here.rep()).len() <= 4096);
}
