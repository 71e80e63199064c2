//! How files are cut.

use crate::repository::{assert_tidy, files, sources};

/// Nine files of ten are shorter.
const USUAL: usize = 400;
/// Every file is.
const MOST: usize = 800;

#[test]
fn files_are_short() {
    let kinds = ["rs", "proto", "py", "html", "css", "sh"];
    let lengths: Vec<(String, usize)> = files()
        .iter()
        .filter(|file| file.is_kind(&kinds))
        .map(|file| (file.path.clone(), file.text.lines().count()))
        .collect();
    let too_long = lengths.iter().filter(|(_, lines)| *lines > MOST);
    assert_tidy(&too_long.map(|(path, lines)| format!("{path} has {lines} lines")).collect::<Vec<_>>());
    let long: Vec<_> = lengths.iter().filter(|(_, lines)| *lines >= USUAL).collect();
    assert!(10 * long.len() <= lengths.len(), "more than a tenth have {USUAL} lines: {long:?}");
}

/// A library's root is a table of contents.
#[test]
fn library_roots_hold_modules_and_names_only() {
    let mut complaints = Vec::new();
    let roots: Vec<_> = sources().into_iter().filter(|file| file.path.ends_with("/lib.rs")).collect();
    assert!(roots.len() >= 9, "the libraries were not found");
    for file in roots {
        if !file.text.starts_with("//!") {
            complaints.push(format!("{} has no words about the crate", file.path));
        }
        let mut item = String::new();
        for (number, line) in file.lines() {
            let line = line.split("//").next().unwrap_or_default().trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            item.push_str(line);
            if !line.ends_with(';') {
                continue;
            }
            let heads = ["mod ", "pub mod ", "use ", "pub use ", "const ", "pub const "];
            if !heads.iter().any(|head| item.starts_with(head)) {
                complaints.push(format!("{}:{number}: {item}", file.path));
            }
            item.clear();
        }
        if !item.is_empty() {
            complaints.push(format!("{}: {item}", file.path));
        }
    }
    assert_tidy(&complaints);
}
