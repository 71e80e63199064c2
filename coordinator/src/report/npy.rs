//! NPY files (format 1.0 of numpy's `numpy.lib.format`): the header, and the membership matrix.

use std::io::{BufWriter, Write};
use std::path::Path;

use umbra_core::membership::Membership;
use umbra_runtime::files::FileError;

use super::output::{Draft, FindingsFile};

/// The header of a two-dimensional array in C order; `descr` as numpy spells it, such as `<f8`.
pub(super) fn header(descr: &str, rows: usize, columns: usize) -> Vec<u8> {
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    // Magic, version and length take ten bytes; the whole is padded to a multiple of 64 and ends a line.
    let padding = 64 - (10 + text.len() + 1) % 64;
    text.extend(std::iter::repeat_n(' ', padding % 64));
    text.push('\n');
    let length = u16::try_from(text.len()).expect("two numbers take fewer than 64 KiB");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(length.to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}

/// Writes `membership.npy`: bool `[shadows, records]`, whether a shadow was trained on a record's unit.
pub(super) fn write_membership(
    dir: &Path,
    membership: &Membership,
    units: &[u32],
) -> Result<FindingsFile, FileError> {
    let draft = Draft::create(dir, "membership.npy")?;
    let written = || -> std::io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 18, draft.file());
        out.write_all(&header("|b1", membership.shadows() as usize, units.len()))?;
        let mut row = vec![0u8; units.len()];
        for shadow in 0..membership.shadows() {
            for (cell, &unit) in row.iter_mut().zip(units) {
                *cell = u8::from(membership.is_in(shadow, unit as usize));
            }
            out.write_all(&row)?;
        }
        out.flush()
    };
    written().map_err(|source| draft.write_error(source))?;
    draft.commit()
}
