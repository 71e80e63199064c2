//! Lists of texts within an encoded file: ends (u64, cumulative), then the UTF-8 bytes of all.

use std::ops::Range;

use crate::error::DataError;

/// Where a list of texts lies within its section.
#[derive(Debug, Clone)]
pub(crate) struct TextList {
    ends: Range<usize>,
    start: usize,
    count: usize,
}

impl TextList {
    /// Writes a list.
    pub(crate) fn write<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut end = 0u64;
        for text in texts.clone() {
            end += text.len() as u64;
            bytes.extend_from_slice(&end.to_le_bytes());
        }
        texts.for_each(|text| bytes.extend_from_slice(text.as_bytes()));
        bytes
    }

    /// Checks a list of `count` texts in a section of the file.
    pub(crate) fn check(bytes: &[u8], section: Range<usize>, count: usize) -> Result<Self, DataError> {
        let wrong = || DataError::damaged("the unit names do not fit their section");
        let table = count.checked_mul(8).ok_or_else(wrong)?;
        let start =
            section.start.checked_add(table).filter(|&start| start <= section.end).ok_or_else(wrong)?;
        let list = Self { ends: section.start..start, start, count };
        let text = std::str::from_utf8(&bytes[start..section.end]).map_err(|_| wrong())?;
        let mut last = 0;
        for i in 0..count {
            let end = usize::try_from(list.end(bytes, i)).map_err(|_| wrong())?;
            if end <= last || !text.is_char_boundary(end) {
                return Err(wrong());
            }
            last = end;
        }
        if last == text.len() { Ok(list) } else { Err(wrong()) }
    }

    /// One text; empty if the bytes were changed since they were checked.
    pub(crate) fn get<'a>(&self, bytes: &'a [u8], index: usize) -> &'a str {
        assert!(index < self.count, "text {index} of {}", self.count);
        let from = if index == 0 { 0 } else { self.end(bytes, index - 1) as usize };
        let to = self.end(bytes, index) as usize;
        let range = self.start.saturating_add(from)..self.start.saturating_add(to);
        bytes.get(range).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }

    fn end(&self, bytes: &[u8], index: usize) -> u64 {
        let at = self.ends.start + 8 * index;
        u64::from_le_bytes(bytes[at..at + 8].try_into().expect("a slice of eight bytes"))
    }
}
