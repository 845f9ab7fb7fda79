//! Output without end.

use std::io::{self, Read, Write};

/// Writes so many bytes to standard output; the report goes to standard error.
pub(crate) fn stdout(bytes: u64) -> String {
    eprintln!("{}", fill(&mut io::stdout(), bytes));
    String::new()
}

/// Writes so many bytes to standard error.
pub(crate) fn stderr(bytes: u64) -> String {
    fill(&mut io::stderr(), bytes)
}

fn fill(out: &mut dyn Write, bytes: u64) -> String {
    match io::copy(&mut io::repeat(b'x').take(bytes), out).and_then(|_| out.flush()) {
        Ok(()) => format!("ok wrote {bytes} bytes"),
        Err(error) => format!("refused: {error}"),
    }
}
