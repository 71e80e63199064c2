//! Numbers as text and back, the same from every file format.

/// Reads a decimal number: digits with an optional sign, fraction and exponent; finite. Words such as
/// `NaN` or `inf` are not numbers.
pub(crate) fn parse(text: &str) -> Option<f64> {
    let plain = |c: u8| c.is_ascii_digit() || matches!(c, b'+' | b'-' | b'.' | b'e' | b'E');
    if !text.bytes().all(plain) {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite()).map(|value| value + 0.0)
}

/// Reads a whole number written the one canonical way: no leading zeros, no plus.
pub(crate) fn parse_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = match digits.as_bytes() {
        [b'0'] => digits.len() == text.len(),
        [first, rest @ ..] => first.is_ascii_digit() && *first != b'0' && rest.iter().all(u8::is_ascii_digit),
        [] => false,
    };
    if canonical { text.parse().ok() } else { None }
}

/// Digits that are no canonical whole number (a leading zero, or too many): a code, such as a postcode or
/// a long identifier, that would change as a number.
pub(crate) fn is_code(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit()) && parse_integer(text).is_none()
}

/// The text of a number: whole ones without a fraction, so that 1 and 1.0 are one level and one name.
pub(crate) fn text(value: f64) -> String {
    let value = value + 0.0;
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-5..1e17).contains(&magnitude) {
        format!("{value:e}")
    } else {
        value.to_string()
    }
}

/// A single-precision number as the number that its shortest decimal text means, so that a table gives
/// the same values whether it was saved as binary or as text.
pub(crate) fn from_single(value: f32, buffer: &mut String) -> f64 {
    use std::fmt::Write as _;
    // Up to 2^24 the shortest text of a whole number has all its digits.
    if !value.is_finite() || (value.fract() == 0.0 && value.abs() <= 16_777_216.0) {
        return f64::from(value) + 0.0;
    }
    buffer.clear();
    // Writing to a string does not fail, and a number's text is a number.
    match write!(buffer, "{value}") {
        Ok(()) => buffer.parse().unwrap_or(f64::from(value)),
        Err(_) => f64::from(value),
    }
}

/// The order of level and unit names: as numbers if all are whole numbers, else by their bytes.
pub(crate) fn sort_names(names: &mut [String]) {
    if names.iter().all(|name| parse_integer(name).is_some()) {
        names.sort_by_key(|name| parse_integer(name));
    } else {
        names.sort_unstable();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_decimal_numbers_are_numbers() {
        for (text, value) in [("1", 1.0), ("-2.50", -2.5), ("1e3", 1000.0), (".5", 0.5), ("-0", 0.0)] {
            assert_eq!(parse(text), Some(value), "{text}");
        }
        for text in ["", "NaN", "inf", "1e999", "1,5", "0x10", "1 2", "e", "-", "1_000"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse_integer("-12"), Some(-12));
        for text in ["007", "-0", "+1", "1.0", "", "-", "99999999999999999999"] {
            assert_eq!(parse_integer(text), None, "{text}");
        }
        assert!(
            is_code("007")
                && is_code("99999999999999999999")
                && !is_code("0")
                && !is_code("0.5")
                && !is_code("70")
        );
    }

    #[test]
    fn one_number_has_one_text() {
        let texts: Vec<_> = [1.0, -0.0, 0.1, 2.5, 1e20, 1e-7, 12345678.0].into_iter().map(text).collect();
        assert_eq!(texts, ["1", "0", "0.1", "2.5", "1e20", "1e-7", "12345678"]);
        assert_eq!(from_single(62.84998, &mut String::new()), 62.84998);
        assert_eq!(from_single(3.0e38, &mut String::new()), 3.0e38);
    }

    #[test]
    fn whole_numbers_sort_as_numbers() {
        let sorted = |names: &[&str]| {
            let mut names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            sort_names(&mut names);
            names
        };
        assert_eq!(sorted(&["10", "9", "-1"]), ["-1", "9", "10"]);
        assert_eq!(sorted(&["10", "9", "x"]), ["10", "9", "x"]);
    }
}
