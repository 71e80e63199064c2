//! A generated audit as arrays, for `umbra attack`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use umbra_stats::{Tile, TileSource as _, Values};

use super::generated::{Generated, Plan};

/// Records written at once.
const TOGETHER: usize = 4096;

/// Saves logits, labels, membership and units of a generated audit as L.npy, Y.npy, K.npy and U.npy in
/// `folder`; the matrices are in Fortran order, shadow fastest, so that they are written in one go.
///
/// # Errors
/// If a file cannot be written.
pub fn save(plan: Plan, folder: &Path) -> io::Result<()> {
    let audit = Generated::draw(plan, folder).map_err(io::Error::other)?;
    let Plan { records, shadows, .. } = plan;
    let mut logits = begin(folder, "L.npy", "<f4", &format!("{shadows}, {records}, 1"))?;
    let mut membership = begin(folder, "K.npy", "|b1", &format!("{shadows}, {records}"))?;
    let mut labels = begin(folder, "Y.npy", "|u1", &format!("{records},"))?;
    let mut units = begin(folder, "U.npy", "<u4", &format!("{records},"))?;
    let (mut tile, words) = (Tile::new(), shadows.div_ceil(64));
    for start in (0..records).step_by(TOGETHER) {
        let range = start..records.min(start + TOGETHER);
        audit.read(range.clone(), &mut tile).map_err(io::Error::other)?;
        if let Values::F32(values) = tile.values() {
            values.iter().try_for_each(|value| logits.write_all(&value.to_le_bytes()))?;
        }
        for record in range {
            let unit = audit.unit_of[record];
            let column = &audit.columns[unit as usize * words..][..words];
            let bits: Vec<u8> = (0..shadows).map(|s| (column[s / 64] >> (s % 64) & 1) as u8).collect();
            membership.write_all(&bits)?;
            labels.write_all(&[1])?;
            units.write_all(&unit.to_le_bytes())?;
        }
    }
    [logits, membership, labels, units].iter_mut().try_for_each(BufWriter::flush)
}

/// The header of an array (numpy.lib.format, version 1), of which the items are to follow.
fn begin(folder: &Path, name: &str, descr: &str, shape: &str) -> io::Result<BufWriter<File>> {
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': True, 'shape': ({shape}), }}");
    text.push_str(&" ".repeat(64 - (text.len() + 11) % 64));
    text.push('\n');
    let mut out = BufWriter::with_capacity(1 << 20, File::create(folder.join(name))?);
    out.write_all(b"\x93NUMPY\x01\x00")?;
    out.write_all(&(text.len() as u16).to_le_bytes())?;
    out.write_all(text.as_bytes())?;
    Ok(out)
}
