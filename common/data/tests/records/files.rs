//! Writes NPY and NPZ files for tests.

use std::io::Write as _;
use std::path::Path;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// An NPY file of items that are already bytes.
pub fn npy(descr: &str, fortran: bool, shape: &[usize], items: impl IntoIterator<Item = u8>) -> Vec<u8> {
    let axes: String = shape.iter().map(|axis| format!("{axis},")).collect();
    let order = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({axes}), }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(items);
    bytes
}

/// Little-endian 16-bit numbers.
pub fn i16s(shape: &[usize], numbers: &[i16]) -> Vec<u8> {
    npy("<i2", false, shape, numbers.iter().flat_map(|x| x.to_le_bytes()))
}

/// Bytes.
pub fn u8s(shape: &[usize], numbers: &[u8]) -> Vec<u8> {
    npy("|u1", false, shape, numbers.iter().copied())
}

/// Writes an NPZ archive.
pub fn npz(path: &Path, arrays: &[(&str, Vec<u8>)]) {
    let mut archive = ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, bytes) in arrays {
        archive.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
}
