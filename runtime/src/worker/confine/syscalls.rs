//! The system calls that a confined worker may make.
//!
//! An allow-list: what is not named fails with `EPERM`. There is no way in it to a socket, another
//! program, another process's memory, a mount, a key ring, BPF or `io_uring`.

use crate::confinement::Layer;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter,
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
    libc::SYS_fcntl,
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
    libc::SYS_clone3,
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

/// Restricts this thread and all it starts.
pub(super) fn restrict() -> Layer {
    match try_restrict() {
        Ok(()) => Layer::Full,
        Err(_) => Layer::None,
    }
}

fn try_restrict() -> Result<(), Box<dyn std::error::Error>> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    // `clone3` hides its flags behind a pointer, which a filter cannot read. Told that it does not
    // exist, the C library falls back to `clone`, whose flags the list below checks. This filter
    // comes first: the list leaves no call by which another one could be installed.
    let absent = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let hidden = Rules::from([(libc::SYS_clone3, vec![])]);
    let hide = SeccompFilter::new(hidden, SeccompAction::Allow, absent, arch)?;
    apply_filter(&BpfProgram::try_from(hide)?)?;
    let list = SeccompFilter::new(rules()?, refuse, SeccompAction::Allow, arch)?;
    apply_filter(&BpfProgram::try_from(list)?)?;
    Ok(())
}

fn rules() -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = PLAIN.iter().map(|call| (*call, vec![])).collect();
    let bits = |value: libc::c_int| u64::from(value.unsigned_abs());
    let own_pid = u64::from(std::process::id());
    // Threads, never a new process.
    let thread = bits(libc::CLONE_THREAD);
    rules.insert(libc::SYS_clone, vec![rule(&[(0, Op::MaskedEq(thread), thread)])?]);
    // `abort` signals its own thread; nobody else may be signalled.
    rules.insert(libc::SYS_tgkill, vec![rule(&[(0, Op::Eq, own_pid)])?]);
    // Memory is writable or executable, never both.
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        let without = |flag| rule(&[(2, Op::MaskedEq(bits(flag)), 0)]);
        rules.insert(call, vec![without(libc::PROT_WRITE)?, without(libc::PROT_EXEC)?]);
    }
    rules.insert(libc::SYS_prctl, vec![rule(&[(0, Op::Eq, bits(libc::PR_SET_NAME))])?]);
    rules.insert(libc::SYS_ioctl, vec![rule(&[(1, Op::Eq, libc::FIONBIO)])?]);
    // Reading its own limits, not setting any.
    rules.insert(libc::SYS_prlimit64, vec![rule(&[(0, Op::Eq, 0), (2, Op::Eq, 0)])?]);
    Ok(rules)
}

fn rule(conditions: &[(u8, Op, u64)]) -> Result<SeccompRule, seccompiler::BackendError> {
    let conditions = conditions
        .iter()
        .map(|(index, op, value)| SeccompCondition::new(*index, Len::Qword, op.clone(), *value))
        .collect::<Result<_, _>>()?;
    SeccompRule::new(conditions)
}
