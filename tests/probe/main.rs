//! A worker whose guest has broken out of wasmtime: it is confined like any worker, then tries one
//! thing. Exits with 0 if it was refused, 1 if it got through, 2 if it cannot tell.
//!
//! Refused means that the wall said no: another error may come from what it was asked for, and would
//! come without a wall as well. `without CALL PROGRAM …` runs a program that has no such call.
#![expect(unsafe_code, reason = "it makes the system calls that safe wrappers do not offer")]
#![expect(clippy::print_stderr, reason = "its last words go into the report of the test")]

use std::ffi::CString;
use std::io;
use std::process::exit;
use writ_broker::Limits;

/// `fcntl(2)`: which signal tells of input. The libc crate does not have it.
const F_SETSIG: i32 = 10;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [word, call, program, arguments @ ..] = words.as_slice()
        && word == "without"
    {
        eprintln!("{}", without(call, program, arguments));
        exit(2);
    }
    let attempt = words.into_iter().next().unwrap_or_default();
    let parent = unsafe { libc::getppid() };
    let Ok(_armed) = writ_runtime::worker::arm() else { exit(2) };
    match attempt_named(&attempt, parent) {
        Some(Ok(())) => exit(1),
        Some(Err(error)) => {
            eprintln!("{attempt}: {error}");
            // The one call that is told to be absent; see the filter.
            let absent = attempt == "memfd-memory";
            match error.raw_os_error() {
                Some(libc::EPERM | libc::EACCES) => exit(0),
                Some(libc::ENOSYS) if absent => exit(0),
                Some(libc::EMFILE) if attempt == "descriptors-without-end" => exit(0),
                _ => exit(2),
            }
        }
        None => exit(2),
    }
}

/// Becomes a program for which a system call does not exist, as on an older kernel.
fn without(call: &str, program: &str, arguments: &[String]) -> io::Error {
    let number = match call {
        "landlock" => libc::SYS_landlock_create_ruleset,
        _ => return io::Error::other("see the source for the calls"),
    };
    let Ok(number) = u32::try_from(number) else { return io::Error::other("no such number") };
    let absent = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
    let jump = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    let ret = (libc::BPF_RET | libc::BPF_K) as u16;
    let mut filter = unsafe {
        [
            libc::BPF_STMT((libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16, 0),
            libc::BPF_JUMP(jump, number, 0, 1),
            libc::BPF_STMT(ret, absent),
            libc::BPF_STMT(ret, libc::SECCOMP_RET_ALLOW),
        ]
    };
    let code = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    let mode = libc::SECCOMP_MODE_FILTER;
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } < 0
        || unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const code) } < 0
    {
        return io::Error::last_os_error();
    }
    std::os::unix::process::CommandExt::exec(std::process::Command::new(program).args(arguments))
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
        "io-uring" => io_uring(),
        "bpf" => bpf(),
        "keys" => keys(),
        "open-by-handle" => open_by_handle(),
        "pidfd" => call(unsafe { libc::syscall(libc::SYS_pidfd_open, parent, 0) }),
        "writable-code" => map(libc::PROT_WRITE | libc::PROT_EXEC, libc::MAP_PRIVATE),
        "shared-memory" => map(libc::PROT_WRITE, libc::MAP_SHARED),
        "grow-down-memory" => map(libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_GROWSDOWN),
        "memfd-memory" => call(i64::from(unsafe { libc::memfd_create(c"x".as_ptr(), 0) })),
        "many-threads" => std::thread::Builder::new().spawn(|| ()).map(drop),
        "raw-thread" => raw_thread(),
        "set-owner" => descriptor(libc::F_SETOWN, parent),
        "set-signal" => descriptor(F_SETSIG, libc::SIGKILL),
        "async-io" => descriptor(libc::F_SETFL, libc::O_ASYNC),
        "descriptors-without-end" => duplicates(2_000_000),
        "raise-limits" => raise_limits(),
        "make-fifo" => make_fifo(),
        // The honest controls: these must get through.
        "read-granted" => in_directory(|path| std::fs::read(format!("{path}/file")).map(drop)),
        "descriptors-of-the-grant" => duplicates(Limits::default().handles),
        "plain-flags" => descriptor(libc::F_SETFL, libc::O_NONBLOCK),
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

fn io_uring() -> io::Result<()> {
    // `struct io_uring_params`.
    let mut parameters = [0_u32; 30];
    call(unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr()) })
}

fn bpf() -> io::Result<()> {
    // BPF_MAP_CREATE: an array (2) with one entry of four bytes.
    let attributes = [2_u32, 4, 4, 1, 0];
    let size = size_of_val(&attributes);
    call(unsafe { libc::syscall(libc::SYS_bpf, 0, attributes.as_ptr(), size) })
}

fn keys() -> io::Result<()> {
    // KEYCTL_GET_KEYRING_ID of this process's own, made if it is missing.
    call(unsafe { libc::syscall(libc::SYS_keyctl, 0, -2_i64, 1_i64) })
}

fn open_by_handle() -> io::Result<()> {
    // `struct file_handle`: eight bytes of an inode.
    let handle = [8_u32, 1, 2, 0];
    let (at, flags) = (libc::AT_FDCWD, libc::O_RDONLY);
    call(unsafe { libc::syscall(libc::SYS_open_by_handle_at, at, handle.as_ptr(), flags) })
}

/// A thread without the C library. Should there be one, it ends at once.
fn raw_thread() -> io::Result<()> {
    let flags = libc::CLONE_VM | libc::CLONE_SIGHAND | libc::CLONE_THREAD;
    call(unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) })
}

/// Standard error is a pipe to the host.
fn descriptor(command: libc::c_int, argument: libc::c_int) -> io::Result<()> {
    call(i64::from(unsafe { libc::fcntl(libc::STDERR_FILENO, command, argument) }))
}

fn duplicates(count: u64) -> io::Result<()> {
    (0..count).try_for_each(|_| call(i64::from(unsafe { libc::dup(libc::STDERR_FILENO) })))
}

fn map(protection: libc::c_int, kind: libc::c_int) -> io::Result<()> {
    let (protection, flags) = (protection | libc::PROT_READ, kind | libc::MAP_ANONYMOUS);
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
