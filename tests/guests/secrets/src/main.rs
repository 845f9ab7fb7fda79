//! `secrets`: prints whatever it was given, and looks for what it was not given.
//!
//! Every line is `WHAT: VALUE`. It exits 0, whatever it finds: the test reads what it found. With `--hold`
//! it prints its variables only, and stays.

mod preopens;

use std::fs;

/// Places where a process finds secrets, its own or those of others.
const PLACES: &[&str] = &[
    "/proc/self/environ",
    "/proc/self/cmdline",
    "/proc/self/maps",
    "/proc/self/fd/0",
    "/proc/1/environ",
    "/dev/stdin",
    "/etc/passwd",
    "/etc/hostname",
    "/root/.ssh/id_ed25519",
    "/var/run/docker.sock",
    "/../etc/passwd",
    "/",
    "",
];

fn main() {
    for (number, argument) in std::env::args().enumerate() {
        println!("argument {number}: {}", argument.escape_debug());
    }
    for (name, value) in std::env::vars_os() {
        println!("variable {}: {}", name.display(), value.display());
    }
    if std::env::args().any(|argument| argument == "--hold") {
        std::thread::sleep(std::time::Duration::from_secs(3600));
    }
    for name in preopens::names() {
        println!("preopen: {name}");
    }
    match std::env::current_dir() {
        Ok(path) => println!("directory: {}", path.display()),
        Err(error) => println!("directory: error {:?}", error.kind()),
    }
    // Outside of every preopen the C library refuses by itself; through one, it has to ask the host.
    let through = preopens::names().into_iter().map(|name| format!("{name}/../../../.."));
    for root in std::iter::once(String::new()).chain(through) {
        for place in PLACES {
            let place = format!("{root}{place}");
            println!("look {place}: {}", look(&place));
        }
    }
}

/// What can be seen at a place: its bytes, its entries, or why not.
fn look(place: &str) -> String {
    match fs::read(place) {
        Ok(bytes) => format!("leaked {} bytes", bytes.len()),
        Err(error) => match fs::read_dir(place) {
            Ok(entries) => format!("listed {} entries", entries.count()),
            Err(_) => format!("error {:?}", error.kind()),
        },
    }
}
