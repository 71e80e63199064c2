//! The protos speak for themselves.

use crate::repository::{assert_tidy, files};

#[test]
fn every_message_field_and_call_of_the_protos_is_explained() {
    let mut complaints = Vec::new();
    let mut seen = 0;
    for file in files().iter().filter(|file| file.is_kind(&["proto"])) {
        let mut above = "";
        for (number, line) in file.lines() {
            let line = line.trim();
            let heads = ["message ", "enum ", "service ", "rpc ", "oneof "];
            let is_field = line.ends_with(';') && line.contains(" = ") && !line.starts_with("syntax");
            if is_field || heads.iter().any(|head| line.starts_with(head)) {
                seen += 1;
                if !above.starts_with("// ") {
                    complaints.push(format!("{}:{number}: {line}", file.path));
                }
            }
            above = line;
        }
    }
    assert!(seen > 200, "only {seen} things were found in the protos");
    assert_tidy(&complaints);
}
