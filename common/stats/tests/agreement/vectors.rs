//! The stored inputs and answers: arrays in a file of little-endian numbers, described by a JSON file.

use serde_json::Value;

/// One pair of files.
pub struct Vectors {
    pub index: Value,
    bytes: &'static [u8],
}

/// The answers of `vectors/attacks/two_pass.py`.
pub fn two_pass() -> Vectors {
    Vectors::new(
        include_str!("../vectors/attacks/two_pass.json"),
        include_bytes!("../vectors/attacks/two_pass.bin"),
    )
}

/// What the public tools made of inputs of our own; names and versions inside.
pub fn references() -> Vectors {
    Vectors::new(
        include_str!("../vectors/attacks/references.json"),
        include_bytes!("../vectors/attacks/references.bin"),
    )
}

impl Vectors {
    fn new(index: &str, bytes: &'static [u8]) -> Self {
        Self { index: serde_json::from_str(index).unwrap(), bytes }
    }

    /// The extent of an array.
    pub fn shape(&self, name: &str) -> Vec<usize> {
        self.index["arrays"][name]["shape"].as_array().unwrap().iter().map(count).collect()
    }

    /// Whether there is such an array.
    pub fn has(&self, name: &str) -> bool {
        self.index["arrays"].get(name).is_some()
    }

    /// Whether an array is of double precision.
    pub fn is_double(&self, name: &str) -> bool {
        self.index["arrays"][name]["type"] == "f64"
    }

    /// An array, whatever its type.
    pub fn get(&self, name: &str) -> Vec<f64> {
        let entry = &self.index["arrays"][name];
        let values = self.shape(name).into_iter().product::<usize>();
        let bytes = &self.bytes[count(&entry["offset"])..];
        match entry["type"].as_str().unwrap_or_else(|| panic!("there is no array {name}")) {
            "f32" => read(bytes, values, |b| f64::from(f32::from_le_bytes(b))),
            "f64" => read(bytes, values, f64::from_le_bytes),
            "u8" => read(bytes, values, |[b]| f64::from(b)),
            other => panic!("{name} has type {other}"),
        }
    }

    /// An array of whole numbers.
    pub fn whole(&self, name: &str) -> Vec<u32> {
        self.get(name).into_iter().map(|value| value as u32).collect()
    }

    /// A figure of a tool.
    pub fn figure(&self, of: &str, key: &str) -> f64 {
        self.index["figures"][of][key].as_f64().unwrap()
    }
}

fn read<const N: usize>(bytes: &[u8], values: usize, number: fn([u8; N]) -> f64) -> Vec<f64> {
    bytes.chunks_exact(N).take(values).map(|bytes| number(bytes.try_into().unwrap())).collect()
}

/// A whole number of a JSON file.
pub fn count(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

/// Whether a score is right: within a share of its size, or both absent.
pub fn close(found: f64, right: f64, relative: f64) -> bool {
    (found.is_nan() && right.is_nan()) || (found - right).abs() <= relative * right.abs().max(1.0)
}

/// Fails at the first score that is not right.
#[track_caller]
pub fn all_close(found: &[f64], right: &[f64], relative: f64, what: &str) {
    assert_eq!(found.len(), right.len(), "{what}");
    for (at, (&found, &right)) in found.iter().zip(right).enumerate() {
        assert!(close(found, right, relative), "{what}: score {at} is {found}, not {right}");
    }
}
