//! `bench`: calls that cost next to nothing, in a component of ordinary size.

use std::fs::File;
use std::io::Read;

use bindings::Guest;

#[allow(missing_docs, unsafe_code, reason = "generated from wit/bench.wit, which is documented")]
mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "bench" });
    export!(Bench with_types_in self);
    use super::Bench;
}

struct Bench;

impl Guest for Bench {
    fn noop() {}

    fn add(a: u32, b: u32) -> u32 {
        a.wrapping_add(b)
    }

    fn echo(v: String) -> String {
        v
    }

    fn read_file(path: String) -> Result<u64, String> {
        let mut chunk = [0; 8192];
        let mut total = 0;
        let mut file = File::open(path).map_err(|error| error.to_string())?;
        loop {
            match file.read(&mut chunk).map_err(|error| error.to_string())? {
                0 => return Ok(total),
                read => total += read as u64,
            }
        }
    }

    fn read_file_often(path: String, times: u32) -> Result<u64, String> {
        (0..times).map(|_| Self::read_file(path.clone())).sum()
    }
}
