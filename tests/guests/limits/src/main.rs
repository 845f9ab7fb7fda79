//! `limits`: uses up everything that is limited, one thing per subcommand.
//!
//! Prints `ok …` when it got all it asked for, or `refused …` when the host said no and it lives on.
//! Built for wasip2 and for wasip1.

mod cpu;
mod files;
mod memory;
mod output;

#[cfg_attr(target_env = "p1", path = "host_p1.rs")]
#[cfg_attr(not(target_env = "p1"), path = "host_p2.rs")]
mod host;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Some(line) => {
            if !line.is_empty() {
                println!("{line}");
            }
            ExitCode::SUCCESS
        }
        None => {
            eprintln!("see tests/guests/README.md for the subcommands");
            ExitCode::from(2)
        }
    }
}

fn run(words: &[&str]) -> Option<String> {
    Some(match words {
        ["spin"] => cpu::spin(),
        ["sleep", seconds] => cpu::sleep(seconds.parse().ok()?),
        ["recurse"] => cpu::recurse(),
        ["stdin"] => cpu::read_stdin(),
        ["grow", bytes] => memory::grow(bytes.parse().ok()?),
        ["touch", bytes] => memory::touch(bytes.parse().ok()?),
        ["stdout", bytes] => output::stdout(bytes.parse().ok()?),
        ["stderr", bytes] => output::stderr(bytes.parse().ok()?),
        ["random", bytes] => host::random(bytes.parse().ok()?),
        ["handles", count] => host::handles(count.parse().ok()?),
        ["open", path, count] => files::open(path, count.parse().ok()?),
        ["hostcall", bytes] => host::hostcall(bytes.parse().ok()?),
        ["read", bytes] => files::read(bytes.parse().ok()?),
        ["poll", count] => host::poll(count.parse().ok()?),
        ["headers", bytes] => host::headers(bytes.parse().ok()?),
        ["exit", code] => std::process::exit(code.parse().ok()?),
        ["trap"] => memory::trap(),
        ["panic", message] => panic!("{message}"),
        _ => return None,
    })
}
