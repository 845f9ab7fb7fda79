//! What the host provides to tools.

use super::description::Import;
use super::error::DescribeError;
use super::scan::{ComponentRoot, CoreRoot};
use crate::worker::values::escaped;
use semver::Version;
use wasmparser::{ComponentTypeRef, TypeBounds, TypeRef};

/// The one module from which core tools import.
pub const WASIP1: &str = "wasi_snapshot_preview1";

/// The functions of [`WASIP1`].
#[rustfmt::skip]
pub const WASIP1_FUNCTIONS: &[&str] = &[
    "args_get", "args_sizes_get", "clock_res_get", "clock_time_get", "environ_get",
    "environ_sizes_get", "fd_advise", "fd_allocate", "fd_close", "fd_datasync", "fd_fdstat_get",
    "fd_fdstat_set_flags", "fd_fdstat_set_rights", "fd_filestat_get", "fd_filestat_set_size",
    "fd_filestat_set_times", "fd_pread", "fd_prestat_dir_name", "fd_prestat_get", "fd_pwrite",
    "fd_read", "fd_readdir", "fd_renumber", "fd_seek", "fd_sync", "fd_tell", "fd_write",
    "path_create_directory", "path_filestat_get", "path_filestat_set_times", "path_link",
    "path_open", "path_readlink", "path_remove_directory", "path_rename", "path_symlink",
    "path_unlink_file", "poll_oneoff", "proc_exit", "proc_raise", "random_get", "sched_yield",
    "sock_accept", "sock_recv", "sock_send", "sock_shutdown",
];

/// The interfaces that `wasmtime-wasi` and `wasmtime-wasi-http` put into a p2 linker.
#[rustfmt::skip]
pub const WASI_P2: &[&str] = &[
    "wasi:cli/environment@0.2.12", "wasi:cli/exit@0.2.12", "wasi:cli/stdin@0.2.12",
    "wasi:cli/stdout@0.2.12", "wasi:cli/stderr@0.2.12", "wasi:cli/terminal-input@0.2.12",
    "wasi:cli/terminal-output@0.2.12", "wasi:cli/terminal-stdin@0.2.12",
    "wasi:cli/terminal-stdout@0.2.12", "wasi:cli/terminal-stderr@0.2.12",
    "wasi:clocks/monotonic-clock@0.2.12", "wasi:clocks/wall-clock@0.2.12",
    "wasi:filesystem/preopens@0.2.12", "wasi:filesystem/types@0.2.12",
    "wasi:http/outgoing-handler@0.2.12", "wasi:http/types@0.2.12",
    "wasi:io/error@0.2.12", "wasi:io/poll@0.2.12", "wasi:io/streams@0.2.12",
    "wasi:random/insecure-seed@0.2.12", "wasi:random/insecure@0.2.12", "wasi:random/random@0.2.12",
    "wasi:sockets/instance-network@0.2.12", "wasi:sockets/ip-name-lookup@0.2.12",
    "wasi:sockets/network@0.2.12", "wasi:sockets/tcp-create-socket@0.2.12",
    "wasi:sockets/tcp@0.2.12", "wasi:sockets/udp-create-socket@0.2.12", "wasi:sockets/udp@0.2.12",
];

/// What the worker's linkers hold: the imports that a tool may have.
#[derive(Debug, Clone, Copy)]
pub struct Provided<'a> {
    /// Interfaces by full name, such as `wasi:io/poll@0.2.12`. As in wasmtime's linker, another
    /// version on the same compatibility track (here `0.2`) is the same interface.
    pub interfaces: &'a [&'a str],
    /// The functions of [`WASIP1`].
    pub wasip1: &'a [&'a str],
}

impl Provided<'static> {
    /// All of WASI 0.2 and 0.1 that this version of wasmtime implements.
    pub const WASI: Self = Self { interfaces: WASI_P2, wasip1: WASIP1_FUNCTIONS };
}

impl Provided<'_> {
    /// Refuses imports that are neither interfaces nor types; nothing ever provides those.
    pub(super) fn check_sorts(&self, root: &ComponentRoot<'_>) -> Result<(), DescribeError> {
        let instances = |ty: &ComponentTypeRef| matches!(ty, ComponentTypeRef::Instance(_));
        let (_, others): (Vec<_>, Vec<_>) =
            root.imports.iter().copied().partition(|(_, ty)| instances(ty));
        let others = ComponentRoot { imports: others, exports: Vec::new() };
        self.check_component(&others, |_| false).map(drop)
    }

    pub(super) fn check_core(&self, root: &CoreRoot<'_>) -> Result<Vec<Import>, DescribeError> {
        for (module, name, ty) in &root.imports {
            let known =
                *module == WASIP1 && matches!(ty, TypeRef::Func(_)) && self.wasip1.contains(name);
            if !known {
                return Err(DescribeError::CoreImport {
                    module: escaped(module, 100),
                    name: escaped(name, 100),
                });
            }
        }
        let used = !root.imports.is_empty();
        Ok(Vec::from_iter(used.then(|| Import { interface: WASIP1.to_owned(), version: None })))
    }

    /// Checks a component's imports. An interface of types alone is satisfied by any linker.
    pub(super) fn check_component(
        &self,
        root: &ComponentRoot<'_>,
        types_alone: impl Fn(&str) -> bool,
    ) -> Result<Vec<Import>, DescribeError> {
        let mut imports = Vec::new();
        for (name, ty) in &root.imports {
            match ty {
                // A type that is spelled out needs nothing from the host.
                ComponentTypeRef::Type(TypeBounds::Eq(_)) => continue,
                ComponentTypeRef::Instance(_) if self.has(name) => imports.push(import(name)),
                ComponentTypeRef::Instance(_) if types_alone(name) => continue,
                _ => {
                    let (import, hint) = (escaped(name, 200), self.hint(name));
                    return Err(DescribeError::ComponentImport { import, hint });
                }
            }
        }
        Ok(imports)
    }

    fn has(&self, name: &str) -> bool {
        let (wanted, version) = split(name);
        self.interfaces.iter().any(|held| {
            let (interface, held) = split(held);
            interface == wanted && compatible(version, held)
        })
    }

    fn hint(&self, name: &str) -> String {
        let (wanted, _) = split(name);
        let held = self.interfaces.iter().find(|held| split(held).0 == wanted);
        held.map(|held| format!("; `{held}` is provided")).unwrap_or_default()
    }
}

fn import(name: &str) -> Import {
    let (interface, version) = split(name);
    Import { interface: interface.to_owned(), version: version.map(str::to_owned) }
}

/// Splits `ns:pkg/iface@version`.
pub(super) fn split(name: &str) -> (&str, Option<&str>) {
    name.split_once('@').map_or((name, None), |(interface, version)| (interface, Some(version)))
}

/// The rule of wasmtime's linker: equal, or released versions on one compatibility track.
fn compatible(wanted: Option<&str>, held: Option<&str>) -> bool {
    let (Some(wanted), Some(held)) = (wanted, held) else { return wanted == held };
    let (Ok(a), Ok(b)) = (Version::parse(wanted), Version::parse(held)) else { return false };
    let released = a.pre.is_empty() && b.pre.is_empty();
    let same_track = match a.major {
        0 => b.major == 0 && a.minor == b.minor && a.minor != 0,
        major => b.major == major,
    };
    wanted == held || released && same_track
}

/// Says whether this is the interface of a `wasi:cli` command that this host runs.
pub(super) fn is_run(name: &str) -> bool {
    let (interface, version) = split(name);
    interface == "wasi:cli/run" && compatible(version, Some("0.2.0"))
}
