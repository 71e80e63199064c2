//! Texts of an array.

use super::dtype::Kind;
use super::error::NpyError;
use super::file::NpyFile;

impl NpyFile {
    /// Goes through an array of texts; `visit` gets the place of a text in C order and the text, and may end
    /// it all with an error.
    ///
    /// # Errors
    /// If the file cannot be read, a text is not valid, or what `visit` says.
    ///
    /// # Panics
    /// If the items are not texts.
    pub fn for_each_text<E: From<NpyError>>(
        &self,
        mut visit: impl FnMut(usize, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        let dtype = self.dtype();
        assert!(dtype.is_text(), "texts are read of arrays of texts");
        let invalid =
            |place| self.wrong(format!("its text number {place} is not valid; save it as numpy text"));
        let mut text = String::new();
        self.for_each_item(|place, bytes| {
            if dtype.kind == Kind::Bytes {
                let length = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
                return visit(place, std::str::from_utf8(&bytes[..length]).map_err(|_| invalid(place))?);
            }
            text.clear();
            for character in bytes.chunks_exact(4) {
                let code: [u8; 4] = std::array::from_fn(|i| character[i]);
                let code = if dtype.big_endian { u32::from_be_bytes(code) } else { u32::from_le_bytes(code) };
                text.push(char::from_u32(code).ok_or_else(|| invalid(place))?);
            }
            visit(place, text.trim_end_matches('\0'))
        })
    }
}
