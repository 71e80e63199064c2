//! "Did you mean": the name that is nearest to a mistyped one.

/// The candidate that a misspelt name most likely means: the nearest by insertions, deletions,
/// substitutions and swaps of neighbours (optimal string alignment), regardless of case, within a third
/// of its length. The first of several that are equally near.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 64;
    let fold =
        |text: &str| -> Vec<char> { text.chars().take(LONGEST + 1).flat_map(char::to_lowercase).collect() };
    let name = fold(name);
    if name.len() > LONGEST {
        return None;
    }
    let allowed = (name.len() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let letters = fold(candidate);
        if letters.len().abs_diff(name.len()) > allowed {
            continue;
        }
        let distance = alignment(&name, &letters);
        // A single letter is one edit away from every other single letter.
        if distance <= allowed && distance < name.len() && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

fn alignment(a: &[char], b: &[char]) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let substituted = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = substituted.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}
