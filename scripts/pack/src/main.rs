//! Finishes a guest after the compiler is done with it.
//!
//! `pack docs WIT IN OUT` puts the doc comments of a WIT folder into a component, as the custom section
//! `package-docs`: compilers leave them out, and an agent that calls a tool needs them.
//! `pack wat IN OUT` assembles a text module or component, without judging whether it is valid.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result, bail};
use wit_parser::{PackageMetadata, Resolve};

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["docs", wit, input, output] => {
            let mut component = read(input)?;
            component.extend(docs_section(Path::new(wit))?);
            write(output, &component)
        }
        ["wat", input, output] => write(output, &wat::parse_bytes(&read(input)?)?),
        _ => bail!("usage: pack docs WIT IN OUT | pack wat IN OUT"),
    }
}

/// The custom section with the docs of the package in a folder.
fn docs_section(wit: &Path) -> Result<Vec<u8>> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit)?;
    let docs = PackageMetadata::extract(&resolve, package).encode()?;
    Ok(custom_section(PackageMetadata::SECTION_NAME, &docs))
}

fn custom_section(name: &str, content: &[u8]) -> Vec<u8> {
    let mut body = leb128(name.len());
    body.extend(name.as_bytes());
    body.extend(content);
    let mut section = vec![0];
    section.extend(leb128(body.len()));
    section.extend(body);
    section
}

/// An unsigned number as WebAssembly writes it: seven bits a byte, the lowest first.
fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn read(path: &str) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {path}"))
}

/// Writes a file whole or not at all.
fn write(path: &str, bytes: &[u8]) -> Result<()> {
    let unfinished = PathBuf::from(format!("{path}.new"));
    fs::write(&unfinished, bytes)
        .and_then(|()| fs::rename(&unfinished, path))
        .with_context(|| format!("cannot write {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_seven_bits_a_byte() {
        assert_eq!(leb128(0), [0]);
        assert_eq!(leb128(127), [127]);
        assert_eq!(leb128(128), [0x80, 1]);
        assert_eq!(leb128(624_485), [0xe5, 0x8e, 0x26]);
    }

    #[test]
    fn a_section_carries_its_name_and_content() {
        assert_eq!(custom_section("ab", &[7, 8]), [0, 5, 2, b'a', b'b', 7, 8]);
    }
}
