//! The beginning of an NPY file.

use std::fs::File;

use super::dtype::Dtype;
use super::parse::{self, AGAIN};
use crate::positioned::read_at;

/// The longest header that is read, in bytes; numpy itself stops at 10,000.
const LONGEST: u64 = 1 << 16;

/// A header whose array fills its file exactly.
#[derive(Debug)]
pub(super) struct Header {
    pub dtype: Dtype,
    pub fortran: bool,
    pub shape: Vec<usize>,
    /// Items of the array.
    pub items: u64,
    /// Where the items begin.
    pub start: u64,
}

/// Reads the header of a file of `length` bytes, or says what is wrong with it.
pub(super) fn read(file: &File, length: u64) -> Result<Header, Said> {
    let mut magic = [0; 12];
    let short = length.min(12) as usize;
    read_at(file, &mut magic[..short], 0).map_err(Said::Io)?;
    if magic.starts_with(b"PK") {
        return wrong("it is an NPZ archive; save each array in a file of its own with numpy.save");
    }
    if !magic.starts_with(b"\x93NUMPY") || short < 10 {
        return wrong("it is not an NPY file; save the array with numpy.save");
    }
    // Version 1 gives the length of the text in two bytes, later ones in four (numpy.lib.format).
    let (text_start, text_length) = match magic[6] {
        1 => (10, u64::from(u16::from_le_bytes([magic[8], magic[9]]))),
        2 | 3 => (12, u64::from(u32::from_le_bytes([magic[8], magic[9], magic[10], magic[11]]))),
        version => return wrong(format!("it is of NPY version {version}, 1 to 3 are known; {AGAIN}")),
    };
    if text_length > LONGEST {
        return wrong(format!("its header claims to be {text_length} bytes long, which none is; {AGAIN}"));
    }
    let start = text_start + text_length;
    if start > length {
        return wrong("it ends within its header: it was cut off; save or copy it again");
    }
    let mut text = vec![0; text_length as usize];
    read_at(file, &mut text, text_start).map_err(Said::Io)?;
    let text = String::from_utf8(text).map_err(|_| Said::Wrong(format!("its header is no text; {AGAIN}")))?;
    let said = parse::parse(&text).map_err(Said::Wrong)?;
    // An axis of length 0 makes the array empty, and must not hide what the others come to.
    let most = said.shape.iter().try_fold(1u64, |product, &axis| product.checked_mul(axis.max(1)));
    let items = most.map(|most| if said.shape.contains(&0) { 0 } else { most });
    let end = items.and_then(|items| items.checked_mul(said.dtype.size as u64)?.checked_add(start));
    let shape: Option<Vec<usize>> = said.shape.iter().map(|&axis| usize::try_from(axis).ok()).collect();
    let (Some(items), Some(end), Some(shape)) = (items, end, shape) else {
        return wrong(format!("its header promises an array larger than any file; {AGAIN}"));
    };
    if end > length {
        return wrong(format!(
            "its header promises {} bytes of data, the file holds {}: it was cut off; save or copy it again",
            end - start,
            length - start
        ));
    }
    if end < length {
        return wrong(format!("{} bytes follow its array; save one array a file", length - end));
    }
    Ok(Header { dtype: said.dtype, fortran: said.fortran, shape, items, start })
}

/// Why there is no header.
pub(super) enum Said {
    Io(std::io::Error),
    Wrong(String),
}

fn wrong<T>(what: impl Into<String>) -> Result<T, Said> {
    Err(Said::Wrong(what.into()))
}
