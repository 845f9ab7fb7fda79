//! The functions that a component exports, with the types that they use.

use super::bounds::{FUNCTIONS, TEXT};
use super::description::{Function, NamedType, Param};
use super::docs::Docs;
use super::error::DescribeError;
use super::provided::is_run;
use super::scan::{ComponentRoot, Scan};
use super::text::TypeText;
use super::{root_types, shape};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{InterfaceId, Resolve, Type, TypeDefKind, TypeId, TypeOwner, WorldId, WorldItem};

/// The exports of a component.
#[derive(Debug, Default)]
pub(super) struct Exports {
    pub(super) functions: Vec<Function>,
    pub(super) types: Vec<NamedType>,
    pub(super) docs: Option<String>,
}

/// Says whether an imported interface has neither functions nor resources.
pub(super) fn types_alone(resolve: &Resolve, world: WorldId, name: &str) -> bool {
    resolve.worlds[world].imports.iter().any(|(key, item)| match item {
        WorldItem::Interface { id, .. } if resolve.name_world_key(key) == name => {
            let interface = &resolve.interfaces[*id];
            let resource = |id: &TypeId| matches!(resolve.types[*id].kind, TypeDefKind::Resource);
            interface.functions.is_empty() && !interface.types.values().any(resource)
        }
        _ => false,
    })
}

/// Reads the exports of a decoded component.
pub(super) fn exports(
    resolve: &Resolve,
    world: WorldId,
    scan: &Scan<'_>,
    root: &ComponentRoot<'_>,
) -> Result<Exports, DescribeError> {
    let mut listing = Listing {
        resolve,
        docs: Docs::read(scan.docs),
        interfaces: interface_names(resolve, world),
        exports: Exports::default(),
        queue: Vec::new(),
        text: TEXT,
    };
    listing.exports.docs = listing.docs.tool();
    for (key, item) in &resolve.worlds[world].exports {
        let name = resolve.name_world_key(key);
        if !root.exports.iter().any(|(export, _)| *export == name) {
            return Err(DescribeError::invalid(format!("`{name}` is not what it exports")));
        }
        match item {
            WorldItem::Function(func) => listing.function(None, func)?,
            WorldItem::Interface { .. } if is_run(&name) => {}
            WorldItem::Interface { id, .. } => {
                for func in resolve.interfaces[*id].functions.values() {
                    listing.function(Some(&name), func)?;
                }
            }
            WorldItem::Type { .. } => {}
        }
    }
    listing.named_types()?;
    Ok(listing.exports)
}

/// Decodes the WIT of a component whose bounds are checked. The decoder has assertions about inputs that nobody writes, so a
/// panic in it is an invalid tool and not our fault.
pub(super) fn decoded(
    bytes: &[u8],
    scan: &Scan<'_>,
    root: &ComponentRoot<'_>,
) -> Result<(Resolve, WorldId), DescribeError> {
    let mut bytes = Cow::Borrowed(bytes);
    for name in &scan.docs_names {
        bytes.to_mut()[name.start] = b'-';
    }
    if root_types::has_any(root) {
        bytes = root_types::as_imports(&bytes)?.into();
    }
    let decoded = catch_unwind(AssertUnwindSafe(|| decode(&bytes)))
        .map_err(|_| DescribeError::invalid("its types cannot be read"))?;
    match decoded.map_err(|error| DescribeError::invalid(format!("{error:#}")))? {
        DecodedWasm::Component(resolve, world) => Ok((resolve, world)),
        DecodedWasm::WitPackage(..) => Err(DescribeError::unsupported(
            "this is a WIT package: it describes interfaces and holds no program",
        )),
    }
}

fn interface_names(resolve: &Resolve, world: WorldId) -> HashMap<InterfaceId, String> {
    let world = &resolve.worlds[world];
    let items = world.imports.iter().chain(&world.exports);
    items
        .filter_map(|(key, item)| match item {
            WorldItem::Interface { id, .. } => Some((*id, resolve.name_world_key(key))),
            _ => None,
        })
        .collect()
}

struct Listing<'r> {
    resolve: &'r Resolve,
    docs: Docs,
    interfaces: HashMap<InterfaceId, String>,
    exports: Exports,
    /// Named types that a listed function or type mentions.
    queue: Vec<TypeId>,
    /// Bytes of text that the description may still take.
    text: usize,
}

impl Listing<'_> {
    fn function(
        &mut self,
        interface: Option<&str>,
        func: &wit_parser::Function,
    ) -> Result<(), DescribeError> {
        if self.exports.functions.len() == FUNCTIONS {
            return Err(DescribeError::TooLarge { what: "functions", limit: FUNCTIONS });
        }
        let mut params = Vec::new();
        for param in &func.params {
            let ty = self.reference(&param.ty)?;
            self.spend(param.name.len())?;
            params.push(Param { name: param.name.clone(), ty });
        }
        let result = func.result.map(|ty| self.reference(&ty)).transpose()?;
        let docs = self.docs.function(interface, &func.name);
        let names = 2 * func.name.len() + 2 * interface.map_or(0, str::len);
        self.spend(names + docs.as_ref().map_or(0, String::len))?;
        self.exports.functions.push(Function {
            call: String::new(),
            interface: interface.map(str::to_owned),
            name: func.name.clone(),
            params,
            result,
            docs,
            not_callable: shape::function(self.resolve, func).err(),
        });
        Ok(())
    }

    fn reference(&mut self, ty: &Type) -> Result<String, DescribeError> {
        let mut text = TypeText::new(self.resolve);
        let written = text.reference(ty);
        self.queue.append(&mut text.named);
        self.spend(written.len())?;
        Ok(written)
    }

    /// Defines the types that were mentioned, and the ones that they mention.
    fn named_types(&mut self) -> Result<(), DescribeError> {
        let mut seen = HashSet::new();
        let mut next = 0;
        while let Some(id) = self.queue.get(next).copied() {
            next += 1;
            let id = self.origin(id);
            if seen.insert(id) {
                self.define(id)?;
            }
        }
        Ok(())
    }

    /// Follows `use`, which repeats a name, to where the type is defined.
    fn origin(&self, mut id: TypeId) -> TypeId {
        let types = &self.resolve.types;
        while let TypeDefKind::Type(Type::Id(target)) = types[id].kind
            && types[target].name == types[id].name
        {
            id = target;
        }
        id
    }

    fn define(&mut self, id: TypeId) -> Result<(), DescribeError> {
        let ty = &self.resolve.types[id];
        let Some(name) = &ty.name else { return Ok(()) };
        let interface = match ty.owner {
            TypeOwner::Interface(id) => {
                self.interfaces.get(&id).cloned().or_else(|| self.resolve.id_of(id))
            }
            TypeOwner::World(_) | TypeOwner::None => None,
        };
        let mut text = TypeText::new(self.resolve);
        let wit = text.definition(ty, name, interface.as_deref(), &self.docs);
        self.queue.append(&mut text.named);
        let docs = self.docs.ty(interface.as_deref(), name);
        let names = name.len() + interface.as_ref().map_or(0, String::len);
        self.spend(names + wit.len() + docs.as_ref().map_or(0, String::len))?;
        self.exports.types.push(NamedType { interface, name: name.clone(), wit, docs });
        Ok(())
    }

    fn spend(&mut self, bytes: usize) -> Result<(), DescribeError> {
        self.text = self
            .text
            .checked_sub(bytes)
            .ok_or(DescribeError::TooLarge { what: "bytes of names and types", limit: TEXT })?;
        Ok(())
    }
}
