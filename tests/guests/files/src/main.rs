//! `files`: tries to leave a directory grant, one way per subcommand.
//!
//! Prints `ok …` and exits 0, or prints `error KIND: …` and exits 1. Built for wasip2 and for wasip1.

mod bulk;
mod plain;
mod race;

#[cfg_attr(target_env = "p1", path = "raw_p1.rs")]
#[cfg_attr(not(target_env = "p1"), path = "raw_p2.rs")]
mod raw;

use std::io;
use std::process::ExitCode;

/// What a subcommand did, in words.
type Outcome = io::Result<String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(done) => {
            println!("ok {done}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("error {:?}: {error}", error.kind());
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Outcome {
    match words {
        ["read", path] => plain::read(path),
        ["write", path, text] => plain::write(path, text),
        ["append", path, text] => plain::append(path, text),
        ["overwrite", path, text] => plain::overwrite(path, text),
        ["create-new", path] => plain::create_new(path),
        ["mkdir", path] => plain::mkdir(path),
        ["rename", from, to] => plain::rename(from, to),
        ["link", from, to] => plain::link(from, to),
        ["symlink", target, link] => plain::symlink(target, link),
        ["readlink", path] => plain::readlink(path),
        ["list", path] => plain::list(path),
        ["stat", path] => plain::stat(path),
        ["remove", path] => plain::remove(path),
        ["truncate", path] => plain::truncate(path),
        ["touch", path] => plain::touch(path),
        ["raw-read", preopen, path] => raw::read(preopen, path),
        ["raw-write", preopen, path] => raw::write(preopen, path),
        ["fill", path, bytes] => bulk::fill(path, number(bytes)?),
        ["many", path, count] => bulk::many(path, number(count)?),
        ["deep", path, depth] => bulk::deep(path, number(depth)?),
        ["race-symlink", path, secret, rounds] => race::both(path, secret, number(rounds)?),
        ["swap", path, secret, rounds] => race::swap(path, secret, number(rounds)?),
        ["open-loop", path, rounds] => race::open_loop(path, number(rounds)?),
        _ => Err(io::Error::other("see tests/guests/README.md for the subcommands")),
    }
}

fn number(text: &str) -> io::Result<u64> {
    text.parse().map_err(io::Error::other)
}
