//! JSON whose keys keep their order.

use serde::{Serialize, Serializer};

use super::error::ReportError;

/// A map in the given order.
pub(super) struct Ordered<K, V>(pub Vec<(K, V)>);

impl<K: Serialize, V: Serialize> Serialize for Ordered<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

/// Indented JSON with a newline at its end; floats in their shortest exact form, NaN as null.
pub(super) fn encode(name: &'static str, value: &impl Serialize) -> Result<Vec<u8>, ReportError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|source| ReportError::Json { name, source })?;
    bytes.push(b'\n');
    Ok(bytes)
}
