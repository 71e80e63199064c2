//! Numbers as people read them: thousands separated, two or three significant digits, no false precision.

/// What stands for a number that there is none of.
pub(super) const NONE: &str = "–";

/// `9105` as `9,105`.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `3 of 9,105`.
pub(super) fn of(part: usize, whole: usize) -> String {
    format!("{} of {}", count(part as u64), count(whole as u64))
}

/// A share as a percentage with two to three significant digits; never rounded up to 100 % or down to 0 %.
pub(super) fn percent(share: f64) -> String {
    let value = 100.0 * share;
    let digits = match value {
        _ if value.is_nan() => return NONE.to_owned(),
        _ if value == 0.0 || value == 100.0 => format!("{value:.0}"),
        _ if (99.95..100.0).contains(&value) => "> 99.9".to_owned(),
        _ if value >= 0.995 => format!("{value:.1}"),
        _ if value >= 0.0995 => format!("{value:.2}"),
        _ if value >= 0.00995 => format!("{value:.3}"),
        _ if value >= 0.001 => format!("{value:.4}"),
        _ => "< 0.001".to_owned(),
    };
    format!("{digits}\u{a0}%")
}

/// A rate that was chosen, such as a false discovery rate, as it was written: `5 %`.
pub(super) fn rate(rate: f64) -> String {
    // Rounded to twelve digits, for 0.07 x 100 is not 7.
    let text = format!("{:.12}", 100.0 * rate);
    format!("{}\u{a0}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A number with so many decimals.
pub(super) fn fixed(value: f64, decimals: usize) -> String {
    if value.is_nan() { NONE.to_owned() } else { format!("{value:.decimals$}") }
}

/// An AUC or another number from 0 to 1, three decimals.
pub(super) fn auc(value: f64) -> String {
    fixed(value, 3)
}

/// `0.965 ± 0.004`.
pub(super) fn spread(mean: f64, sd: f64) -> String {
    match (mean.is_nan(), sd.is_nan()) {
        (true, _) => NONE.to_owned(),
        (false, true) => auc(mean),
        (false, false) => format!("{} ± {}", auc(mean), auc(sd)),
    }
}

/// A ratio with two to three significant digits.
pub(super) fn ratio(value: f64) -> String {
    match value {
        _ if value.is_nan() => NONE.to_owned(),
        _ if value >= 100.0 => format!("{value:.0}"),
        _ if value >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A probability with two significant digits, small ones as a power of ten: `0.034`, `5.5 × 10⁻⁶`.
pub(super) fn probability(p: f64) -> String {
    match p {
        _ if p.is_nan() => NONE.to_owned(),
        _ if p >= 0.995 => "1".to_owned(),
        _ if p >= 0.0995 => format!("{p:.2}"),
        _ if p >= 0.00995 => format!("{p:.3}"),
        _ if p >= 0.000_995 => format!("{p:.4}"),
        _ if p == 0.0 => "0".to_owned(),
        _ => {
            let text = format!("{p:.1e}");
            let (digits, exponent) = text.split_once('e').expect("the format has an exponent");
            format!("{digits}\u{a0}×\u{a0}10{}", superscript(exponent))
        }
    }
}

fn superscript(text: &str) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    text.chars().map(|c| c.to_digit(10).map_or('⁻', |digit| DIGITS[digit as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_separators() {
        let cases = [(0, "0"), (999, "999"), (1000, "1,000"), (9105, "9,105"), (1_234_567, "1,234,567")];
        for (n, text) in cases {
            assert_eq!(count(n), text);
        }
        assert_eq!(of(0, 9105), "0 of 9,105");
    }

    #[test]
    fn a_share_is_never_rounded_to_certainty() {
        let cases = [
            (0.0, "0\u{a0}%"),
            (1.0, "100\u{a0}%"),
            (0.9999, "> 99.9\u{a0}%"),
            (0.1363, "13.6\u{a0}%"),
            (0.05, "5.0\u{a0}%"),
            (3.0 / 9105.0, "0.033\u{a0}%"),
            (1e-9, "< 0.001\u{a0}%"),
            (f64::NAN, "–"),
        ];
        for (share, text) in cases {
            assert_eq!(percent(share), text);
        }
        assert_eq!(rate(0.05), "5\u{a0}%");
        assert_eq!(rate(0.07), "7\u{a0}%");
        assert_eq!(rate(0.0001), "0.01\u{a0}%");
    }

    #[test]
    fn small_probabilities_are_powers_of_ten() {
        let cases = [
            (1.0, "1"),
            (0.5, "0.50"),
            (0.034, "0.034"),
            (0.0012, "0.0012"),
            (5.5e-6, "5.5\u{a0}×\u{a0}10⁻⁶"),
            (1e-16, "1.0\u{a0}×\u{a0}10⁻¹⁶"),
            (0.0, "0"),
        ];
        for (p, text) in cases {
            assert_eq!(probability(p), text);
        }
        assert_eq!(spread(0.5, f64::NAN), "0.500");
        assert_eq!(ratio(12.345), "12.3");
    }
}
