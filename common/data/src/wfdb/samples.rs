//! The samples of a record's files, as signal(5) of the WFDB Applications Guide specifies them.

use super::header::{Format, Header, MOST_SAMPLES, Signal};
use crate::root::Root;

/// The longest file of samples, in bytes.
const MAX_FILE: u64 = 1 << 25;

/// Reads the first `wanted` samples of every signal, or all: `[signals][samples]`. `folder` is the record's,
/// with its last slash. Or says what is wrong.
pub(super) fn read(
    root: &Root,
    folder: &str,
    header: &Header,
    wanted: Option<u64>,
) -> Result<Vec<Vec<i32>>, String> {
    let mut samples = vec![Vec::new(); header.signals.len()];
    let mut done = vec![false; header.signals.len()];
    let mut length = header.samples;
    for first in 0..header.signals.len() {
        if done[first] {
            continue;
        }
        let file = &header.signals[first].file;
        // Signals of one file lie side by side in it, sample by sample.
        let group: Vec<usize> =
            (first..header.signals.len()).filter(|&i| header.signals[i].file == *file).collect();
        let lead = &header.signals[first];
        if group
            .iter()
            .any(|&i| header.signals[i].format != lead.format || header.signals[i].offset != lead.offset)
        {
            return Err(format!("the signals of {file} are stored in different ways"));
        }
        let frames = read_group(root, &format!("{folder}{file}"), lead, group.len(), length, wanted)?;
        let count = frames.len() / group.len();
        if *length.get_or_insert(count as u64) != count as u64 && wanted.is_none() {
            return Err(format!("{file} has {count} samples a signal, not as many as the others"));
        }
        for (place, &i) in group.iter().enumerate() {
            samples[i] = frames.iter().skip(place).step_by(group.len()).copied().collect();
            done[i] = true;
        }
    }
    for (signal, samples) in header.signals.iter().zip(&samples) {
        let whole = header.samples == Some(samples.len() as u64);
        check(signal, samples, whole)?;
    }
    Ok(samples)
}

/// Reads the samples of one file, `[samples][signals]`.
fn read_group(
    root: &Root,
    path: &str,
    lead: &Signal,
    signals: usize,
    length: Option<u64>,
    wanted: Option<u64>,
) -> Result<Vec<i32>, String> {
    let frames = match (length, wanted) {
        (Some(length), Some(wanted)) if wanted > length => {
            return Err(format!("it has {length} samples, fewer than samples = {wanted} asks for"));
        }
        (length, wanted) => wanted.or(length),
    };
    if frames.is_some_and(|frames| frames * signals as u64 > MOST_SAMPLES) {
        return Err("it has too many samples for one record: take the first with samples = N".to_owned());
    }
    let bytes = frames.map(|frames| lead.offset + packed(lead.format, frames * signals as u64));
    let content = root.read(path, MAX_FILE, bytes)?;
    let stored = content.get(lead.offset as usize..).unwrap_or_default();
    let count = match frames {
        Some(frames) => frames as usize * signals,
        None => unpacked(lead.format, stored.len()) / signals * signals,
    };
    if count as u64 > MOST_SAMPLES {
        return Err("it has too many samples for one record: take the first with samples = N".to_owned());
    }
    if count == 0 || (stored.len() as u64) < packed(lead.format, count as u64) {
        let needed = packed(lead.format, count.max(signals) as u64);
        return Err(format!(
            "{path} ends early: {} bytes of samples where {needed} are promised; fetch it again",
            stored.len()
        ));
    }
    Ok(unpack(lead.format, stored, count))
}

/// Bytes of so many samples.
fn packed(format: Format, samples: u64) -> u64 {
    match format {
        Format::Sixteen => 2 * samples,
        // A last sample alone takes two bytes.
        Format::TwoTwelve => samples / 2 * 3 + samples % 2 * 2,
        Format::Eighty => samples,
    }
}

/// Samples of so many bytes.
fn unpacked(format: Format, bytes: usize) -> usize {
    match format {
        Format::Sixteen => bytes / 2,
        Format::TwoTwelve => bytes / 3 * 2 + usize::from(bytes % 3 == 2),
        Format::Eighty => bytes,
    }
}

/// The first `count` samples of bytes that hold them.
fn unpack(format: Format, bytes: &[u8], count: usize) -> Vec<i32> {
    match format {
        Format::Sixteen => {
            let pairs = bytes.chunks_exact(2).map(|pair| i32::from(i16::from_le_bytes([pair[0], pair[1]])));
            pairs.take(count).collect()
        }
        Format::TwoTwelve => {
            let twelve =
                |low: u8, high: u8| i32::from((u16::from(high) << 12 | u16::from(low) << 4) as i16 >> 4);
            let mut samples = Vec::with_capacity(count + 1);
            for three in bytes.chunks(3) {
                if let [low, middle, ..] = *three {
                    samples.push(twelve(low, middle & 15));
                }
                if let [_, middle, second] = *three {
                    samples.push(twelve(second, middle >> 4));
                }
                if samples.len() >= count {
                    break;
                }
            }
            samples.truncate(count);
            samples
        }
        Format::Eighty => bytes.iter().take(count).map(|&byte| i32::from(byte) - 128).collect(),
    }
}

/// Checks what the header says of the samples; the checksum only of whole signals.
fn check(signal: &Signal, samples: &[i32], whole: bool) -> Result<(), String> {
    let invalid = match signal.format {
        Format::Sixteen => -32768,
        Format::TwoTwelve => -2048,
        Format::Eighty => -128,
    };
    let name = &signal.name;
    if let Some(at) = samples.iter().position(|&sample| sample == invalid) {
        return Err(format!(
            "sample {} of {name} is marked as missing: drop the record, or fill it in",
            at + 1
        ));
    }
    let again = "the record was changed or damaged: fetch it again";
    if let (Some(initial), Some(&first)) = (signal.initial, samples.first())
        && initial != i64::from(first)
    {
        return Err(format!("{name} begins with {first}, its header says {initial}: {again}"));
    }
    if let Some(checksum) = signal.checksum.filter(|_| whole) {
        let sum = samples.iter().fold(0i64, |sum, &sample| sum + i64::from(sample));
        if sum as i16 != checksum as i16 {
            return Err(format!("the samples of {name} do not sum up to its checksum: {again}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_unpacked() {
        assert_eq!(unpack(Format::Sixteen, &[0xff, 0xff, 1, 0x80, 9], 2), [-1, -32767]);
        assert_eq!(unpack(Format::Eighty, &[128, 0, 255], 3), [0, -128, 127]);
        // The first bytes of record 100 of the MIT-BIH database: 995 and 1011 twice.
        let start = [0xe3, 0x33, 0xf3, 0xe3, 0x33, 0xf3];
        assert_eq!(unpack(Format::TwoTwelve, &start, 4), [995, 1011, 995, 1011]);
        assert_eq!(unpack(Format::TwoTwelve, &start, 3), [995, 1011, 995]);
        assert_eq!(unpack(Format::TwoTwelve, &[0xff, 0x8f, 0x00], 2), [-1, -2048]);
        for format in [Format::Sixteen, Format::TwoTwelve, Format::Eighty] {
            for count in 1..9u64 {
                assert_eq!(unpacked(format, packed(format, count) as usize) as u64, count);
            }
        }
    }
}
