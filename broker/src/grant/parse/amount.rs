//! Sizes, times and counts at their place.

use super::sink::{At, Sink};
use super::table::wrong_type;
use crate::codes;
use crate::diagnostic::Span;
use crate::limits::{AmountError, Unit};
use toml::de::DeValue;

/// Reads an amount from a TOML value: a string, or an integer where the unit allows one.
pub(crate) fn from_toml(sink: &mut Sink, value: At<&DeValue<'_>>, unit: Unit) -> Option<At<u64>> {
    match value.value {
        DeValue::String(text) => parse(sink, value.map(text.as_ref()), unit),
        DeValue::Integer(integer) => {
            match i128::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(number) if number < 0 => {
                    sink.error(codes::NO_BOUND, value.span, "a bound cannot be negative")
                        .help(format!("write {}", unit.expected()));
                    None
                }
                Ok(number) => parse(sink, value.map(number.to_string().as_str()), unit),
                Err(_) => parse(sink, value.map("99999999999999999999"), unit),
            }
        }
        _ => {
            wrong_type(sink, value, unit.expected());
            None
        }
    }
}

/// Reads an amount from text.
pub(crate) fn parse(sink: &mut Sink, text: At<&str>, unit: Unit) -> Option<At<u64>> {
    let error = match unit.parse(text.value) {
        Ok(amount) => return Some(text.map(amount)),
        Err(error) => error,
    };
    let code = match error {
        AmountError::NoBound(_) => codes::NO_BOUND,
        AmountError::Overflow => codes::TOO_MUCH,
        _ => codes::AMOUNT,
    };
    let help = match &error {
        AmountError::AmbiguousUnit(unit) => {
            let letter = unit.get(..1).unwrap_or_default().to_uppercase();
            format!("write {letter}iB for multiples of 1024")
        }
        _ => format!("write {}", unit.expected()),
    };
    sink.error(code, text.span, error.to_string()).help(help);
    None
}

/// Reports a flag that would raise what the file says.
pub(crate) fn raised(sink: &mut Sink, name: &str, flag: Span, file: &At<u64>, unit: Unit) {
    let said = unit.show(file.value);
    sink.error(codes::RAISES, flag, format!("a flag cannot raise {name} above what the file says"))
        .label(format!("more than {said}"))
        .also(file.span, format!("the file says {said}"))
        .help("lower the flag, or change the file, where the change can be reviewed");
}
