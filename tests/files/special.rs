//! FIFOs, sockets and devices in a granted directory.

use super::each;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::os::unix::net::UnixListener;

fn fifo(path: &std::path::Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
}

/// Nobody has the other end, so a host that opened it would wait until the wall time.
#[test]
fn a_fifo_is_not_opened() {
    each(|bed| {
        fifo(&bed.host("src/fifo"));
        fifo(&bed.host("out/fifo"));
        std::os::unix::fs::symlink("fifo", bed.host("src/link")).unwrap();
        bed.stopped(&["read", "/src/fifo"], "D0203", "/src/fifo");
        bed.stopped(&["read", "/src/link"], "D0203", "/src/link");
        bed.stopped(&["read", "/out/fifo"], "D0203", "/out/fifo");
        bed.stopped(&["write", "/out/fifo", "x"], "D0203", "/out/fifo");
        bed.stopped(&["append", "/out/fifo", "x"], "D0203", "/out/fifo");
        bed.run(&["stat", "/src/fifo"]).worked("something else");
        bed.still_works();
    });
}

#[test]
fn a_socket_is_not_opened() {
    each(|bed| {
        let _listening = UnixListener::bind(bed.host("out/socket")).unwrap();
        bed.stopped(&["read", "/out/socket"], "D0203", "/out/socket");
        bed.stopped(&["overwrite", "/out/socket", "x"], "D0203", "/out/socket");
        bed.still_works();
    });
}

/// Only root can make a device, and only where the file system allows it. Where the tests must show
/// something they must not be skipped.
#[test]
#[expect(clippy::print_stderr, reason = "what was skipped is said")]
fn a_device_is_not_opened() {
    each(|bed| {
        let (mode, null) = (Mode::from_raw_mode(0o666), rustix::fs::makedev(1, 3));
        let path = bed.host("out/null");
        match mknodat(CWD, &path, FileType::CharacterDevice, mode, null) {
            Ok(()) => {
                bed.stopped(&["read", "/out/null"], "D0203", "/out/null");
                bed.stopped(&["write", "/out/null", "x"], "D0203", "/out/null");
            }
            Err(error) => {
                assert!(std::env::var_os("CI").is_none(), "no device can be made: {error}");
                eprintln!("skipped: no device can be made here: {error}");
            }
        }
        bed.still_works();
    });
}
