//! The findings' files: their structure, their bytes, and that they appear whole.

#![allow(clippy::unwrap_used)]

mod report_fixture;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row};
use report_fixture::{HOSTILE, LEAKY, Plan, World, run_facts};
use serde_json::Value;
use umbra_coordinator::report::{FindingsFile, ReportError, ScoreFiles, TableFiles, summary_json, write_all};
use umbra_core::digest::Digest;
use umbra_stats::{AttackKind, MemoryScores, MemoryTables, NoSink, PatientTable, RecordTable, Sink};

/// Every file of a folder, by name.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries.map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap())).collect()
}

/// Everything an audit writes.
fn write(world: &World, dir: &Path, host: &str) -> Vec<FindingsFile> {
    let (analysis, mut files, gathered) = world.write(dir);
    files.extend(write_all(dir, &world.subject(), &analysis, &gathered, &run_facts(host)).unwrap());
    files
}

#[test]
fn equal_findings_are_equal_bytes_but_for_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a"), folder.path().join("deeper/b"));
    let files = write(&World::new(LEAKY), &a, "host-a");
    write(&World::new(LEAKY), &b, "host-b");
    let (mut first, mut second) = (contents(&a), contents(&b));
    let names: Vec<_> = first.keys().map(String::as_str).collect();
    let expected = [
        "membership.npy",
        "patients.parquet",
        "records.parquet",
        "report.html",
        "run.json",
        "scores-global.npy",
        "scores-lira-online.npy",
        "summary.json",
    ];
    assert_eq!(names, expected, "nothing else, no temporary file");
    assert_eq!(files.last().unwrap().name, "summary.json", "it is the sign that all others are there");
    assert_eq!(files.len(), first.len());
    for file in &files {
        let bytes = &first[&file.name];
        assert_eq!((file.bytes, file.digest), (bytes.len() as u64, Digest::of(bytes)), "{}", file.name);
    }
    let run: Value = serde_json::from_slice(&first.remove("run.json").unwrap()).unwrap();
    assert_eq!(run["host"], "host-a");
    assert_eq!(run["workers"][0]["slots"], 2);
    second.remove("run.json");
    assert!(first == second, "time, host or path in a finding");
    #[cfg(unix)]
    for name in expected {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(a.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name} names patients");
    }
}

/// The dotted keys of pretty-printed JSON in their order, each once.
fn keys(json: &str) -> Vec<String> {
    let mut path: Vec<&str> = Vec::new();
    let mut keys: Vec<String> = Vec::new();
    for line in json.lines() {
        let depth = (line.len() - line.trim_start().len()) / 2;
        path.truncate(depth.saturating_sub(1));
        path.resize(depth.saturating_sub(1), "");
        let Some((key, _)) = line.trim_start().strip_prefix('"').and_then(|rest| rest.split_once("\": "))
        else {
            continue;
        };
        path.push(key);
        let dotted: Vec<_> = path.iter().filter(|part| !part.is_empty()).copied().collect();
        let dotted = dotted.join("/");
        if !keys.contains(&dotted) {
            keys.push(dotted);
        }
    }
    keys
}

/// Every key and column is explained to the reader; rates and levels are keys, too.
#[track_caller]
fn assert_explained(name: &str) {
    let page = include_str!("../../docs/findings.md");
    let is_number = name.parse::<f64>().is_ok();
    assert!(is_number || page.contains(&format!("`{name}`")), "docs/findings.md does not explain {name}");
}

#[test]
fn a_summary_has_its_keys_in_their_order() {
    let world = World::new(LEAKY);
    let mut analysis = world.analyse(&mut NoSink);
    analysis.attacks.truncate(1);
    analysis.attributes[0].groups[0].detected.risk_ratio.value = f64::NAN;
    let json = String::from_utf8(summary_json(&world.subject().tables(), &analysis).unwrap()).unwrap();
    let figures = |prefix: &str| {
        let rest = ["0.1", "0.01", "0.001", "0.0001"].map(|fpr| format!("{prefix}/tpr_at_fpr/{fpr}"));
        let mut keys: Vec<String> =
            ["auc", "balanced_accuracy", "tpr_at_fpr"].map(|key| format!("{prefix}/{key}")).to_vec();
        keys.extend(rest);
        keys
    };
    let mut expected = vec!["attacks".to_owned(), "attacks/lira-online".to_owned()];
    expected.extend(figures("attacks/lira-online"));
    expected
        .extend(["targets", "scored", "dropped", "floored"].map(|key| format!("attacks/lira-online/{key}")));
    expected.push("attacks/lira-online/per_target".to_owned());
    for side in ["mean", "sd"] {
        let prefix = format!("attacks/lira-online/per_target/{side}");
        expected.push(prefix.clone());
        expected.extend(figures(&prefix));
    }
    expected.push("attacks/lira-online/interval".to_owned());
    for end in ["low", "high"] {
        let prefix = format!("attacks/lira-online/interval/{end}");
        expected.push(prefix.clone());
        expected.extend(figures(&prefix));
    }
    expected.extend(["patients", "shadows"].map(|key| format!("attacks/lira-online/interval/{key}")));
    expected.push("attacks/lira-online/calibrated".to_owned());
    if analysis.attacks[0].calibrated.is_some() {
        expected.extend(figures("attacks/lira-online/calibrated"));
        expected.push("attacks/lira-online/calibrated/scored".to_owned());
    }
    expected.extend(
        "records records/records records/scored records/mean_auc records/mean_binormal_auc \
         records/extrapolated_tpr_null records/extrapolated_tpr_null/0.01 records/extrapolated_tpr_null/0.01/mean \
         records/extrapolated_tpr_null/0.01/p99 records/extrapolated_tpr_null/0.001 \
         records/extrapolated_tpr_null/0.001/mean records/extrapolated_tpr_null/0.001/p99 \
         patients patients/units patients/detected patients/recognisable patients/recognisable/0.75 \
         patients/recognisable/0.9 patients/recognisable/0.99 patients/mirror patients/mean_auc patients/fdr \
         patients/bound_alpha patients/detection_limit patients/detection_limit/patients \
         patients/detection_limit/least_p patients/detection_limit/least_q \
         patients/detection_limit/detectable_auc patients/detection_limit/null_sd \
         patients/detection_limit/bound_alone patients/detection_limit/bound_worst \
         patients/detection_limit/certifiable_alone patients/detection_limit/certifiable_worst \
         patients/detection_limit/epsilon_alone patients/detection_limit/epsilon_worst \
         patients/looks patients/detected_anytime patients/epsilon_worst patients/delta \
         patients/survival patients/survival/auc patients/survival/observed patients/survival/null \
         patients/survival/low patients/survival/high \
         groups groups/attribute groups/crossed groups/omnibus_p groups/omnibus_p_adjusted \
         groups/recognisable_omnibus_p groups/recognisable_omnibus_p_adjusted groups/top_omnibus_p \
         groups/top_omnibus_p_adjusted groups/groups groups/groups/name groups/groups/levels \
         groups/groups/patients groups/groups/detected groups/groups/recognisable \
         groups/groups/detected_share groups/groups/detected_share/value groups/groups/detected_share/low \
         groups/groups/detected_share/high groups/groups/recognisable_share \
         groups/groups/recognisable_share/value groups/groups/recognisable_share/low \
         groups/groups/recognisable_share/high groups/groups/risk_ratio groups/groups/risk_ratio_interval \
         groups/groups/risk_ratio_interval/low groups/groups/risk_ratio_interval/high \
         groups/groups/matched_risk_ratio groups/groups/matched_risk_ratio/value \
         groups/groups/matched_risk_ratio/low groups/groups/matched_risk_ratio/high \
         groups/groups/p_adjusted groups/groups/recognisable_risk_ratio \
         groups/groups/recognisable_risk_ratio/value groups/groups/recognisable_risk_ratio/low \
         groups/groups/recognisable_risk_ratio/high groups/groups/recognisable_matched_risk_ratio \
         groups/groups/recognisable_matched_risk_ratio/value \
         groups/groups/recognisable_matched_risk_ratio/low \
         groups/groups/recognisable_matched_risk_ratio/high groups/groups/recognisable_p_adjusted \
         groups/groups/top groups/groups/top/patients groups/groups/top/expected \
         groups/groups/top/residual groups/groups/top/matched_expected groups/groups/top/deviate \
         groups/groups/top/p_adjusted \
         utility utility/inside utility/inside/records utility/inside/accuracy utility/inside/log_loss \
         utility/inside/auc utility/outside utility/outside/records utility/outside/accuracy \
         utility/outside/log_loss utility/outside/auc design design/shadows design/block design/lost \
         design/name design/explanation design/warnings settings settings/attacks settings/variance \
         settings/center settings/counts settings/multivariate settings/base_offline settings/rmia_a settings/gamma \
         settings/temperature settings/permutations settings/bootstrap settings/intersections caveats \
         dataset dataset/name dataset/digest dataset/records dataset/units dataset/features dataset/classes"
            .split_whitespace()
            .map(str::to_owned),
    );
    assert_eq!(keys(&json), expected);
    expected.iter().for_each(|key| assert_explained(key.rsplit('/').next().unwrap()));

    // As text: serde_json reads floats to within one unit in the last place only.
    let figures = &analysis.attacks[0].figures;
    for (key, figure) in [("auc", figures.auc), ("0.001", figures.tpr_at_fpr[2])] {
        let line = format!("\"{key}\": {figure}");
        assert!(json.contains(&line), "{line}: the shortest form that reads back");
    }
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["patients"]["detected"], analysis.summary.detected);
    assert_eq!(value["patients"]["recognisable"]["0.75"], analysis.summary.recognisable[0]);
    assert_eq!(value["groups"][0]["groups"][0]["risk_ratio"], Value::Null, "NaN is null");
    assert_eq!(value["groups"][2]["crossed"], serde_json::json!(["sex", "disease"]));
    assert_eq!(value["design"]["block"], 16);
}

fn rows(path: &Path) -> (Vec<String>, Vec<Row>) {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let metadata = reader.metadata().file_metadata();
    assert_eq!(metadata.created_by(), Some("umbra"));
    let names = metadata.schema().get_fields().iter().map(|field| field.name().to_owned()).collect();
    (names, reader.get_row_iter(None).unwrap().map(Result::unwrap).collect())
}

fn fields(row: &Row) -> Vec<Field> {
    row.get_column_iter().map(|(_, field)| field.clone()).collect()
}

#[test]
fn tables_read_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(Plan { hostile: true, ..LEAKY });
    let mut tables = MemoryTables::default();
    world.analyse(&mut tables);
    tables.records.sd_in[5] = f64::NAN;
    tabulate(&world, folder.path(), &tables.records, &tables.patients);
    let text = |text: &str| Field::Str(text.to_owned());
    let number = |x: f64| if x.is_nan() { Field::Null } else { Field::Double(x) };
    let level = |attribute: usize, unit: usize| {
        let attribute = &world.attributes[attribute];
        attribute.values.get(unit).map_or(Field::Null, |level| text(&attribute.levels[level as usize]))
    };
    let groups = [world.attributes[0].name.as_str(), world.attributes[1].name.as_str()];

    let (names, records) = rows(&folder.path().join("records.parquet"));
    let head = ["record", "unit", "label"];
    let tail = [
        "auc",
        "binormal_auc",
        "mean_in",
        "mean_out",
        "sd_in",
        "sd_out",
        "n_in",
        "n_out",
        "extrapolated_tpr_0.01",
        "extrapolated_tpr_0.001",
    ];
    assert_eq!(names, [&head[..], &groups[..], &tail[..]].concat());
    head.iter().chain(&tail).for_each(|name| assert_explained(name));
    let t = &tables.records;
    assert_eq!(records.len(), t.auc.len());
    for (i, row) in records.iter().enumerate() {
        let unit = t.unit[i] as usize;
        let expected = [
            Field::Long(2 * i as i64),
            text(&world.unit_names[unit]),
            text(&world.class_names[t.label[i] as usize]),
            level(0, unit),
            level(1, unit),
            number(t.auc[i]),
            number(t.binormal_auc[i]),
            number(t.mean_in[i]),
            number(t.mean_out[i]),
            number(t.sd_in[i]),
            number(t.sd_out[i]),
            Field::Int(t.n_in[i] as i32),
            Field::Int(t.n_out[i] as i32),
            number(t.extrapolated_tpr[0][i]),
            number(t.extrapolated_tpr[1][i]),
        ];
        assert_eq!(fields(row), expected, "record {i}");
    }
    assert!(records.iter().any(|row| fields(row)[3] == Field::Null), "a missing group is null");
    assert!(world.unit_names[0].starts_with(HOSTILE[0]), "names are kept as the source writes them");

    let (names, patients) = rows(&folder.path().join("patients.parquet"));
    let tail = ["auc", "binormal_auc", "p", "q", "detected", "auc_lower", "e", "epsilon_lower"];
    tail.iter().chain(&["unit", "records"]).for_each(|name| assert_explained(name));
    assert_eq!(names, [&["unit", "records"][..], &groups[..], &tail[..]].concat());
    let t = &tables.patients;
    assert_eq!(patients.len(), world.unit_names.len());
    for (i, row) in patients.iter().enumerate() {
        let expected = [
            text(&world.unit_names[i]),
            Field::Int(t.records[i] as i32),
            level(0, i),
            level(1, i),
            number(t.auc[i]),
            number(t.binormal_auc[i]),
            number(t.p[i]),
            number(t.q[i]),
            Field::Bool(t.detected[i]),
            number(t.auc_lower[i]),
            number(t.e[i]),
            number(t.epsilon_lower[i]),
        ];
        assert_eq!(fields(row), expected, "unit {i}");
    }
}

/// Both tables in a folder, each from rows at once.
fn tabulate(world: &World, dir: &Path, records: &RecordTable, patients: &PatientTable) {
    let mut sink = TableFiles::create(dir, world.subject().rows).unwrap();
    sink.records(0, records).unwrap();
    sink.patients(0, patients).unwrap();
    sink.finish().unwrap();
}

#[test]
fn the_bytes_of_tables_do_not_depend_on_the_pieces_they_come_in() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(LEAKY);
    let mut tables = MemoryTables::default();
    world.analyse(&mut tables);
    let patients = tables.patients;
    let (whole, pieces) = (folder.path().join("whole"), folder.path().join("pieces"));
    tabulate(&world, &whole, &tables.records, &patients);
    let mut sink = TableFiles::create(&pieces, world.subject().rows).unwrap();
    for start in (0..world.records).step_by(7) {
        let mut rows = RecordTable::default();
        rows.extend(&tables.records, start..world.records.min(start + 7));
        sink.records(start, &rows).unwrap();
    }
    sink.patients(0, &patients).unwrap();
    sink.finish().unwrap();
    assert!(contents(&whole) == contents(&pieces));

    let mut sink = TableFiles::create(&pieces, world.subject().rows).unwrap();
    let error = sink.records(3, &tables.records).unwrap_err();
    assert!(error.to_string().contains("660 rows from record 3 on, after 0 of 660"), "{error}");
    assert!(matches!(sink.finish().err().unwrap(), ReportError::Mismatch(_)), "rows are missing");
}

#[test]
fn an_attribute_cannot_take_the_name_of_a_figure() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(LEAKY);
    world.attributes[0].name = "auc".to_owned();
    world.attributes[1].name = "auc_group".to_owned();
    world.config.intersections.clear();
    world.write(folder.path());
    let (names, _) = rows(&folder.path().join("patients.parquet"));
    assert_eq!(names[..5], ["unit", "records", "auc_group", "auc_group_group", "auc"]);
}

/// Header and data of an NPY file.
fn npy(bytes: &[u8]) -> (&str, &[u8]) {
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let length = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert_eq!(length % 64, 0);
    assert_eq!(bytes[length - 1], b'\n');
    (std::str::from_utf8(&bytes[10..length]).unwrap().trim_end(), &bytes[length..])
}

#[test]
fn arrays_are_numpys() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(Plan { lost: &[5], ..LEAKY });
    write(&world, folder.path(), "host");
    let files = contents(folder.path());
    let (header, data) = npy(&files["membership.npy"]);
    assert_eq!(header, "{'descr': '|b1', 'fortran_order': False, 'shape': (64, 660), }");
    let expected: Vec<u8> = (0..64)
        .flat_map(|shadow| world.units.iter().map(move |&unit| (shadow, unit as usize)))
        .map(|(shadow, unit)| u8::from(world.membership.is_in(shadow, unit)))
        .collect();
    assert!(data == expected);

    let mut memory = MemoryScores::new(64, world.records);
    world.analyse(&mut memory);
    for attack in [AttackKind::LiraOnline, AttackKind::Global] {
        let (header, data) = npy(&files[&format!("scores-{attack}.npy")]);
        assert_eq!(header, "{'descr': '<f8', 'fortran_order': False, 'shape': (64, 660), }");
        let scores: Vec<f64> =
            data.chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap())).collect();
        let expected = memory.of(attack).unwrap();
        assert_eq!(scores.len(), expected.len());
        let equal = |(a, b): (&f64, &f64)| a == b || (a.is_nan() && b.is_nan());
        assert!(scores.iter().zip(expected).all(equal));
        assert!(scores[5 * 660].is_nan(), "a lost shadow has no scores");
    }
}

#[test]
fn scores_that_never_come_are_absent_and_late_ones_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = ScoreFiles::create(folder.path(), 2, 5).unwrap();
    sink.scores(AttackKind::Global, 1..3, &[1.0, 2.0, 3.0, f64::NAN]).unwrap();
    assert!(sink.scores(AttackKind::Global, 2..3, &[0.0, 0.0]).is_err());
    assert!(sink.scores(AttackKind::Global, 3..6, &[0.0; 6]).is_err());
    assert!(sink.scores(AttackKind::Global, 3..4, &[0.0; 3]).is_err());
    assert!(!folder.path().join("scores-global.npy").exists(), "it appears when it is whole");
    sink.finish().unwrap();
    let files = contents(folder.path());
    let (_, data) = npy(&files["scores-global.npy"]);
    let nan = f64::NAN;
    let expected: Vec<u8> =
        [nan, 1.0, 2.0, nan, nan, nan, 3.0, nan, nan, nan].iter().flat_map(|x| x.to_le_bytes()).collect();
    assert_eq!(data, expected);
}

#[test]
fn what_fails_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = ScoreFiles::create(folder.path(), 1, 4).unwrap();
    sink.scores(AttackKind::Global, 0..2, &[1.0, 2.0]).unwrap();
    drop(sink);
    assert!(contents(folder.path()).is_empty());

    let file = folder.path().join("taken");
    fs::write(&file, b"x").unwrap();
    let world = World::new(LEAKY);
    let error = TableFiles::create(&file, world.subject().rows).err().unwrap();
    assert!(matches!(error, ReportError::File(_)));
    assert!(error.to_string().starts_with("cannot create the folder "), "{error}");
}
