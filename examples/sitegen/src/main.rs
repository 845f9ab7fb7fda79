//! `sitegen`: a command tool, a build step as it stands in many projects.
//!
//! `sitegen SRC OUT` turns a folder of Markdown into a web site: one page per file, an index of all
//! pages, a style sheet, and everything else copied as it is. It is an ordinary program with `main`,
//! arguments, standard output and an exit code; nothing in it knows of a sandbox. The grant beside it
//! lets it read the sources and write only `out/` in them.
//!
//! ```text
//! writ run sitegen.wasm --grant grant.toml -- /site /site/out
//! ```

mod build;
mod error;
mod page;
mod tree;

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [source, out] = arguments.as_slice() else {
        eprintln!("usage: sitegen SRC OUT");
        return ExitCode::from(2);
    };
    match build::site(source, out) {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("sitegen: {error}");
            ExitCode::FAILURE
        }
    }
}
