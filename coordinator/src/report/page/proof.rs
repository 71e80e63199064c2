//! What somebody needs who wants to see the same again, and what was lost on the way.

use super::super::numbers::{count, of};
use super::super::subject::Subject;
use super::super::words;

/// The reproducibility block.
pub(super) struct Proof {
    pub facts: Vec<(&'static str, String)>,
    pub audit_file: String,
}

/// Shadows that gave no signals.
pub(super) struct Lost {
    pub count: String,
    pub one: bool,
    pub numbers: String,
    pub blocks: String,
}

impl Proof {
    pub fn of(subject: &Subject<'_>) -> Self {
        let facts = vec![
            ("Audit", subject.audit.to_string()),
            ("Findings", subject.findings.to_string()),
            ("Data set", subject.dataset.digest.to_string()),
            ("Seed commitment", subject.spec.seed().commitment().to_string()),
            ("Numerics class", words::shown(subject.numerics, 200)),
            ("Umbra", env!("CARGO_PKG_VERSION").to_owned()),
            ("Statistics", words::statistics(subject.spec)),
        ];
        Self { facts, audit_file: words::audit_file(subject.spec) }
    }
}

impl Lost {
    pub fn of(subject: &Subject<'_>) -> Option<Self> {
        const MOST: usize = 40;
        let lost = subject.lost;
        if lost.is_empty() {
            return None;
        }
        let shadows = subject.spec.shadows();
        let mut numbers: Vec<_> = lost.iter().take(MOST).map(|&shadow| count(u64::from(shadow))).collect();
        if lost.len() > MOST {
            numbers.push(format!("and {} more", lost.len() - MOST));
        }
        let blocks: Vec<_> = (0..shadows.blocks())
            .filter_map(|block| {
                let here = lost.iter().filter(|&&shadow| shadow / shadows.block() == block).count();
                (here > 0).then(|| format!("{here} in block {block}"))
            })
            .collect();
        Some(Self {
            count: of(lost.len(), shadows.count() as usize),
            one: lost.len() == 1,
            numbers: numbers.join(", "),
            blocks: blocks.join(", "),
        })
    }
}
