//! The system calls that a confined worker may make.
//!
//! An allow-list: what is not named fails with `EPERM`. There is no way in it to a socket, another
//! program, a thread, another process's memory, a signal to one, memory that no rlimit counts, a
//! mount, a key ring, BPF or `io_uring`.

use crate::confinement::Layer;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter_all_threads,
};
use std::collections::BTreeMap;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Calls that are allowed whatever their arguments.
const PLAIN: &[i64] = &[
    // Memory.
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_memfd_create,
    libc::SYS_mremap,
    libc::SYS_munmap,
    // Descriptors that are open already.
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_fadvise64,
    libc::SYS_fallocate,
    libc::SYS_fdatasync,
    libc::SYS_fstat,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_getdents64,
    libc::SYS_lseek,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    // The two sockets.
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_shutdown,
    libc::SYS_getsockopt,
    // Paths, below what landlock allows.
    libc::SYS_faccessat2,
    libc::SYS_linkat,
    libc::SYS_mkdirat,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_readlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_statx,
    libc::SYS_symlinkat,
    libc::SYS_unlinkat,
    libc::SYS_utimensat,
    // Waiting, time and randomness.
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd2,
    libc::SYS_futex,
    libc::SYS_getrandom,
    libc::SYS_gettimeofday,
    libc::SYS_nanosleep,
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_restart_syscall,
    // This process and its threads.
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getrusage,
    libc::SYS_gettid,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
];

/// Restricts every thread of this process.
pub(super) fn restrict() -> Layer {
    match try_restrict() {
        Ok(()) => Layer::Full,
        Err(_) => Layer::None,
    }
}

fn try_restrict() -> Result<(), Box<dyn std::error::Error>> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    // No rlimit counts the pages of a memory file. Told that there are none, wasmtime copies the
    // first contents of a memory instead of mapping them; any other error would end the guest. The
    // list below must let the call through: of two errors the kernel takes the later filter's. This
    // one comes first, because the list leaves no call by which another could be installed.
    let absent = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let hidden = Rules::from([(libc::SYS_memfd_create, vec![])]);
    let hide = SeccompFilter::new(hidden, SeccompAction::Allow, absent, arch)?;
    apply_filter_all_threads(&BpfProgram::try_from(hide)?)?;
    let list = SeccompFilter::new(rules()?, refuse, SeccompAction::Allow, arch)?;
    apply_filter_all_threads(&BpfProgram::try_from(list)?)?;
    Ok(())
}

fn rules() -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = PLAIN.iter().map(|call| (*call, vec![])).collect();
    let bits = |value: libc::c_int| u64::from(value.unsigned_abs());
    let own_pid = u64::from(std::process::id());
    // `abort` signals its own thread; nobody else may be signalled.
    rules.insert(libc::SYS_tgkill, vec![rule(&[(0, Op::Eq, own_pid)])?]);
    // Memory is writable or executable, never both.
    let without = |flag| (2, Op::MaskedEq(bits(flag)), 0);
    let either = [without(libc::PROT_WRITE), without(libc::PROT_EXEC)];
    // And it is private and does not grow by itself: RLIMIT_DATA counts no other.
    let kind = Op::MaskedEq(bits(libc::MAP_TYPE | libc::MAP_GROWSDOWN));
    let counted = (3, kind, bits(libc::MAP_PRIVATE));
    let each = |more: &[Condition]| {
        let rules = either.iter().map(|one| rule(&[std::slice::from_ref(one), more].concat()));
        rules.collect::<Result<Vec<_>, _>>()
    };
    rules.insert(libc::SYS_mmap, each(&[counted])?);
    rules.insert(libc::SYS_mprotect, each(&[])?);
    rules.insert(libc::SYS_fcntl, descriptor_commands()?);
    rules.insert(libc::SYS_prctl, vec![rule(&[(0, Op::Eq, bits(libc::PR_SET_NAME))])?]);
    rules.insert(libc::SYS_ioctl, vec![rule(&[(1, Op::Eq, libc::FIONBIO)])?]);
    // Reading its own limits, not setting any.
    rules.insert(libc::SYS_prlimit64, vec![rule(&[(0, Op::Eq, 0), (2, Op::Eq, 0)])?]);
    Ok(rules)
}

/// Duplicates and flags. The other commands would name a process that the kernel then signals
/// (`F_SETOWN`, `F_SETSIG`, `O_ASYNC`), hold leases and locks, or resize pipes.
fn descriptor_commands() -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let is = |command: libc::c_int| (1, Op::Eq, u64::from(command.unsigned_abs()));
    let plain = [libc::F_DUPFD, libc::F_DUPFD_CLOEXEC, libc::F_GETFD, libc::F_SETFD, libc::F_GETFL];
    let silent = (2, Op::MaskedEq(u64::from(libc::O_ASYNC.unsigned_abs())), 0);
    let mut rules =
        plain.iter().map(|command| rule(&[is(*command)])).collect::<Result<Vec<_>, _>>()?;
    rules.push(rule(&[is(libc::F_SETFL), silent])?);
    Ok(rules)
}

/// An argument's index, how it is compared, and with what.
type Condition = (u8, Op, u64);

fn rule(conditions: &[Condition]) -> Result<SeccompRule, seccompiler::BackendError> {
    let conditions = conditions
        .iter()
        .map(|(index, op, value)| SeccompCondition::new(*index, Len::Qword, op.clone(), *value))
        .collect::<Result<_, _>>()?;
    SeccompRule::new(conditions)
}
