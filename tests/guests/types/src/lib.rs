//! `types`: takes and returns a value of every WIT type.

mod handles;

use bindings::exports::test::types::echo::{Access, Colour, Guest, Many, Person, Shape};

#[allow(missing_docs, unsafe_code, reason = "generated from wit/types.wit, which is documented")]
mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "types" });
    export!(Types with_types_in self);
    use super::Types;
}

struct Types;

/// Functions of the form `fn name(v: T) -> T { v }`.
macro_rules! echo {
    ($($name:ident: $type:ty;)*) => { $(fn $name(v: $type) -> $type { v })* };
}

impl Guest for Types {
    echo! {
        echo_bool: bool;
        echo_u8: u8;
        echo_u16: u16;
        echo_u32: u32;
        echo_u64: u64;
        echo_s8: i8;
        echo_s16: i16;
        echo_s32: i32;
        echo_s64: i64;
        echo_f32: f32;
        echo_f64: f64;
        echo_char: char;
        echo_string: String;
        echo_list: Vec<u32>;
        echo_list_string: Vec<String>;
        echo_list_list: Vec<Vec<i16>>;
        echo_bytes: Vec<u8>;
        echo_tuple: (u8, String, bool);
        echo_record: Person;
        echo_variant: Shape;
        echo_enum: Colour;
        echo_flags: Access;
        echo_many_flags: Many;
        echo_option: Option<u32>;
        echo_nested_option: Option<Option<String>>;
        echo_result: Result<u32, String>;
        echo_result_ok: Result<u32, ()>;
        echo_result_err: Result<(), String>;
        echo_result_empty: Result<(), ()>;
    }

    fn nothing() {}

    fn join(first: String, second: i64, third: Option<bool>) -> String {
        format!("{first} {second} {third:?}")
    }

    fn extremes() -> (i64, i64, u64, u64) {
        (i64::MIN, i64::MAX, u64::MIN, u64::MAX)
    }

    fn odd_floats() -> (f64, f64, f64, f64, f32) {
        (f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f32::NAN)
    }
}
