//! Bytes from anywhere: never a panic, never an index outside.

use std::sync::LazyLock;

use bytes::Bytes;
use proptest::prelude::*;
use umbra_data::{Dataset, import};

use crate::{import_csv, reference, schema};

static ENCODED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let schema = schema(
        "kind = \"table\"\nlabel = \"outcome\"\nunit = \"patient\"\ngroups = [\"site\", \"insurer\"]\n",
    );
    import(reference("mixed.parquet"), &schema).unwrap().bytes.to_vec()
});

/// Changes to a file: a byte set, eight bytes set to a number, a cut, bytes appended.
#[derive(Debug, Clone)]
enum Change {
    Byte(usize, u8),
    Number(usize, u64),
    Cut(usize),
    Append(Vec<u8>),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let number =
        prop_oneof![Just(0), Just(1), Just(u64::MAX), Just(u64::MAX / 8), 0u64..100_000, any::<u64>()];
    let place = prop_oneof![0usize..512, any::<usize>()];
    let change = prop_oneof![
        4 => (place.clone(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        4 => (place, number).prop_map(|(at, number)| Change::Number(at, number)),
        1 => any::<usize>().prop_map(Change::Cut),
        1 => prop::collection::vec(any::<u8>(), 1..80).prop_map(Change::Append),
    ];
    prop::collection::vec(change, 1..4)
}

fn apply(bytes: &[u8], changes: Vec<Change>) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for change in changes {
        let length = bytes.len().max(1);
        match change {
            Change::Byte(at, byte) => {
                bytes.iter_mut().skip(at % length).take(1).for_each(|slot| *slot = byte)
            }
            Change::Number(at, number) => {
                let slots = bytes.iter_mut().skip(at % length / 8 * 8);
                slots.zip(number.to_le_bytes()).for_each(|(slot, byte)| *slot = byte);
            }
            Change::Cut(at) => bytes.truncate(at % length),
            Change::Append(more) => bytes.extend(more),
        }
    }
    bytes
}

/// Uses everything an opened set offers.
fn use_all(set: &Dataset) {
    let shape = set.shape();
    assert_eq!(set.features().len() as u64, shape.records * u64::from(shape.features));
    assert!(set.labels().classes().is_none_or(|labels| labels.iter().all(|&label| label < shape.classes)));
    assert_eq!(set.unit_digests().len(), set.unit_names().len());
    let records: usize = (0..shape.units as u32).map(|unit| set.unit_records(unit).len()).sum();
    assert_eq!(records as u64, shape.records);
    for attribute in set.attributes() {
        assert!(attribute.values.iter().flatten().all(|&value| (value as usize) < attribute.levels.len()));
    }
    assert_eq!(set.unit_names().filter(|name| name.is_empty()).count(), 0);
    let mut row = vec![0.0; shape.features as usize];
    set.gather(&[set.record_units().len() as u32 - 1], &mut row);
    let _ = set.verify();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn changed_encoded_files_are_refused_or_whole(changes in changes(), skip in 0usize..9) {
        let changed = apply(&ENCODED, changes);
        // At any alignment.
        let mut padded = vec![0; skip];
        padded.extend(&changed);
        let bytes = Bytes::from(padded).slice(skip..);
        if let Ok(set) = Dataset::from_bytes(bytes) {
            use_all(&set);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn changed_tables_never_panic(changes in changes(), parquet in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let name = if parquet { "mixed.parquet" } else { "mixed.csv" };
        let path = folder.path().join(name);
        std::fs::write(&path, apply(&std::fs::read(reference(name)).unwrap(), changes)).unwrap();
        let schema = schema("kind = \"table\"\nlabel = \"outcome\"\nunit = \"patient\"\n");
        if let Err(error) = import(&path, &schema) {
            prop_assert!(error.to_string().starts_with(&path.display().to_string())
                || error.to_string().starts_with("S.toml:"), "{error}");
        }
    }

    #[test]
    fn any_text_is_a_table_or_refused(text in "[a-c,\"\n0-9.; ]{0,200}") {
        let _ = import_csv(text.as_bytes(), &schema("kind = \"table\"\nlabel = \"a\"\n"));
    }
}

#[test]
fn every_truncation_is_refused() {
    for length in (0..ENCODED.len()).step_by(7) {
        assert!(Dataset::from_bytes(Bytes::copy_from_slice(&ENCODED[..length])).is_err(), "{length}");
    }
}

#[test]
fn a_changed_value_is_found_by_verify() {
    let set = Dataset::from_bytes(Bytes::from(ENCODED.clone())).unwrap();
    set.verify().unwrap();
    let place = ENCODED.len() - 1;
    for (at, found) in [(512, "content does not fit"), (place, "")] {
        let mut bytes = ENCODED.clone();
        bytes[at] ^= 1;
        let checked = Dataset::from_bytes(Bytes::from(bytes)).and_then(|set| set.verify());
        assert!(checked.unwrap_err().to_string().contains(found));
    }
}

#[test]
fn what_is_no_encoded_set_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let absent = Dataset::open(folder.path().join("absent")).unwrap_err();
    assert!(absent.to_string().contains("cannot be read"), "{absent}");
    let table = Dataset::open(reference("mixed.parquet")).unwrap_err();
    assert!(table.to_string().ends_with("import the data first (umbra dataset import)"), "{table}");
    let mut newer = ENCODED.clone();
    newer[8] = 9;
    let newer = Dataset::from_bytes(Bytes::from(newer)).unwrap_err().to_string();
    assert_eq!(newer, "the data set: version 9 is not known to this version; import the data again");
    let empty = folder.path().join("empty");
    std::fs::write(&empty, b"").unwrap();
    assert!(Dataset::open(&empty).is_err());
}

#[test]
fn files_of_the_first_version_open_and_are_still_written() {
    // Written before there was a second version.
    let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    let old = std::fs::read(seeds.join("dataset/csv")).unwrap();
    assert_eq!(old[8], 1);
    let set = Dataset::from_bytes(Bytes::from(old.clone())).unwrap();
    set.verify().unwrap();
    assert!(set.normalisation().is_identity());
    let source = std::fs::read_to_string(seeds.join("import/csv")).unwrap();
    let (text, table) = source.split_once("\n---\n").unwrap();
    assert_eq!(import_csv(table.as_bytes(), &schema(text)).unwrap().bytes, old);
}
