//! JSON to component values and back: what is read is written, and reads as the same value again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use writ_runtime::worker::values::{Caps, Shape};

fuzz_target!(|input: (u8, &str)| {
    let (pick, text) = input;
    let shapes = shapes();
    let shape = &shapes[usize::from(pick) % shapes.len()];
    let caps = Caps { elements: 10_000, bytes: 1 << 20 };
    if let Ok(value) = shape.from_text(text, caps) {
        let written = shape.to_text(&value, caps).expect("what was read can be written");
        let again = shape.from_text(&written, caps).expect("what was written can be read");
        // Compared as text: NaN is not equal to itself.
        assert_eq!(shape.to_text(&again, caps).ok().as_ref(), Some(&written));
        assert!(!written.chars().any(char::is_control));
    }
});

/// Every simple type, every kind of compound type, and each of them inside the others.
fn shapes() -> Vec<Shape> {
    let all = || simple().into_iter().chain(compound());
    all().chain(all().map(nested)).chain(all().map(within)).collect()
}

fn simple() -> Vec<Shape> {
    use Shape::{Bool, Char, F32, F64, S8, S16, S32, S64, String, U8, U16, U32, U64};
    vec![Bool, S8, U8, S16, U16, S32, U32, S64, U64, F32, F64, Char, String]
}

fn compound() -> Vec<Shape> {
    let boxed = |shape| Box::new(shape);
    vec![
        Shape::List(boxed(Shape::U8)),
        Shape::List(boxed(Shape::String)),
        Shape::FixedList(boxed(Shape::U8), 3),
        Shape::FixedList(boxed(Shape::S16), 2),
        Shape::Map(boxed(Shape::String), boxed(Shape::U32)),
        Shape::Map(boxed(Shape::U64), boxed(Shape::String)),
        Shape::Tuple(vec![Shape::U8, Shape::String, Shape::F64]),
        Shape::Record(vec![
            ("a".into(), Shape::S64),
            ("b-c".into(), Shape::Option(boxed(Shape::String))),
        ]),
        Shape::Variant(vec![("none".into(), None), ("some".into(), Some(Shape::U16))]),
        Shape::Enum(names(&["low", "high"])),
        Shape::Flags(names(&["read", "write", "run-it"])),
        Shape::Option(boxed(Shape::Option(boxed(Shape::Bool)))),
        Shape::Result { ok: None, err: Some(boxed(Shape::String)) },
        Shape::Result { ok: Some(boxed(Shape::U8)), err: None },
    ]
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn nested(shape: Shape) -> Shape {
    Shape::Option(Box::new(Shape::List(Box::new(Shape::Result {
        ok: Some(Box::new(shape)),
        err: Some(Box::new(Shape::String)),
    }))))
}

/// A record whose parts may each be left out or chosen.
fn within(shape: Shape) -> Shape {
    let by_name = Shape::Map(Box::new(Shape::String), Box::new(shape.clone()));
    let either = Shape::Variant(vec![("it".into(), Some(shape.clone())), ("not".into(), None)]);
    Shape::Record(vec![
        ("maybe".into(), Shape::Option(Box::new(shape.clone()))),
        ("pair".into(), Shape::Tuple(vec![shape, either])),
        ("named".into(), by_name),
    ])
}
