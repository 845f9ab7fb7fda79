//! `http`: sends any request, well formed or not, straight through `wasi:http`.
//!
//! Nothing is checked or repaired on this side, so that what is refused is refused by the host. Prints
//! `status N`, the headers and the length of the body; or prints `error WHAT` and exits 1, where WHAT is
//! the case of `wasi:http` error-code, or the setter that refused.

mod code;
mod options;
mod send;

use std::process::ExitCode;

use options::Options;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let options = match Options::parse(&arguments) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    for _ in 0..options.times {
        if let Err(what) = send::once(&options) {
            println!("error {what}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
