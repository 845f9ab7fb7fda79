//! Wasmtime's types, read as shapes.

use super::shape::{AsyncType, FunctionShape, NotCallable, Shape, ShapeBudget};
use wasmtime::component::types::{ComponentFunc, Type};

impl FunctionShape {
    /// Reads a function's type, or says why it cannot be called with JSON.
    ///
    /// This costs an allocation per part of the type: do it once per tool, not once per call.
    pub fn of(func: &ComponentFunc) -> Result<Self, NotCallable> {
        if func.async_() {
            return Err(NotCallable::AsyncFunction);
        }
        let budget = &mut ShapeBudget::new();
        let params = func
            .params()
            .map(|(name, ty)| Ok((name.to_owned(), shape(&ty, budget)?)))
            .collect::<Result<_, NotCallable>>()?;
        let result = func.results().next().map(|ty| shape(&ty, budget)).transpose()?;
        Ok(Self { params, result })
    }
}

fn shape(ty: &Type, budget: &mut ShapeBudget) -> Result<Shape, NotCallable> {
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
            Type::Float32 => Shape::F32,
            Type::Float64 => Shape::F64,
            Type::Char => Shape::Char,
            Type::String => Shape::String,
            Type::Own(_) | Type::Borrow(_) => return Err(NotCallable::Resource),
            Type::Future(_) => return Err(NotCallable::Async(AsyncType::Future)),
            Type::Stream(_) => return Err(NotCallable::Async(AsyncType::Stream)),
            Type::ErrorContext => return Err(NotCallable::Async(AsyncType::ErrorContext)),
            compound => return self::compound(compound, budget),
        })
    })
}

fn compound(ty: &Type, budget: &mut ShapeBudget) -> Result<Shape, NotCallable> {
    Ok(match ty {
        Type::List(list) => Shape::List(Box::new(shape(&list.ty(), budget)?)),
        Type::FixedLengthList(list) => {
            Shape::FixedList(Box::new(shape(&list.ty(), budget)?), list.len())
        }
        Type::Map(map) => {
            Shape::Map(Box::new(shape(&map.key(), budget)?), Box::new(shape(&map.value(), budget)?))
        }
        Type::Tuple(tuple) => {
            Shape::Tuple(tuple.types().map(|ty| shape(&ty, budget)).collect::<Result<_, _>>()?)
        }
        Type::Record(record) => Shape::Record(
            record
                .fields()
                .map(|field| Ok((field.name.to_owned(), shape(&field.ty, budget)?)))
                .collect::<Result<_, _>>()?,
        ),
        Type::Variant(variant) => {
            budget.names(variant.cases().len())?;
            Shape::Variant(
                variant
                    .cases()
                    .map(|case| Ok((case.name.to_owned(), optional(case.ty, budget)?)))
                    .collect::<Result<_, _>>()?,
            )
        }
        Type::Enum(names) => {
            budget.names(names.names().len())?;
            Shape::Enum(names.names().map(str::to_owned).collect())
        }
        Type::Flags(names) => {
            budget.names(names.names().len())?;
            Shape::Flags(names.names().map(str::to_owned).collect())
        }
        Type::Option(option) => Shape::Option(Box::new(shape(&option.ty(), budget)?)),
        Type::Result(result) => Shape::Result {
            ok: optional(result.ok(), budget)?.map(Box::new),
            err: optional(result.err(), budget)?.map(Box::new),
        },
        _ => unreachable!("every type without parts is read by the caller"),
    })
}

fn optional(ty: Option<Type>, budget: &mut ShapeBudget) -> Result<Option<Shape>, NotCallable> {
    ty.map(|ty| shape(&ty, budget)).transpose()
}
