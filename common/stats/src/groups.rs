//! Which groups of patients carry the risk.
//!
//! The outcome is "detected". Under the null it does not depend on the group among patients with the same
//! number of records (many records make detection easier, and must not pose as a risky group); so the
//! outcomes are permuted within those strata, for all attributes at once, which keeps how attributes go
//! together. The statistic of a group is its number of detected patients, standardised under the null.

use rayon::prelude::*;
use umbra_core::seed::{Purpose, Seed, Stream};

use crate::analysis::{AttributeResult, GroupResult, PatientTable, RECOGNISABLE, Share};
use crate::bounds::wilson;
use crate::config::Config;
use crate::inputs::Attribute;

/// Groups of fewer patients are merged.
const LEAST_PATIENTS: usize = 10;

/// Permutations that share a random stream.
const CHUNK: usize = 64;

/// The groups of one attribute, over the tested patients.
struct Grouping {
    groups: Vec<Group>,
    /// The group of every tested patient.
    of_patient: Vec<u32>,
}

struct Group {
    name: String,
    levels: Vec<String>,
}

/// Tested patients with the same number of records.
struct Stratum {
    patients: Vec<u32>,
    detected: usize,
}

/// Null mean and standard deviation of a group's number of detected patients.
#[derive(Clone, Copy, Default)]
struct Expected {
    mean: f64,
    variance: f64,
}

impl Expected {
    fn deviate(&self, count: u32) -> f64 {
        if self.variance > 0.0 { (f64::from(count) - self.mean) / self.variance.sqrt() } else { 0.0 }
    }
}

/// The groups of every attribute: shares with intervals, risk ratios, and permutation p values; omnibus per
/// attribute, and per group adjusted over all groups of all attributes.
pub(crate) fn compare(
    attributes: &[Attribute],
    seed: &Seed,
    config: &Config,
    patients: &PatientTable,
) -> Vec<AttributeResult> {
    let tested: Vec<usize> = (0..patients.unit.len()).filter(|&unit| !patients.p[unit].is_nan()).collect();
    let detected: Vec<bool> = tested.iter().map(|&unit| patients.detected[unit]).collect();
    let recognisable: Vec<bool> = tested
        .iter()
        .map(|&unit| patients.detected[unit] && patients.auc_lower[unit] >= RECOGNISABLE[0])
        .collect();
    let strata = strata(&tested, &detected, &patients.records);
    let groupings: Vec<Grouping> = attributes.iter().map(|attribute| group(attribute, &tested)).collect();
    let expected: Vec<Vec<Expected>> = groupings.iter().map(|grouping| expect(grouping, &strata)).collect();
    let observed: Vec<Vec<u32>> = groupings.iter().map(|grouping| tally(grouping, &detected)).collect();
    let extremes = permute(&groupings, &strata, &expected, &observed, seed, config.permutations);

    let mut results = Vec::new();
    for (a, (attribute, grouping)) in attributes.iter().zip(&groupings).enumerate() {
        let omnibus_p = extremes.omnibus[a];
        let totals = tally(grouping, &vec![true; tested.len()]);
        let recognised = tally(grouping, &recognisable);
        let all = (tested.len(), detected.iter().filter(|&&d| d).count());
        let groups = grouping.groups.iter().enumerate().map(|(g, group)| {
            let (n, d, r) = (totals[g] as usize, observed[a][g] as usize, recognised[g] as usize);
            GroupResult {
                name: group.name.clone(),
                levels: group.levels.clone(),
                patients: n,
                detected: d,
                recognisable: r,
                detected_share: share(d, n),
                recognisable_share: share(r, n),
                risk_ratio: risk_ratio((d, n), (all.1 - d, all.0 - n)),
                p_adjusted: extremes.groups[a][g].max(omnibus_p),
            }
        });
        results.push(AttributeResult { name: attribute.name.clone(), omnibus_p, groups: groups.collect() });
    }
    results
}

fn share(count: usize, n: usize) -> Share {
    let (low, high) = wilson(count, n);
    Share { value: if n > 0 { count as f64 / n as f64 } else { f64::NAN }, low, high }
}

/// (events, patients) of a group over those of the rest; with half a patient in every cell if either has
/// no event.
fn risk_ratio(group: (usize, usize), rest: (usize, usize)) -> f64 {
    if group.1 == 0 || rest.1 == 0 {
        return f64::NAN;
    }
    let (half, one) = if group.0 == 0 || rest.0 == 0 { (0.5, 1.0) } else { (0.0, 0.0) };
    let risk = |(events, n): (usize, usize)| (events as f64 + half) / (n as f64 + one);
    risk(group) / risk(rest)
}

/// Levels as they are, missing as one more, small ones merged into "other"; if that is small still, the
/// next smallest joins it.
fn group(attribute: &Attribute, tested: &[usize]) -> Grouping {
    let levels = attribute.levels.len();
    let level_of = |unit: usize| attribute.values[unit].map_or(levels, |level| level as usize);
    let mut sizes = vec![0usize; levels + 1];
    tested.iter().for_each(|&unit| sizes[level_of(unit)] += 1);
    let present: Vec<usize> = (0..=levels).filter(|&level| sizes[level] > 0).collect();
    let mut merged: Vec<usize> =
        present.iter().copied().filter(|&level| sizes[level] < LEAST_PATIENTS).collect();
    if !merged.is_empty() && merged.iter().map(|&level| sizes[level]).sum::<usize>() < LEAST_PATIENTS {
        let next =
            present.iter().copied().filter(|level| !merged.contains(level)).min_by_key(|&level| sizes[level]);
        merged.extend(next);
        merged.sort_unstable();
    }
    let name = |level: usize| attribute.levels.get(level).cloned().unwrap_or_else(|| "missing".into());
    let mut groups: Vec<Group> = Vec::new();
    let mut index = vec![0u32; levels + 1];
    for &level in present.iter().filter(|level| !merged.contains(level)) {
        index[level] = groups.len() as u32;
        groups.push(Group { name: name(level), levels: vec![name(level)] });
    }
    if let [only] = merged[..] {
        index[only] = groups.len() as u32;
        groups.push(Group { name: name(only), levels: vec![name(only)] });
    } else if !merged.is_empty() {
        merged.iter().for_each(|&level| index[level] = groups.len() as u32);
        groups
            .push(Group { name: "other".into(), levels: merged.iter().map(|&level| name(level)).collect() });
    }
    Grouping { groups, of_patient: tested.iter().map(|&unit| index[level_of(unit)]).collect() }
}

fn strata(tested: &[usize], detected: &[bool], records: &[u32]) -> Vec<Stratum> {
    let mut by_records = std::collections::BTreeMap::<u32, Stratum>::new();
    for (patient, &unit) in tested.iter().enumerate() {
        let stratum =
            by_records.entry(records[unit]).or_insert(Stratum { patients: Vec::new(), detected: 0 });
        stratum.patients.push(patient as u32);
        stratum.detected += usize::from(detected[patient]);
    }
    by_records.into_values().collect()
}

/// Patients per group of whom something holds.
fn tally(grouping: &Grouping, holds: &[bool]) -> Vec<u32> {
    let mut counts = vec![0; grouping.groups.len()];
    for (&group, &holds) in grouping.of_patient.iter().zip(holds) {
        counts[group as usize] += u32::from(holds);
    }
    counts
}

/// Hypergeometric in every stratum (Mantel and Haenszel 1959).
fn expect(grouping: &Grouping, strata: &[Stratum]) -> Vec<Expected> {
    let mut expected = vec![Expected::default(); grouping.groups.len()];
    for stratum in strata {
        let (n, detected) = (stratum.patients.len() as f64, stratum.detected as f64);
        let mut sizes = vec![0.0; grouping.groups.len()];
        stratum.patients.iter().for_each(|&p| sizes[grouping.of_patient[p as usize] as usize] += 1.0);
        for (expected, size) in expected.iter_mut().zip(sizes) {
            expected.mean += size * detected / n;
            if n > 1.0 {
                expected.variance += size * (n - size) * detected * (n - detected) / (n * n * (n - 1.0));
            }
        }
    }
    expected
}

/// p values from the permutations.
struct Extremes {
    /// Per attribute.
    omnibus: Vec<f64>,
    /// Per attribute and group, single-step max-T (Westfall and Young 1993).
    groups: Vec<Vec<f64>>,
}

fn permute(
    groupings: &[Grouping],
    strata: &[Stratum],
    expected: &[Vec<Expected>],
    observed: &[Vec<u32>],
    seed: &Seed,
    permutations: usize,
) -> Extremes {
    let statistics = |counts: &[Vec<u32>]| -> Vec<Vec<f64>> {
        let of = |(expected, counts): (&Vec<Expected>, &Vec<u32>)| {
            expected.iter().zip(counts).map(|(expected, &count)| expected.deviate(count).abs()).collect()
        };
        expected.iter().zip(counts).map(of).collect()
    };
    let squares = |deviates: &[f64]| deviates.iter().map(|d| d * d).sum::<f64>();
    // Equal counts give equal statistics up to the rounding of sums; a tie counts against the finding.
    let reaches = |permuted: f64, found: f64| permuted >= found * (1.0 - 1e-9);
    let found = statistics(observed);
    let zeros =
        || (vec![0u64; groupings.len()], found.iter().map(|g| vec![0u64; g.len()]).collect::<Vec<_>>());
    let counted = (0..permutations.div_ceil(CHUNK))
        .into_par_iter()
        .map(|chunk| {
            let mut drawer = Drawer::new(strata, seed.stream(Purpose::GroupPermutation, &[chunk as u64]));
            let (mut omnibus, mut groups) = zeros();
            for _ in chunk * CHUNK..((chunk + 1) * CHUNK).min(permutations) {
                let permuted = statistics(&drawer.draw(groupings));
                let highest = permuted.iter().flatten().copied().fold(0.0, f64::max);
                for a in 0..groupings.len() {
                    omnibus[a] += u64::from(reaches(squares(&permuted[a]), squares(&found[a])));
                    for (count, &statistic) in groups[a].iter_mut().zip(&found[a]) {
                        *count += u64::from(reaches(highest, statistic));
                    }
                }
            }
            (omnibus, groups)
        })
        .reduce(zeros, |(mut omnibus, mut groups), (more_omnibus, more_groups)| {
            omnibus.iter_mut().zip(more_omnibus).for_each(|(a, b)| *a += b);
            groups.iter_mut().flatten().zip(more_groups.iter().flatten()).for_each(|(a, b)| *a += b);
            (omnibus, groups)
        });
    let p = |count: u64| (count + 1) as f64 / (permutations + 1) as f64;
    Extremes {
        omnibus: counted.0.into_iter().map(p).collect(),
        groups: counted.1.into_iter().map(|groups| groups.into_iter().map(p).collect()).collect(),
    }
}

/// Draws who is detected, within strata.
struct Drawer<'a> {
    strata: &'a [Stratum],
    /// The patients of every stratum, in the order of the last draw.
    order: Vec<Vec<u32>>,
    stream: Stream,
}

impl<'a> Drawer<'a> {
    fn new(strata: &'a [Stratum], stream: Stream) -> Self {
        Self { strata, order: strata.iter().map(|stratum| stratum.patients.clone()).collect(), stream }
    }

    /// Detected patients per attribute and group.
    fn draw(&mut self, groupings: &[Grouping]) -> Vec<Vec<u32>> {
        let mut counts: Vec<Vec<u32>> =
            groupings.iter().map(|grouping| vec![0; grouping.groups.len()]).collect();
        for (stratum, order) in self.strata.iter().zip(&mut self.order) {
            // The first of a random order (Fisher and Yates), whatever the order was before; it is
            // enough to order the smaller part.
            let n = order.len();
            let drawn = stratum.detected.min(n - stratum.detected);
            for i in 0..drawn {
                order.swap(i, i + self.stream.below((n - i) as u64) as usize);
            }
            let detected = if drawn == stratum.detected { &order[..drawn] } else { &order[drawn..] };
            for (grouping, counts) in groupings.iter().zip(&mut counts) {
                for &patient in detected {
                    counts[grouping.of_patient[patient as usize] as usize] += 1;
                }
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 24 patients, 10 in group a, 14 in b; 9 detected, 7 of them in a.
    #[test]
    fn the_permutation_p_is_the_hypergeometric_one() {
        let in_a = |unit: usize| unit < 10;
        let detected = |unit: usize| !(7..22).contains(&unit);
        let units = 24;
        let patients = PatientTable {
            unit: (0..units as u32).collect(),
            records: vec![1; units],
            auc: vec![0.5; units],
            p: vec![0.5; units],
            q: vec![0.5; units],
            detected: (0..units).map(detected).collect(),
            auc_lower: (0..units).map(|unit| if unit < 2 { 0.8 } else { 0.4 }).collect(),
        };
        let attribute = Attribute {
            name: "group".into(),
            values: (0..units).map(|unit| Some(u32::from(!in_a(unit)))).collect(),
            levels: vec!["a".into(), "b".into()],
        };
        let config = Config { permutations: 99_999, ..Config::default() };
        let found = compare(&[attribute], &Seed::new(9), &config, &patients);
        let [a, b] = &found[0].groups[..] else { panic!("two groups") };
        // scipy 1.17.1, stats.hypergeom(24, 9, 10): P(|X - 3.75| >= 3.25); four standard errors.
        let exact = 0.010372434807082808;
        assert!((found[0].omnibus_p - exact).abs() < 0.0013, "{}", found[0].omnibus_p);
        assert_eq!((a.p_adjusted, b.p_adjusted), (found[0].omnibus_p, found[0].omnibus_p));
        assert_eq!((a.detected, a.patients, a.recognisable), (7, 10, 2));
        assert!((a.risk_ratio - 0.7 / (2.0 / 14.0)).abs() < 1e-12);
    }

    #[test]
    fn empty_cells_get_half_a_patient() {
        assert_eq!(risk_ratio((0, 9), (3, 19)), (0.5 / 10.0) / (3.5 / 20.0));
        assert!(risk_ratio((1, 9), (0, 0)).is_nan());
    }
}
