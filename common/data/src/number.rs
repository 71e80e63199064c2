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
    let single = value as f32;
    if f64::from(single) == value && value.fract() != 0.0 {
        // 0.1 in single precision is written 0.1.
        return single.to_string();
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-5..1e17).contains(&magnitude) {
        format!("{value:e}")
    } else {
        value.to_string()
    }
}

/// Rounds the numbers of a column to single precision where that is harmless (by no number more than 1e-5 of
/// their range, `NaN` aside). A column that was saved in single precision has other digits in every format and
/// from every writer; rounded, it is one column again.
pub(crate) fn round_to_single(values: &mut [f64]) {
    let single = |value: f64| f64::from(value as f32);
    let there = || values.iter().copied().filter(|value| !value.is_nan());
    let range = there().fold(f64::MIN, f64::max) - there().fold(f64::MAX, f64::min);
    // The error is infinite, hence too large, for numbers beyond single precision.
    let error = there().map(|value| (value - single(value)).abs()).fold(0.0, f64::max);
    if error <= 1e-5 * range {
        values.iter_mut().for_each(|value| *value = single(*value));
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
        assert_eq!(text(f64::from(0.1f32)), "0.1");
    }

    #[test]
    fn single_precision_is_one_column_whatever_its_digits() {
        // The shortest texts of one number in single precision, by two writers, and the number itself.
        let mut columns = [[52.695312, 40.1], [52.695313, 40.1], [52.6953125, f64::from(40.1f32)]];
        columns.iter_mut().for_each(|column| round_to_single(column));
        assert_eq!(columns[0], columns[2]);
        assert_eq!(columns[1], columns[2]);
        // Seconds of one hour in 2020: single precision would lose them.
        let seconds = [1_600_000_001.0, 1_600_003_600.0];
        let mut rounded = seconds;
        round_to_single(&mut rounded);
        assert_eq!(rounded, seconds);
        let mut huge = [1e300, f64::NAN, -1e300];
        round_to_single(&mut huge);
        assert_eq!((huge[0], huge[2]), (1e300, -1e300));
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
