//! `textstat`: a tool that reads files and returns records.
//!
//! It exports one function, `count(path, top)`. The files come through `std::fs`, as in any program;
//! what can be opened is decided by the grant, see `grant.toml` beside this crate.
//!
//! ```text
//! writ run textstat.wasm --grant grant.toml --call count --args '["/text", 3]'
//! ```

mod tally;
mod walk;

use std::fs;

use bindings::exports::example::textstat::text::{Error, File, Guest, Report};
use tally::Tally;

#[allow(missing_docs, unsafe_code, reason = "generated from wit/textstat.wit, which is documented")]
mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "textstat" });
    export!(TextStat with_types_in self);
    use super::TextStat;
}

struct TextStat;

impl Guest for TextStat {
    fn count(path: String, top: u32) -> Result<Report, Error> {
        let mut files = Vec::new();
        let mut total = Tally::default();
        for path in walk::files_below(&path)? {
            let bytes = fs::read(&path).map_err(|error| walk::explain(&path, &error))?;
            let tally = Tally::of(&bytes);
            files.push(File { path, stats: tally.stats(top) });
            total.add(tally);
        }
        Ok(Report { files, total: total.stats(top) })
    }
}
