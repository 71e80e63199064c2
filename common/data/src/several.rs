//! Several labels a record: columns of yes and no.

use crate::labels::UNKNOWN;
use crate::records::Target;
use crate::refusal::Problems;
use crate::table::{Column, and_more};

/// Takes labels from their columns: 1 and 0 (or true and false); missing cells, -1 and 255 are not known.
/// Notes other cells, and columns in which no label is known.
pub(crate) fn labels(rows: usize, columns: &[&Column], problems: &mut Problems) -> Target {
    let mut labels = vec![UNKNOWN; rows * columns.len()];
    for (i, column) in columns.iter().enumerate() {
        let numbers = column.numbers(problems);
        let (mut first, mut wrong) = (None, 0u64);
        for (row, &number) in numbers.iter().enumerate().take(rows) {
            match label(number) {
                Some(label) => labels[row * columns.len() + i] = label,
                None => {
                    first = first.or(Some((row as u64 + 1, number)));
                    wrong += 1;
                }
            }
        }
        if let Some((row, number)) = first {
            let message = format!(
                "{number} is no label of several{}: write 1 where it holds, 0 where it does not, and leave the \
                 cell empty where it is not known; or name one label alone if its values are classes",
                and_more(wrong - 1)
            );
            problems.cell(&column.name, row, message);
        } else if !numbers.is_empty() && numbers.iter().all(|&number| label(number) == Some(UNKNOWN)) {
            problems.column(&column.name, "no record has a known label: leave it out of label");
        }
    }
    let names = columns.iter().map(|column| column.name.clone()).collect();
    Target::Several { names, labels }
}

fn label(number: f64) -> Option<u8> {
    if number.is_nan() || number == -1.0 || number == 255.0 {
        Some(UNKNOWN)
    } else if number == 0.0 {
        Some(0)
    } else if number == 1.0 {
        Some(1)
    } else {
        None
    }
}

/// What a person should look at: labels that are the same in every record in which they are known.
pub(crate) fn warnings(names: &[String], labels: &[u8]) -> Vec<String> {
    let one_sided = |i: usize| {
        let mut known = labels.iter().skip(i).step_by(names.len()).filter(|&&label| label != UNKNOWN);
        let first = known.next()?;
        known.all(|label| label == first).then_some(*first)
    };
    let warn = |(i, name): (usize, &String)| {
        let label = one_sided(i)?;
        Some(format!(
            "label \"{name}\" is {label} in every record in which it is known: nothing is learned of it"
        ))
    };
    names.iter().enumerate().filter_map(warn).collect()
}
