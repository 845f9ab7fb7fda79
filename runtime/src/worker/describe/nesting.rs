//! Bounds how deep a component's types nest, before anything recurses over them.

use super::bounds::{DEFINITIONS, NESTING, TYPE_DEPTH};
use super::error::DescribeError;
use wasmparser::{
    BinaryReader, ComponentAlias, ComponentDefinedType, ComponentExport, ComponentExternName,
    ComponentExternalKind, ComponentFuncType, ComponentImport, ComponentOuterAliasKind,
    ComponentType, ComponentTypeRef, ComponentValType, CoreType, TypeBounds,
};

type Checked<T = ()> = Result<T, DescribeError>;

/// Follows the type definitions of a component and knows the depth of each.
///
/// A depth is an upper bound: where following a reference would take more than this file, the
/// deepest type so far stands in for it. Indices that do not exist count as flat, because the
/// validator refuses them later.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    scopes: Vec<Scope>,
    deepest: usize,
    definitions: usize,
}

/// The index spaces of one component or one component or instance type.
#[derive(Debug, Default)]
struct Scope {
    types: Vec<usize>,
    instances: Vec<usize>,
    deepest: usize,
}

impl Nesting {
    /// Enters a component.
    pub(super) fn enter(&mut self) -> Checked {
        if self.scopes.len() == NESTING {
            return Err(DescribeError::TooLarge { what: "levels of nesting", limit: NESTING });
        }
        self.scopes.push(Scope::default());
        Ok(())
    }

    /// Leaves a component or a type; the depth of its deepest type is left over.
    pub(super) fn leave(&mut self) -> usize {
        self.scopes.pop().map_or(0, |scope| scope.deepest)
    }

    /// Reads a type section, item by item: wasmparser's own reader recurses without a bound.
    pub(super) fn type_section(&mut self, reader: &mut BinaryReader<'_>) -> Checked {
        for _ in 0..reader.read_var_u32()? {
            self.define_type(reader)?;
        }
        Ok(())
    }

    fn define_type(&mut self, reader: &mut BinaryReader<'_>) -> Checked {
        let depth = match reader.clone().read_u8()? {
            tag @ (0x41 | 0x42) => {
                reader.read_u8()?;
                self.declarations(reader, tag == 0x41)?
            }
            _ => match reader.read::<ComponentType<'_>>()? {
                ComponentType::Defined(ty) => 1 + self.defined(&ty),
                ComponentType::Func(func) => 1 + self.func(&func),
                _ => 1,
            },
        };
        self.push_type(depth)
    }

    fn declarations(&mut self, reader: &mut BinaryReader<'_>, imports: bool) -> Checked<usize> {
        self.enter()?;
        for _ in 0..reader.read_var_u32()? {
            match reader.read_u8()? {
                0x00 => {
                    reader.read::<CoreType<'_>>()?;
                    self.count(1)?;
                }
                0x01 => self.define_type(reader)?,
                0x02 => {
                    let alias = reader.read()?;
                    self.alias(&alias)?;
                }
                0x03 if imports => {
                    let import: ComponentImport<'_> = reader.read()?;
                    self.extern_type(import.ty)?;
                }
                0x04 => {
                    reader.read::<ComponentExternName<'_>>()?;
                    let ty = reader.read()?;
                    self.extern_type(ty)?;
                }
                tag => {
                    return Err(DescribeError::invalid(format!(
                        "unknown type declaration {tag:#x}"
                    )));
                }
            }
        }
        Ok(self.leave())
    }

    pub(super) fn alias(&mut self, alias: &ComponentAlias<'_>) -> Checked {
        match alias {
            ComponentAlias::InstanceExport { kind, instance_index, .. } => {
                let depth = self
                    .scopes
                    .last()
                    .and_then(|scope| scope.instances.get(*instance_index as usize))
                    .copied()
                    .unwrap_or(self.deepest);
                match kind {
                    ComponentExternalKind::Instance => self.push_instance(depth),
                    ComponentExternalKind::Type => self.push_type(depth),
                    _ => self.count(1),
                }
            }
            ComponentAlias::Outer { kind: ComponentOuterAliasKind::Type, count, index } => {
                let outer = self.scopes.len().checked_sub(1 + *count as usize);
                let depth = outer.and_then(|scope| self.scopes[scope].types.get(*index as usize));
                self.push_type(depth.copied().unwrap_or(0))
            }
            _ => self.count(1),
        }
    }

    /// Takes note of an import, or of an export inside a type.
    pub(super) fn extern_type(&mut self, ty: ComponentTypeRef) -> Checked {
        match ty {
            ComponentTypeRef::Type(TypeBounds::Eq(index)) => self.push_type(self.type_at(index)),
            ComponentTypeRef::Type(TypeBounds::SubResource) => self.push_type(1),
            ComponentTypeRef::Instance(index) => self.push_instance(self.type_at(index)),
            _ => self.count(1),
        }
    }

    /// Takes note of an export of a component, which is a new index too.
    pub(super) fn export(&mut self, export: &ComponentExport<'_>) -> Checked {
        match export.kind {
            ComponentExternalKind::Type => self.push_type(self.type_at(export.index)),
            ComponentExternalKind::Instance => self.push_instance(self.deepest),
            _ => self.count(1),
        }
    }

    /// Takes note of an instance that the component makes.
    pub(super) fn instance(&mut self) -> Checked {
        self.push_instance(self.deepest)
    }

    fn defined(&self, ty: &ComponentDefinedType<'_>) -> usize {
        use ComponentDefinedType as T;
        match ty {
            T::Primitive(_) | T::Flags(_) | T::Enum(_) | T::Own(_) | T::Borrow(_) => 0,
            T::Record(fields) => self.deepest_of(fields.iter().map(|(_, ty)| *ty)),
            T::Variant(cases) => self.deepest_of(cases.iter().filter_map(|case| case.ty)),
            T::Tuple(types) => self.deepest_of(types.iter().copied()),
            T::List(ty) | T::FixedLengthList(ty, _) | T::Option(ty) => self.deepest_of([*ty]),
            T::Map(key, value) => self.deepest_of([*key, *value]),
            T::Result { ok, err } => self.deepest_of(ok.iter().chain(err).copied()),
            T::Future(ty) | T::Stream(ty) => self.deepest_of(ty.iter().copied()),
        }
    }

    fn func(&self, func: &ComponentFuncType<'_>) -> usize {
        self.deepest_of(func.params.iter().map(|(_, ty)| *ty).chain(func.result))
    }

    fn deepest_of(&self, types: impl IntoIterator<Item = ComponentValType>) -> usize {
        types
            .into_iter()
            .map(|ty| match ty {
                ComponentValType::Primitive(_) => 0,
                ComponentValType::Type(index) => self.type_at(index),
            })
            .max()
            .unwrap_or(0)
    }

    fn type_at(&self, index: u32) -> usize {
        let scope = self.scopes.last();
        scope.and_then(|scope| scope.types.get(index as usize)).copied().unwrap_or(0)
    }

    fn push_type(&mut self, depth: usize) -> Checked {
        if depth > TYPE_DEPTH {
            return Err(DescribeError::TooLarge { what: "levels in a type", limit: TYPE_DEPTH });
        }
        self.deepest = self.deepest.max(depth);
        if let Some(scope) = self.scopes.last_mut() {
            scope.types.push(depth);
            scope.deepest = scope.deepest.max(depth);
        }
        self.count(1)
    }

    fn push_instance(&mut self, depth: usize) -> Checked {
        if let Some(scope) = self.scopes.last_mut() {
            scope.instances.push(depth);
        }
        self.count(1)
    }

    /// Counts definitions that have no depth.
    pub(super) fn count(&mut self, more: usize) -> Checked {
        self.definitions = self.definitions.saturating_add(more);
        if self.definitions > DEFINITIONS {
            return Err(DescribeError::TooLarge {
                what: "types, imports and exports",
                limit: DEFINITIONS,
            });
        }
        Ok(())
    }
}
