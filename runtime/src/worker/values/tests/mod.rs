//! What the table in the module's documentation promises.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod component;
mod forms;
mod refusals;
mod round_trip;

use super::*;
use writ_broker::text::is_treacherous;

/// Reads JSON text as a shape and writes it back.
fn there_and_back(shape: &Shape, text: &str) -> String {
    shape.to_text(&shape.from_text(text, Caps::DEFAULT).unwrap(), Caps::DEFAULT).unwrap()
}

/// The message for JSON text that does not fit.
fn refusal(shape: &Shape, text: &str) -> String {
    shape.from_text(text, Caps::DEFAULT).unwrap_err().to_string()
}

fn list(item: Shape) -> Shape {
    Shape::List(Box::new(item))
}

fn option(inner: Shape) -> Shape {
    Shape::Option(Box::new(inner))
}

fn record(fields: &[(&str, Shape)]) -> Shape {
    Shape::Record(fields.iter().map(|(name, shape)| ((*name).to_owned(), shape.clone())).collect())
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn function(params: &[(&str, Shape)]) -> FunctionShape {
    let Shape::Record(params) = record(params) else { unreachable!() };
    FunctionShape { params, result: None }
}
