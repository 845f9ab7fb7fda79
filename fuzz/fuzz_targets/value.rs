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

fn shapes() -> Vec<Shape> {
    let simple = || [Shape::Bool, Shape::S64, Shape::U64, Shape::U8, Shape::F32, Shape::F64, Shape::Char, Shape::String];
    let nested = |shape: Shape| {
        Shape::Option(Box::new(Shape::List(Box::new(Shape::Result {
            ok: Some(Box::new(shape)),
            err: Some(Box::new(Shape::String)),
        }))))
    };
    simple().into_iter().chain(simple().map(nested)).collect()
}
