//! The header of a WFDB record, as header(5) of the WFDB Applications Guide specifies it.

use crate::limits::{MAX_CHANNELS, MAX_FEATURES};
use crate::table::shown;

/// How samples are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// 16 bits, two's complement, least significant byte first.
    Sixteen,
    /// Two samples of 12 bits in three bytes.
    TwoTwelve,
    /// 8 bits, counted from 128.
    Eighty,
}

/// One signal of a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Signal {
    pub file: String,
    pub format: Format,
    /// Bytes of the file before the samples.
    pub offset: u64,
    /// Stored numbers of one physical unit.
    pub gain: f64,
    /// The stored number of physical 0.
    pub baseline: i64,
    pub units: String,
    pub initial: Option<i64>,
    /// The sum of all samples, 16 bits of it.
    pub checksum: Option<i64>,
    pub name: String,
}

/// A record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    pub signals: Vec<Signal>,
    /// Samples of every signal, where it is said.
    pub samples: Option<u64>,
    /// Samples a second.
    pub frequency: f64,
}

/// Reads a header, or says what is wrong with it.
pub(super) fn parse(bytes: &[u8]) -> Result<Header, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "the header is no text".to_owned())?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut lines = lines.map(|line| line.split_ascii_whitespace());
    let mut first = lines.next().ok_or("the header is empty")?;
    if first.next().is_some_and(|name| name.contains('/')) {
        return Err("a record of several segments is not read: join them first".to_owned());
    }
    let count: u32 = number(first.next(), "the number of signals")?;
    if count == 0 || count > MAX_CHANNELS {
        return Err(format!("{count} signals: from 1 to {MAX_CHANNELS} are read"));
    }
    let frequency = first.next().map_or("250", |text| text.split('/').next().unwrap_or_default());
    let frequency: f64 = number(Some(frequency), "the sampling frequency")?;
    if !(frequency.is_finite() && frequency > 0.0) {
        return Err("the sampling frequency is no number above 0".to_owned());
    }
    let samples = first.next().map(|text| number::<u64>(Some(text), "the number of samples")).transpose()?;
    let samples = samples.filter(|&samples| samples > 0);
    if samples.is_some_and(|samples| samples > 1 << 40) {
        return Err("it promises absurdly many samples".to_owned());
    }
    let mut signals = Vec::new();
    for index in 1..=count {
        let fields =
            lines.next().ok_or_else(|| format!("the header ends before signal {index} of {count}"))?;
        signals.push(signal(fields).map_err(|what| format!("signal {index}: {what}"))?);
    }
    Ok(Header { signals, samples, frequency })
}

fn signal<'t>(mut fields: impl Iterator<Item = &'t str>) -> Result<Signal, String> {
    let file = fields.next().ok_or("it has no file")?.to_owned();
    let plain = !file.contains(['/', '\\', '\0']) && !matches!(file.as_str(), "." | ".." | "-" | "~");
    if !plain {
        return Err(format!("{} is not the name of a file beside the header", shown(&file)));
    }
    let (format, offset) = format(fields.next().ok_or("it has no format")?)?;
    let (gain, baseline, units) = gain(fields.next())?;
    let _resolution: Option<i64> = optional(fields.next(), "the resolution")?;
    let zero = optional(fields.next(), "the zero level")?.unwrap_or(0);
    let initial = optional(fields.next(), "the initial value")?;
    let checksum = optional(fields.next(), "the checksum")?;
    let _block: Option<i64> = optional(fields.next(), "the block size")?;
    let name = fields.collect::<Vec<_>>().join(" ");
    Ok(Signal {
        file,
        format,
        offset,
        gain,
        baseline: baseline.unwrap_or(zero),
        units,
        initial,
        checksum,
        name,
    })
}

/// `16`, `212:0+24`, `16x1`.
fn format(text: &str) -> Result<(Format, u64), String> {
    let (rest, offset) = match text.split_once('+') {
        Some((rest, offset)) => (rest, number(Some(offset), "the offset in its file")?),
        None => (text, 0),
    };
    let (rest, skew) = rest.split_once(':').unwrap_or((rest, "0"));
    let (format, frame) = rest.split_once('x').unwrap_or((rest, "1"));
    if skew != "0" {
        return Err("it is skewed against the others, which is not read: align it first".to_owned());
    }
    if frame != "1" {
        return Err("it has several samples a frame, which is not read: save it at one frequency".to_owned());
    }
    if offset > 1 << 20 {
        return Err("its offset in its file is absurd".to_owned());
    }
    match format {
        "16" => Ok((Format::Sixteen, offset)),
        "212" => Ok((Format::TwoTwelve, offset)),
        "80" => Ok((Format::Eighty, offset)),
        _ => Err(format!("the format {} is not read: convert it to 16, 212 or 80", shown(format))),
    }
}

/// `200`, `1000.0(0)/mV`: stored numbers a unit, the stored number of 0, the unit.
fn gain(text: Option<&str>) -> Result<(f64, Option<i64>, String), String> {
    let (text, units) = text.map_or(("0", "mV"), |text| text.split_once('/').unwrap_or((text, "mV")));
    let (gain, baseline) = match text.split_once('(') {
        Some((gain, rest)) => {
            let inner = rest.strip_suffix(')').ok_or("its baseline has no end")?;
            (gain, Some(number::<i64>(Some(inner), "the baseline")?))
        }
        None => (text, None),
    };
    let gain: f64 = number(Some(gain), "the gain")?;
    if !(0.0..=1e12).contains(&gain) || baseline.is_some_and(|b| b.unsigned_abs() > 1 << 32) {
        return Err("its gain or baseline is absurd".to_owned());
    }
    // 0 means not calibrated; 200 is then taken by all WFDB programs.
    Ok((if gain == 0.0 { 200.0 } else { gain }, baseline, units.to_owned()))
}

fn number<T: std::str::FromStr>(text: Option<&str>, what: &str) -> Result<T, String> {
    let text = text.ok_or_else(|| format!("{what} is missing"))?;
    text.parse().map_err(|_| format!("{what} is {}, which is no such number", shown(text)))
}

fn optional(text: Option<&str>, what: &str) -> Result<Option<i64>, String> {
    text.map(|text| number(Some(text), what)).transpose()
}

/// The most samples of one signal.
pub(super) const MOST_SAMPLES: u64 = MAX_FEATURES as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_guide_are_read() {
        // Record 100 of the MIT-BIH database, and one of PTB-XL.
        let mitdb = "100 2 360 650000 0:0:0 0/0/0\n100.dat 212 200 11 1024 995 -22131 0 MLII\n\
                     100.dat 212 200 11 1024 1011 20052 0 V5\n# 69 M 1085 1629 x1\n# Aldomet, Inderal\n";
        let header = parse(mitdb.as_bytes()).unwrap();
        assert_eq!((header.signals.len(), header.samples, header.frequency), (2, Some(650_000), 360.0));
        let signal = &header.signals[1];
        assert_eq!((signal.format, signal.baseline, signal.gain), (Format::TwoTwelve, 1024, 200.0));
        assert_eq!((signal.initial, signal.checksum, signal.name.as_str()), (Some(1011), Some(20052), "V5"));
        let ptbxl = "00001_lr 1 100 1000\n00001_lr.dat 16 1000.0(0)/mV 16 0 -119 1508 0 I\n";
        let signal = parse(ptbxl.as_bytes()).unwrap().signals.remove(0);
        assert_eq!((signal.format, signal.gain, signal.units.as_str()), (Format::Sixteen, 1000.0, "mV"));
        assert_eq!((signal.baseline, signal.name.as_str()), (0, "I"));
        let least = parse(b"r 1\nr.dat 80+4\n").unwrap();
        assert_eq!((least.frequency, least.samples, least.signals[0].gain), (250.0, None, 200.0));
        assert_eq!(least.signals[0].offset, 4);
    }

    #[test]
    fn what_is_not_read_is_said() {
        for (text, start) in [
            ("", "the header is empty"),
            ("r\n", "the number of signals is missing"),
            ("r/3 2 100\n", "a record of several segments"),
            ("r 0\n", "0 signals"),
            ("r 99999\n", "99999 signals"),
            ("r 2 100\nr.dat 16\n", "the header ends before signal 2 of 2"),
            ("r 1 nan\nr.dat 16\n", "the sampling frequency is no number"),
            ("r 1 100 -4\nr.dat 16\n", "the number of samples is \"-4\""),
            ("r 1 100\n../r.dat 16\n", "signal 1: \"../r.dat\" is not the name of a file beside"),
            ("r 1 100\n.. 16\n", "signal 1: \"..\" is not the name of a file beside"),
            ("r 1 100\nr.dat 8\n", "signal 1: the format \"8\" is not read"),
            ("r 1 100\nr.dat 16x4\n", "signal 1: it has several samples a frame"),
            ("r 1 100\nr.dat 16:7\n", "signal 1: it is skewed"),
            ("r 1 100\nr.dat 16 1e300\n", "signal 1: its gain or baseline is absurd"),
            ("r 1 100\nr.dat 16 200(\n", "signal 1: its baseline has no end"),
            ("r 1 100\nr.dat 16 200 x\n", "signal 1: the resolution is \"x\""),
        ] {
            let found = parse(text.as_bytes()).unwrap_err();
            assert!(found.starts_with(start), "{text}: {found}");
        }
    }
}
