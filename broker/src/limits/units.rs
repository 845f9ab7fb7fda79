//! Sizes, times and counts as people write them.

/// What a bound is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes: `256MiB`, `64KiB`, `1GiB`, `512B`, or a plain number of bytes.
    Size,
    /// Milliseconds: `500ms`, `30s`, `10m`, `2h`, `1d`; a unit is required.
    Time,
    /// A plain number.
    Count,
}

/// Why a text is no amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Zero, or a word like `unlimited`.
    #[error("{0} is no bound: nothing of a task is unlimited, and a bound of 0 lets nothing run")]
    NoBound(String),
    /// A number without the unit it needs.
    #[error("a time needs a unit, as in \"30s\", \"500ms\" or \"10m\"")]
    NoUnit,
    /// A unit that is read differently by different people.
    #[error("\"{0}\" is read as 1000 by some and as 1024 by others")]
    AmbiguousUnit(String),
    /// Anything else that is not an amount.
    #[error("expected {0}")]
    Malformed(&'static str),
    /// More than 64 bits.
    #[error("the number is too large")]
    Overflow,
}

impl Unit {
    /// Says what is expected, with an example.
    pub fn expected(self) -> &'static str {
        match self {
            Self::Size => "a size such as \"256MiB\" or \"64KiB\", or a whole number of bytes",
            Self::Time => "a time such as \"30s\", \"500ms\" or \"10m\"",
            Self::Count => "a whole number",
        }
    }

    /// Parses an amount: bytes, milliseconds or a number.
    pub fn parse(self, text: &str) -> Result<u64, AmountError> {
        let word = text.to_ascii_lowercase();
        if matches!(
            word.as_str(),
            "unlimited" | "infinite" | "infinity" | "inf" | "none" | "max" | "-1"
        ) {
            return Err(AmountError::NoBound(format!("\"{text}\"")));
        }
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        if number.is_empty() {
            return Err(AmountError::Malformed(self.expected()));
        }
        let factor = self.factor(unit)?;
        let number: u64 = number.parse().map_err(|_| AmountError::Overflow)?;
        let amount = number.checked_mul(factor).ok_or(AmountError::Overflow)?;
        if amount == 0 { Err(AmountError::NoBound("0".to_owned())) } else { Ok(amount) }
    }

    fn factor(self, unit: &str) -> Result<u64, AmountError> {
        let known = match (self, unit) {
            (Self::Count, "") | (Self::Size, "" | "B") | (Self::Time, "ms") => Some(1),
            (Self::Size, "KiB") => Some(1 << 10),
            (Self::Size, "MiB") => Some(1 << 20),
            (Self::Size, "GiB") => Some(1 << 30),
            (Self::Time, "s") => Some(1_000),
            (Self::Time, "m" | "min") => Some(60_000),
            (Self::Time, "h") => Some(3_600_000),
            (Self::Time, "d") => Some(86_400_000),
            _ => None,
        };
        match (self, unit.to_ascii_lowercase().as_str()) {
            _ if known.is_some() => known.ok_or(AmountError::Overflow),
            (Self::Time, "") => Err(AmountError::NoUnit),
            (Self::Size, "k" | "kb" | "m" | "mb" | "g" | "gb") => {
                Err(AmountError::AmbiguousUnit(unit.to_owned()))
            }
            _ => Err(AmountError::Malformed(self.expected())),
        }
    }

    /// Writes an amount in the largest unit that is exact, so that it parses back to itself.
    pub fn show(self, amount: u64) -> String {
        let units: &[(u64, &str)] = match self {
            Self::Size => &[(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B")],
            Self::Time => {
                &[(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")]
            }
            Self::Count => &[(1, "")],
        };
        let exact = units.iter().find(|(factor, _)| amount.is_multiple_of(*factor));
        let (factor, unit) = exact.copied().unwrap_or((1, ""));
        format!("{}{unit}", amount / factor)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_times_and_counts_are_read_as_written() {
        assert_eq!(Unit::Size.parse("256MiB"), Ok(256 << 20));
        assert_eq!(Unit::Size.parse("64KiB"), Ok(64 << 10));
        assert_eq!(Unit::Size.parse("1000"), Ok(1000));
        assert_eq!(Unit::Time.parse("30s"), Ok(30_000));
        assert_eq!(Unit::Time.parse("500ms"), Ok(500));
        assert_eq!(Unit::Time.parse("10m"), Ok(600_000));
        assert_eq!(Unit::Count.parse("12"), Ok(12));
    }

    #[test]
    fn no_bound_can_be_switched_off() {
        for (unit, text) in [
            (Unit::Size, "0"),
            (Unit::Size, "0MiB"),
            (Unit::Time, "0s"),
            (Unit::Count, "0"),
            (Unit::Size, "unlimited"),
            (Unit::Time, "Infinity"),
            (Unit::Count, "none"),
            (Unit::Count, "-1"),
        ] {
            assert!(matches!(unit.parse(text), Err(AmountError::NoBound(_))), "{text}");
        }
    }

    #[test]
    fn a_unit_that_people_read_differently_is_refused() {
        assert_eq!(Unit::Size.parse("1MB"), Err(AmountError::AmbiguousUnit("MB".into())));
        assert_eq!(Unit::Time.parse("30"), Err(AmountError::NoUnit));
    }

    #[test]
    fn anything_else_is_no_amount() {
        for text in ["", " 1", "1 ", "1.5GiB", "+1", "1e3", "MiB", "1_000", "0x10", "1KiBs", "１"]
        {
            assert!(matches!(Unit::Size.parse(text), Err(AmountError::Malformed(_))), "{text:?}");
        }
        assert_eq!(Unit::Size.parse("99999999999999999999"), Err(AmountError::Overflow));
        assert_eq!(Unit::Size.parse("99999999999GiB"), Err(AmountError::Overflow));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(amount in 1u64.., which in 0usize..3) {
            let unit = [Unit::Size, Unit::Time, Unit::Count][which];
            prop_assert_eq!(unit.parse(&unit.show(amount)).unwrap(), amount);
        }
    }
}
