//! One pass over the bytes: is this WebAssembly, of what sort, and what stands at its root.

use super::bounds::{DOCS_SECTION, NESTING, PRODUCER_TEXT, PRODUCERS, ROOT_ITEMS};
use super::description::Producer;
use super::error::DescribeError;
use super::nesting::Nesting;
use std::ops::Range;
use wasmparser::{
    BinaryReader, ComponentExternalKind, ComponentTypeRef, Encoding, ExternalKind, FuncType,
    KnownCustom, Parser, Payload, TypeRef,
};

/// What one pass over the bytes finds.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    pub(super) root: Root<'a>,
    pub(super) producers: Vec<Producer>,
    /// Where the names of `package-docs` sections stand.
    pub(super) docs_names: Vec<Range<usize>>,
    /// The first `package-docs` section of the tool itself.
    pub(super) docs: Option<&'a [u8]>,
}

/// What stands at the root of a binary.
#[derive(Debug)]
pub(super) enum Root<'a> {
    Core(CoreRoot<'a>),
    Component(ComponentRoot<'a>),
}

/// The imports and exports of a core module.
#[derive(Debug, Default)]
pub(super) struct CoreRoot<'a> {
    pub(super) imports: Vec<(&'a str, &'a str, TypeRef)>,
    pub(super) exports: Vec<(&'a str, ExternalKind, u32)>,
    /// The types of all functions, imported ones first.
    pub(super) functions: Vec<u32>,
    pub(super) types: Vec<Option<FuncType>>,
}

/// The imports and exports of a component.
#[derive(Debug, Default)]
pub(super) struct ComponentRoot<'a> {
    pub(super) imports: Vec<(&'a str, ComponentTypeRef)>,
    pub(super) exports: Vec<(&'a str, ComponentExternalKind)>,
}

/// Reads the structure of a binary and refuses what is not one, or too much of one.
pub(super) fn scan(bytes: &[u8]) -> Result<Scan<'_>, DescribeError> {
    magic(bytes)?;
    let root = match Parser::is_component(bytes) {
        true => Root::Component(ComponentRoot::default()),
        false => Root::Core(CoreRoot::default()),
    };
    let scan = Scan { root, producers: Vec::new(), docs_names: Vec::new(), docs: None };
    let mut pass = Pass { bytes, scan, nesting: Nesting::default(), open: Vec::new() };
    for payload in Parser::new(0).parse_all(bytes) {
        pass.payload(payload?)?;
    }
    Ok(pass.scan)
}

fn magic(bytes: &[u8]) -> Result<(), DescribeError> {
    if bytes.starts_with(b"\0asm") {
        return Ok(());
    }
    let start = bytes.trim_ascii_start();
    Err(DescribeError::NotWasm(
        match bytes {
            [] => "it is empty",
            _ if b"\0asm".starts_with(bytes) => "it ends within its first four bytes",
            _ if start.starts_with(b"(module") || start.starts_with(b"(component") => {
                "it is WebAssembly text; convert it with `wasm-tools parse`"
            }
            _ if bytes.starts_with(b"\x7fELF") => "it is a native program",
            _ if bytes.starts_with(b"#!") => "it is a script",
            _ => "it does not begin with `\\0asm`",
        }
        .to_owned(),
    ))
}

struct Pass<'a> {
    bytes: &'a [u8],
    scan: Scan<'a>,
    nesting: Nesting,
    /// The encodings of the binaries that enclose this place, outermost first.
    open: Vec<Encoding>,
}

impl<'a> Pass<'a> {
    fn payload(&mut self, payload: Payload<'a>) -> Result<(), DescribeError> {
        match payload {
            Payload::Version { encoding, .. } => self.enter(encoding)?,
            Payload::End(_) => {
                if let Some(Encoding::Component) = self.open.pop() {
                    self.nesting.leave();
                }
            }
            Payload::CustomSection(section) => self.custom(&section)?,
            Payload::ComponentTypeSection(section) => {
                let range = section.range();
                let mut reader = BinaryReader::new(&self.bytes[range.clone()], range.start);
                self.nesting.type_section(&mut reader)?;
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    self.nesting.alias(&alias?)?;
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for _ in 0..section.count() {
                    self.nesting.instance()?;
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section {
                    let import = import?;
                    self.nesting.extern_type(import.ty)?;
                    self.root_import(import.name.name, import.ty)?;
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    let export = export?;
                    self.nesting.export(&export)?;
                    self.root_export(export.name.name, export.kind)?;
                }
            }
            other => self.core(other)?,
        }
        Ok(())
    }

    fn enter(&mut self, encoding: Encoding) -> Result<(), DescribeError> {
        if self.open.len() == NESTING {
            return Err(DescribeError::TooLarge { what: "levels of nesting", limit: NESTING });
        }
        if encoding == Encoding::Component {
            self.nesting.enter()?;
        }
        self.open.push(encoding);
        Ok(())
    }

    /// Looks at a section of a core module, if that module is the tool itself.
    fn core(&mut self, payload: Payload<'a>) -> Result<(), DescribeError> {
        let (1, Root::Core(root)) = (self.open.len(), &mut self.scan.root) else { return Ok(()) };
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    for ty in group?.into_types() {
                        root.types.push(match ty.composite_type.inner {
                            wasmparser::CompositeInnerType::Func(func) => Some(func),
                            _ => None,
                        });
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    if let TypeRef::Func(ty) | TypeRef::FuncExact(ty) = import.ty {
                        root.functions.push(ty);
                    }
                    bounded(root.imports.len())?;
                    root.imports.push((import.module, import.name, import.ty));
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    root.functions.push(ty?);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    // Go and C export little, but a linker may export every symbol.
                    if matches!(export.name, "_start" | "memory") {
                        root.exports.push((export.name, export.kind, export.index));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn root_import(&mut self, name: &'a str, ty: ComponentTypeRef) -> Result<(), DescribeError> {
        if let (1, Root::Component(root)) = (self.open.len(), &mut self.scan.root) {
            bounded(root.imports.len())?;
            root.imports.push((name, ty));
        }
        Ok(())
    }

    fn root_export(
        &mut self,
        name: &'a str,
        kind: ComponentExternalKind,
    ) -> Result<(), DescribeError> {
        if let (1, Root::Component(root)) = (self.open.len(), &mut self.scan.root) {
            bounded(root.exports.len())?;
            root.exports.push((name, kind));
        }
        Ok(())
    }

    fn custom(
        &mut self,
        section: &wasmparser::CustomSectionReader<'a>,
    ) -> Result<(), DescribeError> {
        if section.name() == "package-docs" {
            let end = section.data_offset();
            self.scan.docs_names.push(end - section.name().len()..end);
            if section.data().len() > DOCS_SECTION {
                return Err(DescribeError::TooLarge {
                    what: "bytes of documentation",
                    limit: DOCS_SECTION,
                });
            }
            if self.open.len() == 1 && self.scan.docs.is_none() {
                self.scan.docs = Some(section.data());
            }
        }
        if let KnownCustom::Producers(fields) = section.as_known() {
            // Nobody depends on this section: what is broken in it is left out.
            for field in fields.into_iter().map_while(Result::ok) {
                for value in field.values.into_iter().map_while(Result::ok) {
                    self.producer(field.name, value.name, value.version);
                }
            }
        }
        Ok(())
    }

    fn producer(&mut self, field: &str, name: &str, version: &str) {
        let cut = |text: &str| text.chars().take(PRODUCER_TEXT).collect();
        let new = Producer { field: cut(field), name: cut(name), version: cut(version) };
        if self.scan.producers.len() < PRODUCERS && !self.scan.producers.contains(&new) {
            self.scan.producers.push(new);
        }
    }
}

fn bounded(items: usize) -> Result<(), DescribeError> {
    match items < ROOT_ITEMS {
        true => Ok(()),
        false => Err(DescribeError::TooLarge { what: "imports or exports", limit: ROOT_ITEMS }),
    }
}
