//! Groups: exact p values and intervals from `vectors/groups.json`, which `vectors/make_groups.py` made;
//! error rates where groups differ by nothing but their numbers of records; and power where one is riskier.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use serde_json::Value;
use support::Audit;
use umbra_core::seed::{Purpose, Seed, Stream};
use umbra_stats::{
    Attribute, AttributeResult, AucCounts, Config, GroupTally, PatientOutcome, Ratio, TOP_SHARE, wilson,
};

/// A patient: records, whether it is detected, and its AUC.
type Patient = (u32, bool, f64);

/// An attribute from level names, "" being missing.
fn attribute(name: &str, levels: &[&str], values: impl IntoIterator<Item = usize>) -> Attribute {
    let values = values.into_iter().map(|level| (level < levels.len()).then_some(level as u32)).collect();
    Attribute { name: name.into(), values, levels: levels.iter().map(|&level| level.into()).collect() }
}

fn pair(a: &str, b: &str) -> (String, String) {
    (a.into(), b.into())
}

/// Compares, in a given order of the patients; those above an AUC of .9 are recognisable.
fn compare(
    attributes: &[Attribute],
    intersections: &[(String, String)],
    patients: &[Patient],
    order: impl Iterator<Item = usize>,
    seed: u64,
    permutations: usize,
) -> Vec<AttributeResult> {
    let mut aucs = AucCounts::default();
    patients.iter().for_each(|patient| aucs.add(patient.2));
    let mut tally = GroupTally::new(attributes, intersections, aucs.cut()).unwrap();
    for unit in order {
        let (records, detected, auc) = patients[unit];
        tally.add(unit, &PatientOutcome { records, detected, recognisable: detected && auc > 0.9, auc });
    }
    tally.finish(&Seed::new(seed), permutations)
}

#[track_caller]
fn close(found: f64, right: &Value) {
    let right = right.as_f64().unwrap();
    assert!((found - right).abs() <= 1e-9 * right.abs().max(1.0), "{found} is not {right}");
}

#[track_caller]
fn close_ratio(found: &Ratio, right: &Value) {
    close(found.value, &right[0]);
    close(found.low, &right[1]);
    close(found.high, &right[2]);
}

#[test]
fn p_values_are_those_of_going_through_every_permutation() {
    let case: Value = serde_json::from_str(include_str!("vectors/groups.json")).unwrap();
    let patients = case["patients"].as_array().unwrap();
    let level = |name: &'static str| patients.iter().map(move |p| p[name].as_u64().unwrap() as usize);
    let attributes = [attribute("a", &["x", "y"], level("a")), attribute("b", &["u", "v"], level("b"))];
    let auc = |p: &Value| p["auc"].as_f64().unwrap();
    let mut aucs = AucCounts::default();
    patients.iter().for_each(|p| aucs.add(auc(p)));
    let mut tally = GroupTally::new(&attributes, &[pair("a", "b")], aucs.cut()).unwrap();
    for (unit, p) in patients.iter().enumerate() {
        let patient = PatientOutcome {
            records: p["records"].as_u64().unwrap() as u32,
            detected: p["detected"].as_bool().unwrap(),
            recognisable: p["recognisable"].as_bool().unwrap(),
            auc: auc(p),
        };
        tally.add(unit, &patient);
    }
    let permutations = 200_000;
    let results = tally.finish(&Seed::new(9), permutations);
    let names: Vec<&str> = results.iter().map(|result| &*result.name).collect();
    assert_eq!(names, ["a", "b", "a x b"]);

    let likely = |found: f64, right: &Value| {
        let right = right.as_f64().unwrap();
        // Five standard errors, and the one permutation that is always counted.
        let slack =
            5.0 * (right * (1.0 - right) / permutations as f64).max(0.0).sqrt() + 2.0 / permutations as f64;
        assert!((found - right).abs() <= slack, "{found}, exact {right}");
    };
    let outcomes = &case["outcomes"];
    let mut g = 0;
    for (i, result) in results.iter().enumerate() {
        let three =
            [("detected", result.detected), ("recognisable", result.recognisable), ("top", result.top)];
        for (outcome, omnibus) in three {
            likely(omnibus.p, &outcomes[outcome]["omnibus"][i]);
            likely(omnibus.p_adjusted, &outcomes[outcome]["omnibus_adjusted"][i]);
        }
        for group in &result.groups {
            let right = &case["groups"][g];
            assert_eq!(
                (&*group.name, group.patients),
                (right["name"].as_str().unwrap(), right["patients"].as_u64().unwrap() as usize)
            );
            assert_eq!(group.detected.count as u64, right["detected"].as_u64().unwrap());
            if right.get("risk_ratio").is_some() {
                close_ratio(&group.detected.risk_ratio, &right["risk_ratio"]);
                close_ratio(&group.detected.matched_risk_ratio, &right["matched_risk_ratio"]);
            }
            likely(group.detected.p_adjusted, &outcomes["detected"]["groups"][g]);
            likely(group.recognisable.p_adjusted, &outcomes["recognisable"]["groups"][g]);
            likely(group.top.p_adjusted, &outcomes["top"]["groups"][g]);
            close(group.top.patients, &outcomes["top"]["amounts"][g]);
            close(group.top.matched_expected, &outcomes["top"]["mean"][g]);
            close(group.top.deviate, &outcomes["top"]["deviates"][g]);
            close(group.top.residual, &right["residual"]);
            g += 1;
        }
        // 1.5 patients of 150.
        let top: f64 = result.groups.iter().map(|group| group.top.patients).sum();
        assert!((top - TOP_SHARE * 150.0).abs() < 1e-12);
    }
    assert_eq!(g, case["groups"].as_array().unwrap().len());
}

/// How often, in `runs` simulated audits, a p value of `read` is at most .05, with the upper 95 % limit.
fn rejections(
    runs: u64,
    mut audit: impl FnMut(&mut Stream) -> (Vec<Attribute>, Vec<(String, String)>, Vec<Patient>),
    read: impl Fn(&[AttributeResult]) -> f64,
) -> (f64, f64) {
    let mut rejected = 0;
    for run in 0..runs {
        let mut stream = Seed::new(run).stream(Purpose::Simulation, &[]);
        let (attributes, intersections, patients) = audit(&mut stream);
        let found = compare(&attributes, &intersections, &patients, 0..patients.len(), run, 99);
        rejected += usize::from(read(&found) <= 0.05);
    }
    (rejected as f64 / runs as f64, wilson(rejected, runs as usize).1)
}

/// The probability that a patient is detected grows with its records, as that of a sum of weak signals does.
fn detected(stream: &mut Stream, records: u32) -> bool {
    stream.normal_f64() < 0.8 * f64::from(records).sqrt() - 2.6
}

fn coin(stream: &mut Stream, probability: f64) -> bool {
    stream.uniform_f64() < probability
}

/// One attribute of two levels, 160 patients with records drawn by group, nothing else different.
fn two_groups(
    stream: &mut Stream,
    records: impl Fn(&mut Stream, usize) -> u32,
    seen: impl Fn(u32) -> u32,
) -> (Vec<Attribute>, Vec<(String, String)>, Vec<Patient>) {
    let groups: Vec<usize> = (0..160).map(|unit| unit % 2).collect();
    let patients = groups.iter().map(|&group| {
        let records = records(stream, group);
        (seen(records), detected(stream, records), 0.5)
    });
    let patients = patients.collect();
    (vec![attribute("group", &["a", "b"], groups)], Vec::new(), patients)
}

#[test]
fn many_records_are_no_risky_group() {
    let omnibus = |found: &[AttributeResult]| found[0].detected.p;
    let runs = 4000;
    let apart = |_: &mut Stream, group: usize| if group == 0 { 18u32 } else { 2 };
    // Four of five in one group, one of four in the other.
    let mixed = |stream: &mut Stream, group: usize| {
        if coin(stream, if group == 0 { 0.8 } else { 0.25 }) { 18u32 } else { 2 }
    };
    // So many numbers of records that few patients share one: a has some 24 records, b some 36.
    let scattered = |stream: &mut Stream, group: usize| {
        let center = if group == 0 { 24.0 } else { 36.0 };
        (center * libm::exp(0.4 * stream.normal_f64())).max(1.0) as u32
    };
    let rate = |records: &dyn Fn(&mut Stream, usize) -> u32, seen: fn(u32) -> u32| {
        rejections(runs, |stream| two_groups(stream, records, seen), omnibus)
    };
    // Everybody is certain of its stratum: no permutation changes anything.
    assert_eq!(rate(&apart, |records| records).0, 0.0);
    for records in [&mixed as &dyn Fn(&mut Stream, usize) -> u32, &scattered] {
        let (share, upper) = rate(records, |records| records);
        assert!(share <= 0.05 && upper <= 0.06, "{share}, at most {upper}");
        // The same audits without strata find a risky group that there is not.
        let (blind, _) = rate(records, |_| 1);
        assert!(blind > 0.2, "{blind}: the strata have nothing to do");
    }
}

#[test]
fn one_false_group_in_twenty_audits_however_many_groups() {
    // Three attributes that go together, and two intersections of them; records matter.
    let audit = |stream: &mut Stream| {
        let n = 400;
        let sex: Vec<usize> = (0..n).map(|_| stream.below(2) as usize).collect();
        let site: Vec<usize> = (0..n).map(|_| stream.below(6).min(4) as usize).collect();
        let ward: Vec<usize> = site
            .iter()
            .map(|&site| if coin(stream, 0.8) { site } else { stream.below(5) as usize })
            .collect();
        let patients = site.iter().map(|&site| {
            let records = if coin(stream, 0.2 + 0.15 * site as f64) { 6 } else { 1 };
            let detected = detected(stream, records + 5);
            (
                records,
                detected,
                if detected { 0.75 } else { 0.5 } + 0.25 * (stream.uniform_f64() * 8.0).floor() / 8.0,
            )
        });
        let patients = patients.collect();
        let attributes = vec![
            attribute("sex", &["f", "m"], sex),
            attribute("site", &["1", "2", "3", "4"], site),
            attribute("ward", &["1", "2", "3", "4", "5"], ward),
        ];
        (attributes, vec![pair("sex", "site"), pair("ward", "sex")], patients)
    };
    type Read = fn(&[AttributeResult]) -> f64;
    let reads: [(&str, Read); 4] = [
        ("omnibus", |found| found.iter().map(|result| result.detected.p_adjusted).fold(1.0, f64::min)),
        ("groups", |found| least(found, |group| group.detected.p_adjusted)),
        ("recognisable", |found| least(found, |group| group.recognisable.p_adjusted)),
        ("top", |found| least(found, |group| group.top.p_adjusted)),
    ];
    fn least(found: &[AttributeResult], read: fn(&umbra_stats::GroupResult) -> f64) -> f64 {
        found.iter().flat_map(|result| &result.groups).map(read).fold(1.0, f64::min)
    }
    for (name, read) in reads {
        let (share, upper) = rejections(600, audit, read);
        assert!(share <= 0.06 && upper <= 0.085, "{name}: {share}, at most {upper}");
    }
    // Unadjusted, at least one of the five would be found far more often.
    let (share, _) =
        rejections(600, audit, |found| found.iter().map(|result| result.detected.p).fold(1.0, f64::min));
    assert!(share > 0.1, "{share}");
}

#[test]
fn neither_order_nor_threads_matter() {
    let mut stream = Seed::new(5).stream(Purpose::Simulation, &[]);
    let n = 3000;
    let attributes = [
        attribute("a", &["0", "1", "2", "3"], (0..n).map(|_| stream.below(5) as usize)),
        attribute("b", &["0", "1", "2"], (0..n).map(|_| stream.below(3) as usize)),
    ];
    let patients: Vec<Patient> = (0..n)
        .map(|_| {
            let records = 1 + stream.below(40) as u32;
            (records, detected(&mut stream, records), stream.below(65) as f64 / 64.0)
        })
        .collect();
    let run = |threads: usize, backwards: bool| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let order: Box<dyn Iterator<Item = usize> + Send> =
            if backwards { Box::new((0..n).rev()) } else { Box::new(0..n) };
        pool.install(|| compare(&attributes, &[pair("b", "a")], &patients, order, 7, 300))
    };
    let one = run(1, false);
    assert!(one == run(2, true) && one == run(3, false));
    assert_eq!(one[2].crossed, Some(["b".to_owned(), "a".to_owned()]));
    assert_eq!(one[2].groups[4].name, "0 x missing");
}

#[test]
fn groups_that_cannot_be_formed_are_refused() {
    let attributes = [
        attribute("sex", &["f", "m"], [0; 3]),
        attribute("race", &["a", "b"], [0; 3]),
        attribute("site", &vec!["s"; 40_000], [0; 3]),
    ];
    let refused =
        |pairs: &[(String, String)]| GroupTally::new(&attributes, pairs, 1.0).err().unwrap().to_string();
    for (pairs, sentence) in [
        (
            vec![pair("sex", "rase")],
            "intersection 'sex x rase': attribute 'rase' does not exist; choose among sex, race, site",
        ),
        (vec![pair("sex", "sex")], "crosses an attribute with itself"),
        (vec![pair("sex", "race"), pair("race", "sex")], "'race x sex' is listed twice"),
        (vec![pair("race", "site")], "'race x site' has 120003 levels"),
    ] {
        assert!(refused(&pairs).contains(sentence), "{}", refused(&pairs));
    }
    let none = GroupTally::new(&[], &[pair("sex", "race")], 1.0).err().unwrap().to_string();
    assert_eq!(none, "intersection 'sex x race': there are no attributes to cross");
    // An analysis refuses before it starts.
    let audit = Audit::draw(1, (16, 8), &[1; 20], |_, _, _, x| x);
    let config = Config { intersections: vec![pair("sex", "race")], ..Config::default() };
    let error = umbra_stats::analyse(&audit.inputs(), &config, &|_| panic!("it started")).unwrap_err();
    assert_eq!(error.to_string(), none);
}

#[test]
fn records_hide_no_difference_and_make_none_in_a_whole_audit() {
    // Group a has 18 records a patient, b has 2; all leak alike, so that records make detection easier. Every
    // other run the groups are mixed.
    let (runs, patients) = (60, 120);
    let records_of: Vec<usize> = (0..patients).map(|unit| if unit % 2 == 0 { 18 } else { 2 }).collect();
    let mut rejected = 0;
    let mut stratified_away = true;
    for run in 0..runs {
        let mut audit =
            Audit::draw(run, (32, 16), &records_of, |_, _, inside, x| if inside { x + 0.35 } else { x });
        let level = |unit: usize| if run % 2 == 0 { unit % 2 } else { (unit / 2 * 7 + unit) % 3 / 2 };
        audit.attributes = vec![attribute("group", &["a", "b"], (0..patients).map(level))];
        let config = Config { attacks: Vec::new(), permutations: 199, ..Config::default() };
        let found = audit.analyse(&config);
        rejected += u32::from(found.attributes[0].detected.p <= 0.05);
        if run % 2 == 0 {
            let [a, b] = &found.attributes[0].groups[..] else { panic!("two groups") };
            stratified_away &= a.detected.count > b.detected.count;
            // Nobody of a has as many records as anybody of b.
            assert!(a.detected.matched_risk_ratio.value.is_nan());
        }
    }
    assert!(stratified_away, "without strata there would be a difference to find");
    // Binomial(60, .05): 9 or more have probability .003.
    assert!(rejected < 9, "{rejected} of {runs}");
}

#[test]
fn a_leaky_group_is_named() {
    let level = |unit: usize| match unit {
        0..3 => 0,
        3..9 => 1,
        9..30 => 4,
        30..60 => 3,
        _ => 2,
    };
    let mut audit =
        Audit::draw(
            11,
            (64, 16),
            &[1; 300],
            |_, record, inside, x| {
                if inside && level(record) == 3 { x + 2.5 } else { x }
            },
        );
    audit.attributes = vec![
        attribute("site", &["rare 1", "rare 2", "common", "leaky"], (0..300).map(level)),
        attribute("one", &["all"], vec![0; 300]),
    ];
    let config = Config { permutations: 999, intersections: vec![pair("site", "one")], ..Config::default() };
    let found = audit.analyse(&config);
    let site = &found.attributes[0];
    assert_eq!((site.detected.p, site.detected.p_adjusted), (0.001, 0.001));
    // 3 and 6 patients are under ten together too: the next smallest, 21 missing, join them.
    let names: Vec<&str> = site.groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["common", "leaky", "other"]);
    assert_eq!(site.groups[2].levels, ["rare 1", "rare 2", "missing"]);
    assert_eq!(site.groups.iter().map(|group| group.patients).collect::<Vec<_>>(), [240, 30, 30]);
    let leaky = &site.groups[1];
    assert_eq!((leaky.detected.count, leaky.detected.p_adjusted), (30, 0.001));
    assert!(leaky.detected.risk_ratio.low > 5.0 && site.groups[0].detected.count <= 4);
    // Three of 300 are the most exposed: all leaky, where .3 would be.
    assert_eq!((leaky.top.patients, leaky.top.p_adjusted), (3.0, 0.001));
    assert!((leaky.top.residual - (3.0 - 0.3) / 0.3f64.sqrt()).abs() < 1e-12);
    let one = &found.attributes[1];
    assert!(one.detected.p == 1.0 && one.groups[0].detected.p_adjusted == 1.0);
    assert!(one.groups[0].detected.risk_ratio.value.is_nan());
    let crossed = &found.attributes[2];
    assert_eq!((&*crossed.name, &*crossed.groups[1].name), ("site x one", "leaky x all"));
    assert_eq!(crossed.groups[1].detected, leaky.detected);
}
