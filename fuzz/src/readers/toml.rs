//! Files that people write.

use std::path::Path;

use umbra_core::spec::AuditSpec;
use umbra_data::Schema;

use super::audit_file_keys;

/// AUDIT.toml: what it says is a specification, or every mistake has a sentence.
pub fn audit_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let missing = |path: &Path| path.ends_with("missing").then(|| "there is no such file".to_owned());
    match audit_file_keys::read(text, Path::new("folder"), &missing) {
        Ok(said) => drop(AuditSpec::try_new(&said.draft)),
        Err(mistakes) => {
            assert!(mistakes.iter().next().is_some(), "a refusal says why");
            drop(mistakes.in_file("AUDIT.toml").to_string());
        }
    }
}

/// SCHEMA.toml.
pub fn schema(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Schema::parse(text, "SCHEMA.toml") {
        Ok(schema) => assert!(schema.labels().all(|label| !label.is_empty()), "a schema names its labels"),
        Err(mistakes) => drop(mistakes.in_file("SCHEMA.toml").to_string()),
    }
}
