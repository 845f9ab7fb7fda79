//! Tools and things that are not tools.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod hostile;
mod kinds;
mod listing;
mod names;

use super::*;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

/// Makes a component of a world: it has the types and its functions do nothing.
fn component(wit: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_source("test.wit", wit).unwrap();
    let world = resolve.select_world(&[package], Some("tool")).unwrap();
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

fn refusal(bytes: &[u8]) -> (String, String) {
    let error = describe_provided(bytes).unwrap_err();
    (error.code().to_string(), error.to_string())
}

/// Appends a custom section.
fn with_section(mut bytes: Vec<u8>, name: &str, data: &[u8]) -> Vec<u8> {
    let mut body = leb(name.len());
    body.extend(name.as_bytes());
    body.extend(data);
    bytes.push(0);
    bytes.extend(leb(body.len()));
    bytes.extend(body);
    bytes
}

fn leb(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return out;
        }
        out.push(low | 0x80);
    }
}

/// Functions at the root and in an interface, with named types.
const TEXT_TOOL: &str = r#"
    package acme:tools@1.2.0;
    interface text {
        record stats { lines: u32, longest-line: option<string> }
        variant pick { all, first(u32) }
        count: func(text: string, pick: pick) -> result<stats, string>;
        upper: func(text: string) -> string;
    }
    interface shout { upper: func(text: string) -> string; }
    world tool {
        export text;
        export shout;
        export version: func() -> string;
    }
"#;
