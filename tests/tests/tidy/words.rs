//! Words that have no place in the repository. They are spelled in pieces here, since this file is read,
//! too.

use crate::repository::{File, assert_tidy, files, sources};

/// Lines that contain one of the words, in the files that are asked for.
fn find(files: &[File], words: &[String]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files {
        for (number, line) in file.lines() {
            let found = words.iter().filter(|word| line.contains(word.as_str()));
            complaints.extend(found.map(|word| format!("{}:{number}: {word}", file.path)));
        }
    }
    complaints
}

fn spell(words: &[&[&str]]) -> Vec<String> {
    words.iter().map(|pieces| pieces.concat()).collect()
}

#[test]
fn nothing_is_left_undone() {
    let words = spell(&[
        &["to", "do!("],
        &["unimple", "mented!("],
        &["#[ig", "nore"],
        &["FIX", "ME"],
        &["TO", "DO"],
        &["dbg", "!("],
    ]);
    assert_tidy(&find(&files(), &words));
}

/// Where time is what it is about: a simulated one, or the length of a measurement.
const OF_TIME: [&str; 2] = ["tests/tests/simulation/", "tests/examples/scale/"];

#[test]
fn tests_do_not_wait_for_time_to_pass() {
    let word = ["sle", "ep("].concat();
    let mut complaints = Vec::new();
    for file in sources().iter().filter(|file| !OF_TIME.iter().any(|place| file.path.starts_with(place))) {
        let mut in_tests = file.is_test();
        for (number, line) in file.lines() {
            in_tests |= line.starts_with("mod tests {");
            if in_tests && line.contains(&word) {
                complaints.push(format!("{}:{number}", file.path));
            }
        }
    }
    assert_tidy(&complaints);
}

/// The text speaks of the project alone: not of a machine it was written on, nor of how it was written.
#[test]
fn no_file_names_a_machine_or_a_workplace() {
    let words = spell(&[
        &["/wo", "rk/"],
        &["/ro", "ot/"],
        &["/ho", "me/"],
        &["/t", "mp/"],
        &["umbra-", "venv"],
        &["umbra-", "brief"],
        &["the br", "ief"],
        &["sub", "agent"],
        &["Cla", "ude"],
        &["Anthr", "opic"],
        &["Chat", "GPT"],
        &["Copi", "lot"],
        &["DES", "IGN"],
        &["METH", "ODS"],
        &["STY", "LE.md"],
        &["STA", "CK.md"],
        &["issue ", "#"],
        &["issues ", "show"],
    ]);
    assert_tidy(&find(&files(), &words));
}
