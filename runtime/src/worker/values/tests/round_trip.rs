//! Random types and values: what is written is read back as the same value.

use super::*;
use proptest::collection::{hash_set, vec};
use proptest::prelude::*;
use wasmtime::component::Val;

fn label() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9]{0,5}(-[a-z]{1,4})?"
}

fn labels() -> impl Strategy<Value = Vec<String>> {
    hash_set(label(), 1..5).prop_map(|names| names.into_iter().collect())
}

fn leaf() -> impl Strategy<Value = Shape> {
    prop_oneof![
        prop::sample::select(vec![
            Shape::Bool,
            Shape::S8,
            Shape::U8,
            Shape::S16,
            Shape::U16,
            Shape::S32,
            Shape::U32,
            Shape::S64,
            Shape::U64,
            Shape::F32,
            Shape::F64,
            Shape::Char,
            Shape::String,
        ]),
        labels().prop_map(Shape::Enum),
        labels().prop_map(Shape::Flags),
    ]
}

fn shapes() -> impl Strategy<Value = Shape> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        prop_oneof![
            boxed.clone().prop_map(Shape::List),
            (boxed.clone(), 1..4_u32).prop_map(|(item, len)| Shape::FixedList(item, len)),
            (boxed.clone(), boxed.clone()).prop_map(|(key, value)| Shape::Map(key, value)),
            vec(inner.clone(), 1..4).prop_map(Shape::Tuple),
            (labels(), vec(inner.clone(), 5))
                .prop_map(|(names, shapes)| Shape::Record(names.into_iter().zip(shapes).collect())),
            (labels(), vec(prop::option::of(inner.clone()), 5))
                .prop_map(|(names, tys)| Shape::Variant(names.into_iter().zip(tys).collect())),
            boxed.clone().prop_map(Shape::Option),
            (prop::option::of(boxed.clone()), prop::option::of(boxed))
                .prop_map(|(ok, err)| Shape::Result { ok, err }),
        ]
    })
}

fn payload(shape: Option<Shape>) -> BoxedStrategy<Option<Box<Val>>> {
    match shape {
        None => Just(None).boxed(),
        Some(shape) => values(shape).prop_map(|value| Some(Box::new(value))).boxed(),
    }
}

fn sequence(shapes: Vec<Shape>) -> BoxedStrategy<Vec<Val>> {
    shapes.into_iter().map(values).collect::<Vec<_>>().boxed()
}

pub(super) fn values(shape: Shape) -> BoxedStrategy<Val> {
    match shape {
        Shape::Bool => any::<bool>().prop_map(Val::Bool).boxed(),
        Shape::S8 => any::<i8>().prop_map(Val::S8).boxed(),
        Shape::U8 => any::<u8>().prop_map(Val::U8).boxed(),
        Shape::S16 => any::<i16>().prop_map(Val::S16).boxed(),
        Shape::U16 => any::<u16>().prop_map(Val::U16).boxed(),
        Shape::S32 => any::<i32>().prop_map(Val::S32).boxed(),
        Shape::U32 => any::<u32>().prop_map(Val::U32).boxed(),
        Shape::S64 => any::<i64>().prop_map(Val::S64).boxed(),
        Shape::U64 => any::<u64>().prop_map(Val::U64).boxed(),
        Shape::F32 => prop::num::f32::ANY.prop_map(Val::Float32).boxed(),
        Shape::F64 => prop::num::f64::ANY.prop_map(Val::Float64).boxed(),
        Shape::Char => any::<char>().prop_map(Val::Char).boxed(),
        Shape::String => any::<String>().prop_map(Val::String).boxed(),
        Shape::List(item) => vec(values(*item), 0..4).prop_map(Val::List).boxed(),
        Shape::FixedList(item, len) => {
            vec(values(*item), len as usize).prop_map(Val::FixedLengthList).boxed()
        }
        Shape::Map(key, value) => maps(*key, *value),
        Shape::Tuple(shapes) => sequence(shapes).prop_map(Val::Tuple).boxed(),
        Shape::Record(fields) => {
            let (names, shapes): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
            sequence(shapes)
                .prop_map(move |values| Val::Record(names.iter().cloned().zip(values).collect()))
                .boxed()
        }
        Shape::Variant(cases) => prop::sample::select(cases)
            .prop_flat_map(|(name, shape)| {
                payload(shape).prop_map(move |value| Val::Variant(name.clone(), value))
            })
            .boxed(),
        Shape::Enum(names) => prop::sample::select(names).prop_map(Val::Enum).boxed(),
        Shape::Flags(names) => {
            prop::sample::subsequence(names.clone(), 0..=names.len()).prop_map(Val::Flags).boxed()
        }
        Shape::Option(inner) => prop_oneof![
            Just(Val::Option(None)),
            values(*inner).prop_map(|value| Val::Option(Some(Box::new(value))))
        ]
        .boxed(),
        Shape::Result { ok, err } => prop_oneof![
            payload(ok.map(|shape| *shape)).prop_map(|value| Val::Result(Ok(value))),
            payload(err.map(|shape| *shape)).prop_map(|value| Val::Result(Err(value))),
        ]
        .boxed(),
    }
}

/// Maps by name come back sorted by name and with each name once, so that is how they are made.
fn maps(key: Shape, value: Shape) -> BoxedStrategy<Val> {
    if key == Shape::String {
        return prop::collection::btree_map(any::<String>(), values(value), 0..4)
            .prop_map(|map| {
                Val::Map(map.into_iter().map(|(key, value)| (Val::String(key), value)).collect())
            })
            .boxed();
    }
    vec((values(key), values(value)), 0..4).prop_map(Val::Map).boxed()
}

fn shaped_values() -> impl Strategy<Value = (Shape, Val)> {
    shapes().prop_flat_map(|shape| values(shape.clone()).prop_map(move |val| (shape.clone(), val)))
}

proptest! {
    #[test]
    fn what_is_written_is_read_back((shape, val) in shaped_values()) {
        let text = shape.to_text(&val, Caps::DEFAULT).unwrap();
        prop_assert!(!text.chars().any(is_treacherous));
        let back = shape.from_text(&text, Caps::DEFAULT).unwrap();
        // Not compared as values, because NaN differs from itself.
        prop_assert_eq!(format!("{back:?}"), format!("{val:?}"));
    }

    #[test]
    fn any_json_is_refused_or_read_and_never_breaks(
        shape in shapes(),
        text in r#"([\[\]{},:]|"[a-z\\u0-9]{0,4}"|-?[0-9]{1,20}|1e[0-9]{1,3}|null|true){0,12}"#,
    ) {
        let caps = Caps { elements: 8, bytes: 200 };
        if let Ok(val) = shape.from_text(&text, caps) {
            shape.to_text(&val, Caps::DEFAULT).unwrap();
        }
    }

    #[test]
    fn what_is_written_for_one_type_never_breaks_another((_, val) in shaped_values(), other in shapes()) {
        let _ = other.to_text(&val, Caps { elements: 8, bytes: 64 });
    }
}
