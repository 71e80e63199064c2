//! Numbers for people.

/// 9105 as "9,105".
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Seconds as "48 s", "3 min 5 s" or "2 h 10 min".
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", thousands(seconds / 3600), seconds % 3600 / 60),
    }
}

/// Bytes as "512 B", "2.9 MiB".
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    let mut value = number as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// "1 patient", "2 patients": for nouns that take an s.
pub fn count(number: u64, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {noun}{s}", thousands(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 999, 1000, 9105, 1234567].map(thousands), ["0", "999", "1,000", "9,105", "1,234,567"]);
        assert_eq!(
            [0.4, 59.4, 59.6, 185.0, 7800.0, f64::NAN].map(duration),
            ["0 s", "59 s", "1 min 0 s", "3 min 5 s", "2 h 10 min", "0 s"]
        );
        assert_eq!([1, 1024, 1_048_575, 3_040_870].map(bytes), ["1 B", "1.0 KiB", "1.0 MiB", "2.9 MiB"]);
        assert_eq!([1, 2].map(|n| count(n, "patient")), ["1 patient", "2 patients"]);
    }
}
