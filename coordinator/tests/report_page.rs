//! `report.html`: complete, self-contained, and harmless whatever the data says.

#![allow(clippy::unwrap_used)]

mod report_fixture;

use std::collections::BTreeSet;
use std::path::Path;

use report_fixture::{HOSTILE, LEAKY, Plan, World};
use umbra_coordinator::report::{ReportError, report_html};
use umbra_stats::{Analysis, Ratio};

/// The page of a simulated audit, its analysis changed at will.
fn page(plan: Plan, change: impl FnOnce(&mut Analysis)) -> String {
    let world = World::new(plan);
    let folder = tempfile::tempdir().unwrap();
    let (mut analysis, _, gathered) = world.write(folder.path());
    change(&mut analysis);
    report_html(&world.subject(), &analysis, &gathered).unwrap()
}

/// Leaves a page behind for whoever wants to look at it.
fn keep(name: &str, html: &str) {
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name), html).unwrap();
}

/// The tags of a page, without their brackets. A page that is escaped has no other `<` or `>`.
fn tags(html: &str) -> Vec<&str> {
    let (head, rest) = html.split_once("<style>").unwrap();
    let (_, body) = rest.split_once("</style>").unwrap();
    [head, body]
        .into_iter()
        .flat_map(|part| part.split('<').skip(1))
        .map(|piece| {
            let (tag, text) = piece.split_once('>').unwrap();
            assert!(!text.contains('>'), "a bare '>' in {text:?}");
            tag
        })
        .collect()
}

/// The text of a page, white space folded.
fn text(html: &str) -> String {
    let inline = ["a", "bdi", "code", "em", "strong"];
    let mut text = String::new();
    for piece in html.split_once("<body>").unwrap().1.split('<') {
        let (tag, rest) = piece.split_once('>').unwrap_or(("", piece));
        let name = tag.trim_start_matches('/').split(' ').next().unwrap();
        text.push_str(if inline.contains(&name) { "" } else { " " });
        text.push_str(rest);
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('\u{a0}', " ")
}

/// Values of an attribute in all tags.
fn values<'a>(tags: &[&'a str], attribute: &str) -> Vec<&'a str> {
    let start = format!(" {attribute}=\"");
    tags.iter().filter_map(|tag| tag.split_once(start.as_str())?.1.split('"').next()).collect()
}

fn assert_harmless(html: &str) {
    let known_tags: BTreeSet<_> = "!doctype a article aside bdi body caption circle code dd desc div dl \
        dt em figcaption figure h1 h2 h3 head header html li line main meta p polygon polyline pre section span \
        strong style svg table tbody td text th thead title tr ul"
        .split_whitespace()
        .collect();
    let known_attributes: BTreeSet<_> =
        "aria-label aria-labelledby charset class colspan content cx cy href \
        http-equiv id lang name points r role rowspan scope tabindex title transform viewBox x x1 x2 y y1 y2"
            .split_whitespace()
            .collect();
    let tags = tags(html);
    for tag in &tags {
        let name = tag.trim_start_matches('/').split_whitespace().next().unwrap();
        assert!(known_tags.contains(name), "<{tag}>");
        // Outside quotes stand the names alone.
        for (i, outside) in tag.split('"').enumerate().filter(|(i, _)| i % 2 == 0) {
            let names = if i == 0 { outside.split_once(' ').map_or("", |(_, rest)| rest) } else { outside };
            for name in names.split(['=', ' ', '/']).filter(|name| !name.is_empty()) {
                assert!(known_attributes.contains(name) || name == "html", "{name} in <{tag}>");
            }
        }
    }
    for foreign in ["http:", "https:", "//", "url(", "@import", "javascript:", "\u{202e}", "\0", "NaN"] {
        assert!(!html.contains(foreign), "{foreign:?}");
    }
    let ids = values(&tags, "id");
    let distinct: BTreeSet<_> = ids.iter().copied().collect();
    assert_eq!(ids.len(), distinct.len(), "{ids:?}");
    let labels = values(&tags, "aria-labelledby");
    let targets = values(&tags, "href").into_iter().map(|href| href.strip_prefix('#').unwrap());
    for target in targets.chain(labels.iter().flat_map(|label| label.split(' '))) {
        assert!(distinct.contains(target), "{target}");
    }
}

#[test]
fn a_report_says_both_headlines_with_what_belongs_beside_them() {
    let mut counts = (0, [0; 3], 0.0, 0);
    let html = page(LEAKY, |analysis| {
        let summary = &analysis.summary;
        counts = (summary.detected, summary.recognisable, summary.mean_auc, summary.detected_anytime);
    });
    keep("report-leak.html", &html);
    assert_harmless(&html);
    let text = text(&html);
    let (detected, recognisable, mean_auc, anytime) = counts;
    assert!(detected > 0 && recognisable[0] > 0, "the simulation leaks");
    let expected = [
        "660 records of 600 patients (column patient_id)".to_owned(),
        "Multi-layer perceptron with 2 hidden layers of 256 and 256 units".to_owned(),
        "40 passes over the training half in batches of 256 (712 steps)".to_owned(),
        "64 models of this recipe in 4 blocks of 16".to_owned(),
        format!("Detectably remembered {detected} of 600 patients"),
        "at a false discovery rate of 5 %".to_owned(),
        "It grows with the number of shadow models, and it is not a risk.".to_owned(),
        format!("Recognisable {} of 600 patients", recognisable[0]),
        format!("0.75 {} of 600", recognisable[0]),
        format!("0.9 {} of 600", recognisable[1]),
        format!("0.99 {} of 600 out of reach: no lower bound here can exceed 0.", recognisable[2]),
        format!("{mean_auc:.3} is the average AUC of all patients. Averages hide people"),
        "It finds 0 of 600: none, as it must be.".to_owned(),
        format!("By e-values, which stay valid however often one looks, {anytime} patients are detected."),
        "is shown to lose at least ε =".to_owned(),
        "Detection limit.".to_owned(),
        "The most that could be proven of ε is 2.".to_owned(),
        "The gap is the first thing to check.".to_owned(),
        "Likelihood ratio (LiRA, online)".to_owned(),
        "By chance alone (exact)".to_owned(),
        "Adjusted p".to_owned(),
        "The 1 % of the patients with the highest AUC".to_owned(),
        "sex × disease".to_owned(),
        "female x COPD".to_owned(),
        "The most exposed patients".to_owned(),
        "“Recognised” means membership, nothing more.".to_owned(),
        "at least Φ(Φ⁻¹(A)/√2) for an attacker whose comparison models come from fresh data".to_owned(),
        "Lost in this audit: none.".to_owned(),
        "Seed commitment".to_owned(),
        "umbra run AUDIT.toml".to_owned(),
    ];
    let mut rest = &text[..];
    for sentence in &expected {
        let at = rest.find(sentence.as_str()).unwrap_or_else(|| panic!("{sentence:?} is not in its place"));
        rest = &rest[at..];
    }
    assert!(!html.contains("7919000000000000321"), "the seed is printed");
}

#[test]
fn nobody_is_found_within_the_detection_limit_only() {
    let html = page(Plan { leak: false, ..LEAKY }, |_| ());
    keep("report-quiet.html", &html);
    assert_harmless(&html);
    let text = text(&html);
    assert!(text.contains("Detectably remembered 0 of 600 patients (0 %)"));
    assert!(text.contains("Recognisable 0 of 600 patients (0 %)"));
    assert_eq!(text.matches("That holds within what 64 shadow models can see, and not beyond.").count(), 2);
    assert!(text.contains("one who leaks alone is detected from an AUC of about"));
    assert!(text.contains(
        "No patient was detected. These have the highest AUCs, and chance alone gives such a list"
    ));
}

#[test]
fn a_design_that_sees_nothing_says_so() {
    // 8 shadows: the least p value is 1/70, far above 0.05/600.
    let html = page(Plan { shadows: 8, block: 8, ..LEAKY }, |_| ());
    assert!(text(&html).contains("one who leaks alone cannot be detected at all with so few models"));
}

#[test]
fn names_from_the_data_stay_text() {
    let html = page(Plan { hostile: true, lost: &[3, 17, 18], ..LEAKY }, |_| ());
    keep("report-hostile.html", &html);
    assert_harmless(&html);
    for name in HOSTILE {
        assert!(!html.contains(name), "{name}");
    }
    assert!(html.contains("&#60;script&#62;") || html.contains("&lt;script&gt;"));
    let text = text(&html);
    assert!(text.contains("3 of 64 shadow models were lost. See Lost models"));
    assert!(text.contains("number 3, 17, 18 (1 in block 0, 2 in block 1, both counted from 0)"));
}

#[test]
fn a_mirror_that_finds_people_is_an_alarm() {
    let html = page(LEAKY, |analysis| analysis.summary.mirror = 40);
    assert!(text(&html).contains("Something is wrong with this audit"));
}

#[test]
fn what_is_absent_is_a_dash() {
    let html = page(LEAKY, |analysis| {
        analysis.attacks[0].figures.tpr_at_fpr = [f64::NAN; 4];
        analysis.attacks[0].curve = Default::default();
        analysis.survival = Default::default();
        analysis.utility.iter_mut().for_each(|shadow| shadow.inside.records = 0);
        let group = &mut analysis.attributes[0].groups[0];
        group.detected.risk_ratio = Ratio { value: f64::NAN, low: f64::NAN, high: f64::NAN };
        group.detected.matched_risk_ratio = group.detected.risk_ratio;
    });
    assert_harmless(&html);
}

#[test]
fn the_same_findings_give_the_same_page() {
    assert_eq!(page(LEAKY, |_| ()), page(LEAKY, |_| ()));
}

#[test]
fn findings_of_another_audit_are_refused() {
    let (world, other) = (World::new(LEAKY), World::new(Plan { units: 601, ..LEAKY }));
    let folder = tempfile::tempdir().unwrap();
    let (analysis, _, gathered) = other.write(folder.path());
    let error = report_html(&world.subject(), &analysis, &gathered).unwrap_err();
    assert!(matches!(error, ReportError::Mismatch(_)), "{error}");
}
