//! WIT types, read as shapes: the check whether a function can be called.

use crate::worker::values::{AsyncType, FunctionShape, NotCallable, Shape, ShapeBudget};
use wit_parser::{Function, Resolve, Type, TypeDefKind};

/// Reads a function's type, or says why it cannot be called with JSON.
///
/// The result is what [`FunctionShape::of`] makes of wasmtime's view of the same function.
pub(super) fn function(resolve: &Resolve, func: &Function) -> Result<FunctionShape, NotCallable> {
    if func.kind.is_async() {
        return Err(NotCallable::AsyncFunction);
    }
    let budget = &mut ShapeBudget::new();
    let params = func
        .params
        .iter()
        .map(|param| Ok((param.name.clone(), shape(resolve, &param.ty, budget)?)))
        .collect::<Result<_, NotCallable>>()?;
    let result = func.result.map(|ty| shape(resolve, &ty, budget)).transpose()?;
    Ok(FunctionShape { params, result })
}

fn shape(resolve: &Resolve, ty: &Type, budget: &mut ShapeBudget) -> Result<Shape, NotCallable> {
    budget.nested(|budget| {
        Ok(match ty {
            Type::Bool => Shape::Bool,
            Type::S8 => Shape::S8,
            Type::U8 => Shape::U8,
            Type::S16 => Shape::S16,
            Type::U16 => Shape::U16,
            Type::S32 => Shape::S32,
            Type::U32 => Shape::U32,
            Type::S64 => Shape::S64,
            Type::U64 => Shape::U64,
            Type::F32 => Shape::F32,
            Type::F64 => Shape::F64,
            Type::Char => Shape::Char,
            Type::String => Shape::String,
            Type::ErrorContext => return Err(NotCallable::Async(AsyncType::ErrorContext)),
            Type::Id(id) => {
                let mut kind = &resolve.types[*id].kind;
                while let TypeDefKind::Type(Type::Id(id)) = kind {
                    kind = &resolve.types[*id].kind;
                }
                defined(resolve, kind, budget)?
            }
        })
    })
}

fn defined(
    resolve: &Resolve,
    kind: &TypeDefKind,
    budget: &mut ShapeBudget,
) -> Result<Shape, NotCallable> {
    let mut boxed = |ty: &Type| shape(resolve, ty, budget).map(Box::new);
    Ok(match kind {
        TypeDefKind::List(ty) => Shape::List(boxed(ty)?),
        TypeDefKind::FixedLengthList(ty, len) => Shape::FixedList(boxed(ty)?, *len),
        TypeDefKind::Map(key, value) => Shape::Map(boxed(key)?, boxed(value)?),
        TypeDefKind::Option(ty) => Shape::Option(boxed(ty)?),
        TypeDefKind::Result(result) => Shape::Result {
            ok: result.ok.as_ref().map(&mut boxed).transpose()?,
            err: result.err.as_ref().map(&mut boxed).transpose()?,
        },
        TypeDefKind::Tuple(tuple) => Shape::Tuple(
            tuple.types.iter().map(|ty| shape(resolve, ty, budget)).collect::<Result<_, _>>()?,
        ),
        TypeDefKind::Record(record) => Shape::Record(
            record
                .fields
                .iter()
                .map(|field| Ok((field.name.clone(), shape(resolve, &field.ty, budget)?)))
                .collect::<Result<_, NotCallable>>()?,
        ),
        TypeDefKind::Variant(variant) => {
            budget.names(variant.cases.len())?;
            let cases = variant.cases.iter().map(|case| {
                let ty = case.ty.map(|ty| shape(resolve, &ty, budget)).transpose()?;
                Ok((case.name.clone(), ty))
            });
            Shape::Variant(cases.collect::<Result<_, NotCallable>>()?)
        }
        TypeDefKind::Enum(names) => {
            budget.names(names.cases.len())?;
            Shape::Enum(names.cases.iter().map(|case| case.name.clone()).collect())
        }
        TypeDefKind::Flags(names) => {
            budget.names(names.flags.len())?;
            Shape::Flags(names.flags.iter().map(|flag| flag.name.clone()).collect())
        }
        // An alias of a plain type; the caller has followed the others. It takes no level.
        TypeDefKind::Type(ty) => plain_alias(resolve, ty, budget)?,
        TypeDefKind::Future(_) => return Err(NotCallable::Async(AsyncType::Future)),
        TypeDefKind::Stream(_) => return Err(NotCallable::Async(AsyncType::Stream)),
        TypeDefKind::Handle(_) | TypeDefKind::Resource | TypeDefKind::Unknown => {
            return Err(NotCallable::Resource);
        }
    })
}

fn plain_alias(
    resolve: &Resolve,
    ty: &Type,
    budget: &mut ShapeBudget,
) -> Result<Shape, NotCallable> {
    match ty {
        Type::Id(_) => Err(NotCallable::TooDeep),
        plain => shape(resolve, plain, budget),
    }
}
