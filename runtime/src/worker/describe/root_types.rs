//! Types that a component exports at its root, put into the form that `wit-parser` reads.
//!
//! Such an export names a type for the functions beside it. `wit-parser` knows the same thing only
//! as an import of a type that equals another one, which is how today's toolchains write it.
//! Both define one new type at the same place, so that no other index changes.

use super::error::DescribeError;
use super::scan::ComponentRoot;
use wasmparser::{BinaryReader, ComponentExport, ComponentExternName, ComponentExternalKind};
use wasmparser::{ComponentExportSectionReader, Parser, Payload};

/// The bytes of a binary's magic number and version.
const PREAMBLE: usize = 8;
const IMPORTS: u8 = 10;
const EXPORTS: u8 = 11;

/// Says whether there are types among the exports, and something else that may use them.
pub(super) fn has_any(root: &ComponentRoot<'_>) -> bool {
    let is_type = |kind: &ComponentExternalKind| *kind == ComponentExternalKind::Type;
    root.exports.iter().any(|(_, kind)| is_type(kind))
        && !root.exports.iter().all(|(_, kind)| is_type(kind))
}

/// Rewrites the exports of types as imports of equal types.
pub(super) fn as_imports(bytes: &[u8]) -> Result<Vec<u8>, DescribeError> {
    let mut out = bytes[..PREAMBLE].to_vec();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        match &payload {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentExportSection(section) if depth == 1 => {
                exports(&mut out, bytes, section)?;
            }
            _ if depth == 1 => {
                if let Some((id, range)) = payload.as_section() {
                    section(&mut out, id, &bytes[range]);
                }
            }
            _ => {}
        }
    }
    Ok(out)
}

/// Writes each export as a section of its own, in order.
fn exports(
    out: &mut Vec<u8>,
    bytes: &[u8],
    exports: &ComponentExportSectionReader<'_>,
) -> Result<(), DescribeError> {
    let range = exports.range();
    let mut reader = BinaryReader::new(&bytes[range.clone()], range.start);
    for _ in 0..reader.read_var_u32()? {
        let start = reader.original_position();
        let name_end = {
            let mut name = reader.clone();
            name.read::<ComponentExternName<'_>>()?;
            name.original_position()
        };
        let export: ComponentExport<'_> = reader.read()?;
        let mut item = vec![1];
        if export.kind == ComponentExternalKind::Type {
            item.extend(&bytes[start..name_end]);
            // A type, equal to the type of this index.
            item.extend([3, 0]);
            push_u32(&mut item, export.index);
            section(out, IMPORTS, &item);
        } else {
            item.extend(&bytes[start..reader.original_position()]);
            section(out, EXPORTS, &item);
        }
    }
    Ok(())
}

fn section(out: &mut Vec<u8>, id: u8, content: &[u8]) {
    out.push(id);
    // A section of a binary that was parsed has a length of 32 bits.
    push_u32(out, u32::try_from(content.len()).unwrap_or(u32::MAX));
    out.extend(content);
}

/// Appends an unsigned LEB128 number.
fn push_u32(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
