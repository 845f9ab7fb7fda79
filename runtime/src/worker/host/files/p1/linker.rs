//! The shadowed functions of `wasi_snapshot_preview1`.

use std::fs::File;
use std::sync::Arc;
use wasmtime::{AsContextMut, Caller, Extern, Linker};
use wasmtime_wasi::p1::wasi_snapshot_preview1::{self as inner, WasiSnapshotPreview1 as _};
use wiggle::GuestMemory;
use writ_broker::FileOp::{self, Read, Write};

use super::{Allowed, IO, MFILE, NOMEM, P1Guard, P1View, glance, links};
use crate::outcome::LimitName;
use crate::worker::host::over::{OverLimit, check_descriptors};

const MODULE: &str = "wasi_snapshot_preview1";

/// `errno.success`, of a call that was done here: wasmtime's own function is not called after it.
const SUCCESS: i32 = 0;
/// `errno.inval`.
const INVAL: i32 = 28;

/// `lookupflags.symlink_follow`.
const FOLLOW: i32 = 1;
/// `oflags.creat`.
const CREATES: i32 = 1;
/// `oflags.trunc`.
const TRUNCATES: i32 = 8;
/// `rights.fd_write`.
const WRITES: i64 = 1 << 6;

/// One call that may go on to wasmtime.
struct Call {
    /// Absent if there is no such directory or path: wasmtime then fails, and says why.
    at: Option<Allowed>,
    path: String,
    follow: bool,
    /// The directory that is about to be opened.
    directory: Option<Arc<File>>,
    /// Whether something new will be there.
    makes: bool,
}

/// Defines one function: decide on it, let wasmtime's own function act, hear how it ended.
macro_rules! guarded {
    ($linker:ident, $get:ident, $name:ident($($arg:ident: $ty:ty),*),
     $decide:expr, $heard:expr) => {
        $linker.func_wrap_async(
            MODULE,
            stringify!($name),
            move |mut caller: Caller<'_, T>, ($($arg,)*): ($($ty,)*)| {
                Box::new(async move {
                    let fuel = caller.as_context_mut().hostcall_fuel();
                    let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
                        wasmtime::bail!("missing required memory export");
                    };
                    let (memory, data) = memory.data_and_store_mut(&mut caller);
                    let P1View { wasi, guard } = $get(data);
                    let decide: fn(&mut P1Guard, &[u8], $($ty),*) -> Result<_, i32> = $decide;
                    let call = match decide(guard, memory, $($arg),*) {
                        Ok(call) => call,
                        Err(errno) => {
                            guard.check_disk()?;
                            check_handles(errno)?;
                            return Ok(errno);
                        }
                    };
                    wasi.set_hostcall_fuel(fuel);
                    let mut guest = GuestMemory::Unshared(&mut *memory);
                    let errno = inner::$name(wasi, &mut guest, $($arg),*).await?;
                    check_hostcall(errno)?;
                    check_handles(errno)?;
                    let heard: fn(&mut P1Guard, &[u8], _, i32, $($ty),*) -> i32 = $heard;
                    let seen = heard(guard, memory, call, errno, $($arg),*);
                    guard.check_disk()?;
                    Ok(seen)
                })
            },
        )?;
    };
}

/// Adds `wasi_snapshot_preview1` to a linker, guarded.
pub fn add_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: fn(&mut T) -> P1View<'_>,
) -> wasmtime::Result<()> {
    wasmtime_wasi::p1::add_to_linker_async(linker, move |data| get(data).wasi)?;
    linker.allow_shadowing(true);
    shadow_names(linker, get)?;
    shadow_links(linker, get)?;
    shadow_descriptors(linker, get)?;
    shadow_writes(linker, get)?;
    shadow_reads(linker, get)?;
    linker.allow_shadowing(false);
    Ok(())
}

fn shadow_names<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: fn(&mut T) -> P1View<'_>,
) -> wasmtime::Result<()> {
    guarded!(linker, get,
    path_open(fd: i32, look: i32, ptr: i32, len: i32, how: i32, rights: i64, inherit: i64, flags: i32, out: i32),
    |guard, memory, fd, look, ptr, len, how, rights, _, _, _| {
        let op = if how & (CREATES | TRUNCATES) != 0 || rights & WRITES != 0 { Write } else { Read };
        let mut call = call(guard, memory, op, fd, ptr, len, look & FOLLOW != 0)?;
        if let Some(at) = &call.at {
            call.directory = guard.before_open(at, &call.path, call.follow)?;
            call.makes = how & CREATES != 0 && glance(&at.dir, &call.path, call.follow).is_none();
        }
        Ok(call)
    },
    |guard, memory, call: Call, errno, _, _, _, _, _, _, _, _, out| {
        match (errno, word(memory, out), &call.at) {
            (0, Some(fd), Some(at)) => {
                if call.makes {
                    guard.made();
                }
                guard.opened(fd, at, &call.path, call.directory);
            }
            _ => return ended(guard, memory, call, errno),
        }
        errno
    });
    guarded!(linker, get, path_create_directory(fd: i32, ptr: i32, len: i32),
        |guard, memory, fd, ptr, len| {
            let call = call(guard, memory, Write, fd, ptr, len, false)?;
            Ok(Call { makes: true, ..call })
        },
        |guard, memory, call, errno, _, _, _| ended(guard, memory, call, errno));
    guarded!(linker, get, path_remove_directory(fd: i32, ptr: i32, len: i32),
        |guard, memory, fd, ptr, len| call(guard, memory, Write, fd, ptr, len, false),
        |guard, memory, call, errno, _, _, _| ended(guard, memory, call, errno));
    guarded!(linker, get, path_unlink_file(fd: i32, ptr: i32, len: i32),
        |guard, memory, fd, ptr, len| call(guard, memory, Write, fd, ptr, len, false),
        |guard, memory, call, errno, _, _, _| ended(guard, memory, call, errno));
    guarded!(linker, get, path_filestat_get(fd: i32, look: i32, ptr: i32, len: i32, out: i32),
        |guard, memory, fd, look, ptr, len, _| {
            call(guard, memory, Read, fd, ptr, len, look & FOLLOW != 0)
        },
        |guard, memory, call, errno, _, _, _, _, _| ended(guard, memory, call, errno));
    guarded!(linker, get,
        path_filestat_set_times(fd: i32, look: i32, ptr: i32, len: i32, atim: i64, mtim: i64, flags: i32),
        |guard, memory, fd, look, ptr, len, _, _, _| {
            call(guard, memory, Write, fd, ptr, len, look & FOLLOW != 0)
        },
        |guard, memory, call, errno, _, _, _, _, _, _, _| ended(guard, memory, call, errno));
    Ok(())
}

fn shadow_links<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: fn(&mut T) -> P1View<'_>,
) -> wasmtime::Result<()> {
    guarded!(linker, get,
        path_readlink(fd: i32, ptr: i32, len: i32, buf: i32, buf_len: i32, out: i32),
        |guard, memory, fd, ptr, len, _, _, _| call(guard, memory, Read, fd, ptr, len, true),
        |guard, memory, call, errno, _, _, _, _, _, _| ended(guard, memory, call, errno));
    guarded!(linker, get,
        path_symlink(target: i32, target_len: i32, fd: i32, ptr: i32, len: i32),
        |guard, memory, target, target_len, fd, ptr, len| {
            let texts = (text(memory, target, target_len), text(memory, ptr, len));
            let (Some(target), Some(path)) = texts else { return Ok(()) };
            guard.symlink(target, fd, path)?;
            guard.made();
            Err(SUCCESS)
        },
        |_, _, (), errno, _, _, _, _, _| errno);
    guarded!(linker, get,
        path_link(fd: i32, look: i32, ptr: i32, len: i32, new_fd: i32, new_ptr: i32, new_len: i32),
        |guard, memory, fd, look, ptr, len, new_fd, new_ptr, new_len| {
            let texts = (text(memory, ptr, len), text(memory, new_ptr, new_len));
            let (Some(old), Some(new)) = texts else { return Ok(()) };
            if look & FOLLOW != 0 {
                return Err(INVAL);
            }
            guard.moved((fd, old), (new_fd, new), links::hard_link)?;
            guard.made();
            Err(SUCCESS)
        },
        |_, _, (), errno, _, _, _, _, _, _, _| errno);
    guarded!(linker, get,
        path_rename(fd: i32, ptr: i32, len: i32, new_fd: i32, new_ptr: i32, new_len: i32),
        |guard, memory, fd, ptr, len, new_fd, new_ptr, new_len| {
            let texts = (text(memory, ptr, len), text(memory, new_ptr, new_len));
            let (Some(old), Some(new)) = texts else { return Ok(()) };
            guard.moved((fd, old), (new_fd, new), links::rename)?;
            Err(SUCCESS)
        },
        |_, _, (), errno, _, _, _, _, _, _| errno);
    Ok(())
}

fn shadow_descriptors<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: fn(&mut T) -> P1View<'_>,
) -> wasmtime::Result<()> {
    guarded!(linker, get, fd_filestat_set_size(fd: i32, size: i64),
        |guard, _, fd, _| guard.ask_write(fd),
        |_, _, (), errno, _, _| errno);
    guarded!(linker, get, fd_filestat_set_times(fd: i32, atim: i64, mtim: i64, flags: i32),
        |guard, _, fd, _, _, _| guard.ask_write(fd),
        |_, _, (), errno, _, _, _, _| errno);
    guarded!(linker, get, fd_close(fd: i32),
    |_, _, _| Ok(()),
    |guard, _, (), errno, fd| {
        if errno == 0 {
            guard.closed(fd);
        }
        errno
    });
    guarded!(linker, get, fd_renumber(from: i32, to: i32),
    |_, _, _, _| Ok(()),
    |guard, _, (), errno, from, to| {
        if errno == 0 {
            guard.renumbered(from, to);
        }
        errno
    });
    Ok(())
}

fn shadow_writes<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: fn(&mut T) -> P1View<'_>,
) -> wasmtime::Result<()> {
    guarded!(linker, get, fd_write(fd: i32, list: i32, len: i32, out: i32),
        |guard, memory, fd, list, len, _| guard.ask_room(fd, length(memory, list, len)),
        |guard, memory, (), errno, fd, _, _, out| wrote(guard, memory, errno, fd, out));
    guarded!(linker, get, fd_pwrite(fd: i32, list: i32, len: i32, offset: i64, out: i32),
        |guard, memory, fd, list, len, _, _| guard.ask_room(fd, length(memory, list, len)),
        |guard, memory, (), errno, fd, _, _, _, out| wrote(guard, memory, errno, fd, out));
    Ok(())
}

/// There is nothing to decide here. A call that takes too much at once is the guest's last, though.
fn shadow_reads<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: fn(&mut T) -> P1View<'_>,
) -> wasmtime::Result<()> {
    guarded!(linker, get, fd_read(fd: i32, list: i32, len: i32, out: i32),
        |_, _, _, _, _, _| Ok(()),
        |_, _, (), errno, _, _, _, _| errno);
    guarded!(linker, get, fd_pread(fd: i32, list: i32, len: i32, offset: i64, out: i32),
        |_, _, _, _, _, _, _| Ok(()),
        |_, _, (), errno, _, _, _, _, _| errno);
    guarded!(linker, get, fd_readdir(fd: i32, buf: i32, len: i32, cookie: i64, out: i32),
        |_, _, _, _, _, _, _| Ok(()),
        |_, _, (), errno, _, _, _, _, _| errno);
    guarded!(linker, get, poll_oneoff(subs: i32, events: i32, count: i32, out: i32),
        |_, _, _, _, _, _| Ok(()),
        |_, _, (), errno, _, _, _, _| errno);
    Ok(())
}

/// Ends a guest that passes more in one call than it may.
///
/// Wasmtime says so by `nomem`. The kernel says it of a path when the machine has no memory left; that
/// guest would not have come far either.
fn check_hostcall(errno: i32) -> Result<(), OverLimit> {
    if errno == NOMEM { Err(OverLimit(LimitName::HostcallBytes)) } else { Ok(()) }
}

/// Ends a guest that used up its descriptors.
fn check_handles(errno: i32) -> Result<(), OverLimit> {
    if matches!(errno, IO | MFILE) { check_descriptors() } else { Ok(()) }
}

/// Returns the length of the buffer that wasmtime writes: the first that is not empty.
fn length(memory: &[u8], list: i32, len: i32) -> u64 {
    let mut lengths = (0..len.cast_unsigned()).map_while(|at| {
        let element = at.checked_mul(8)?.checked_add(list.cast_unsigned())?;
        word(memory, element.checked_add(4)?.cast_signed())
    });
    lengths.find(|length| *length > 0).unwrap_or(0).into()
}

fn wrote(guard: &mut P1Guard, memory: &[u8], errno: i32, fd: i32, out: i32) -> i32 {
    if errno == 0 {
        guard.wrote(fd, word(memory, out).unwrap_or(0).into());
    }
    errno
}

impl Call {
    /// A call whose arguments wasmtime will refuse.
    fn unknown() -> Self {
        Self { at: None, path: String::new(), follow: false, directory: None, makes: false }
    }
}

/// Decides on a path of the guest.
fn call(
    guard: &mut P1Guard,
    memory: &[u8],
    op: FileOp,
    fd: i32,
    ptr: i32,
    len: i32,
    follow: bool,
) -> Result<Call, i32> {
    let Some(path) = text(memory, ptr, len) else { return Ok(Call::unknown()) };
    let at = guard.ask(op, fd, path)?;
    Ok(Call { at, path: path.to_owned(), follow, directory: None, makes: false })
}

fn ended(guard: &mut P1Guard, _memory: &[u8], call: Call, errno: i32) -> i32 {
    if call.makes && errno == 0 {
        guard.made();
    }
    guard.after(errno, call.at.as_ref(), &call.path, call.follow)
}

/// Reads a string of the guest; wasmtime reads the same bytes again, and nothing runs in between.
fn text(memory: &[u8], ptr: i32, len: i32) -> Option<&str> {
    let start = usize::try_from(ptr.cast_unsigned()).ok()?;
    let len = usize::try_from(len.cast_unsigned()).ok()?;
    std::str::from_utf8(memory.get(start..start.checked_add(len)?)?).ok()
}

/// Reads a number that wasmtime wrote for the guest.
fn word(memory: &[u8], ptr: i32) -> Option<u32> {
    let start = usize::try_from(ptr.cast_unsigned()).ok()?;
    let bytes = memory.get(start..start.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}
