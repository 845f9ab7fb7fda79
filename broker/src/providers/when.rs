//! Times as upstreams write them (RFC 3339, in UTC).

use crate::clock::UnixMillis;
use std::time::Duration;

/// Returns a time so much later.
pub(super) fn after(time: UnixMillis, by: Duration) -> UnixMillis {
    let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
    UnixMillis(time.0.saturating_add(by))
}

/// Writes a time to the second, rounded down; the last that can be written is in the year 9999.
pub(super) fn to_rfc3339(time: UnixMillis) -> String {
    let seconds = (time.0 / 1000).min(253_402_300_799);
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Reads a time of the form `2026-11-25T11:05:00Z`, with or without a fraction.
pub(super) fn from_rfc3339(text: &str) -> Option<UnixMillis> {
    let number = |range: std::ops::Range<usize>| -> Option<u64> {
        let digits = text.get(range)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let marks = [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")];
    if marks.iter().any(|(at, mark)| text.get(*at..at + 1) != Some(mark)) {
        return None;
    }
    let fraction = text.get(19..)?.strip_suffix('Z')?;
    let digits = fraction.strip_prefix('.').unwrap_or("0");
    if !fraction.is_empty() && !fraction.starts_with('.')
        || digits.is_empty()
        || !digits.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let days = days(year, month, day)?;
    if civil(days) != (year, month, day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some(UnixMillis((days * 86_400 + hour * 3600 + minute * 60 + second) * 1000))
}

/// Days since 1970-01-01 to year, month and day, by eras of 400 years that start in March.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// The inverse of [`civil`], for dates since 1970.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = year - u64::from(month <= 2);
    let (era, year_of_era) = (year / 400, year % 400);
    let from_march = (month + 9) % 12;
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_times_are_written_and_read_as_the_standard_says() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_468_275_250, "2016-07-11T22:14:10Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(to_rfc3339(UnixMillis(seconds * 1000)), text);
            assert_eq!(from_rfc3339(text), Some(UnixMillis(seconds * 1000)));
        }
        assert_eq!(to_rfc3339(UnixMillis(u64::MAX)), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn what_is_no_time_in_utc_is_refused() {
        for text in [
            "",
            "2016-07-11",
            "2016-07-11T22:14:10",
            "2016-07-11T22:14:10+02:00",
            "2016-07-11 22:14:10Z",
            "2016-02-30T00:00:00Z",
            "2016-13-01T00:00:00Z",
            "2016-07-11T24:00:00Z",
            "2016-07-11T22:60:00Z",
            "+016-07-11T22:14:10Z",
            "2016-07-11T22:14:10.Z",
            "2016-07-11T22:14:1é",
            "1969-12-31T23:59:59Z",
        ] {
            assert_eq!(from_rfc3339(text), None, "{text}");
        }
        assert!(from_rfc3339("2016-07-11T22:14:10.123456Z").is_some());
    }

    proptest! {
        #[test]
        fn every_second_comes_back(seconds in 0u64..253_402_300_800) {
            let time = UnixMillis(seconds * 1000);
            prop_assert_eq!(from_rfc3339(&to_rfc3339(time)), Some(time));
        }

        #[test]
        fn no_text_breaks_the_reader(text in "\\PC{0,30}") {
            let _ = from_rfc3339(&text);
        }
    }
}
