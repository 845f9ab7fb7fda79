//! A worker whose guest has broken out of wasmtime: it is confined like any worker, then tries one
//! thing. Exits with 0 if it was stopped, 1 if it got through, 2 if it cannot tell.
#![expect(unsafe_code, reason = "it makes the system calls that safe wrappers do not offer")]
#![expect(clippy::print_stderr, reason = "its last words go into the report of the test")]

use std::ffi::CString;
use std::io;
use std::process::exit;

fn main() {
    let attempt = std::env::args().nth(1).unwrap_or_default();
    let parent = unsafe { libc::getppid() };
    let Ok(_armed) = writ_runtime::worker::arm() else { exit(2) };
    match attempt_named(&attempt, parent) {
        Some(Ok(())) => exit(1),
        Some(Err(error)) => {
            eprintln!("{attempt}: {error}");
            exit(0)
        }
        None => exit(2),
    }
}

fn attempt_named(name: &str, parent: libc::pid_t) -> Option<io::Result<()>> {
    Some(match name {
        "read-outside" => std::fs::read("/etc/passwd").map(drop),
        "list-root" => std::fs::read_dir("/").map(drop),
        "write-outside" => std::fs::write("/tmp/writ-probe-was-here", "x"),
        "read-parent-memory" => std::fs::File::open(format!("/proc/{parent}/mem")).map(drop),
        "read-parent-environment" => std::fs::read(format!("/proc/{parent}/environ")).map(drop),
        "copy-parent-memory" => copy_memory(parent),
        "trace-parent" => call(unsafe { libc::ptrace(libc::PTRACE_ATTACH, parent, 0, 0) }),
        "signal-parent" => call(i64::from(unsafe { libc::kill(parent, 0) })),
        "thread-signal-parent" => {
            call(unsafe { libc::syscall(libc::SYS_tgkill, parent, parent, 0) })
        }
        "socket-inet" => socket(libc::AF_INET),
        "socket-inet6" => socket(libc::AF_INET6),
        "socket-unix" => socket(libc::AF_UNIX),
        "socket-netlink" => socket(libc::AF_NETLINK),
        "socket-vsock" => socket(libc::AF_VSOCK),
        "execute" => execute(),
        "fork" => call(unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) }),
        "new-namespaces" => call(i64::from(unsafe { libc::unshare(libc::CLONE_NEWUSER) })),
        "mount" => mount(),
        "new-root" => call(i64::from(unsafe { libc::chroot(c"/".as_ptr()) })),
        "io-uring" => call(unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, 0) }),
        "bpf" => call(unsafe { libc::syscall(libc::SYS_bpf, 0, 0, 0) }),
        "keys" => call(unsafe { libc::syscall(libc::SYS_keyctl, 0, 0, 0, 0, 0) }),
        "open-by-handle" => call(unsafe { libc::syscall(libc::SYS_open_by_handle_at, 0, 0, 0) }),
        "pidfd" => call(unsafe { libc::syscall(libc::SYS_pidfd_open, parent, 0) }),
        "writable-code" => writable_code(),
        "raise-limits" => raise_limits(),
        "make-fifo" => make_fifo(),
        // The honest controls: these must get through.
        "read-granted" => in_directory(|path| std::fs::read(format!("{path}/file")).map(drop)),
        "write-granted" => in_directory(|path| std::fs::write(format!("{path}/written"), "x")),
        _ => return None,
    })
}

fn call(result: libc::c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn socket(family: libc::c_int) -> io::Result<()> {
    call(i64::from(unsafe { libc::socket(family, libc::SOCK_STREAM, 0) }))
}

fn execute() -> io::Result<()> {
    let program = CString::new("/bin/true")?;
    let arguments = [program.as_ptr(), std::ptr::null()];
    call(i64::from(unsafe { libc::execv(program.as_ptr(), arguments.as_ptr()) }))
}

fn mount() -> io::Result<()> {
    let none = std::ptr::null();
    let made =
        unsafe { libc::mount(c"none".as_ptr(), c"/mnt".as_ptr(), c"tmpfs".as_ptr(), 0, none) };
    call(i64::from(made))
}

fn copy_memory(parent: libc::pid_t) -> io::Result<()> {
    let mut byte = 0_u8;
    let local = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let remote = libc::iovec { iov_base: 0x1000 as *mut libc::c_void, iov_len: 1 };
    let copied =
        unsafe { libc::process_vm_readv(parent, &raw const local, 1, &raw const remote, 1, 0) };
    let error = io::Error::last_os_error();
    // A bad address would mean that the kernel was willing to look.
    if copied < 0 && error.raw_os_error() == Some(libc::EFAULT) {
        Ok(())
    } else {
        call(copied as i64)
    }
}

fn writable_code() -> io::Result<()> {
    let protection = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let mapped = unsafe { libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0) };
    if mapped == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn raise_limits() -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    call(i64::from(unsafe { libc::setrlimit(libc::RLIMIT_DATA, &raw const limit) }))
}

/// Runs in the granted directory: the lowest descriptor that is one.
fn in_directory(run: impl Fn(&str) -> io::Result<()>) -> io::Result<()> {
    for descriptor in 3..32 {
        let path = format!("/proc/self/fd/{descriptor}");
        if std::fs::metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
            return run(&path);
        }
    }
    Err(io::Error::other("no directory was granted"))
}

fn make_fifo() -> io::Result<()> {
    in_directory(|path| {
        let path = CString::new(format!("{path}/fifo"))?;
        call(i64::from(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }))
    })
}
