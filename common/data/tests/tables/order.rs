//! The order of rows changes nothing but the source rows.

use proptest::prelude::*;
use umbra_data::Dataset;

use crate::{import_csv, open, schema};

/// Rows of a small table: unit, attribute, number, category, label; few values, so that ties abound.
fn rows() -> impl Strategy<Value = Vec<[String; 4]>> {
    let unit = (0u32..6).prop_map(|unit| unit.to_string());
    let number = prop_oneof![Just(String::new()), (0u32..4).prop_map(|n| (f64::from(n) / 4.0).to_string())];
    let level = prop_oneof![Just(String::new()), Just("x".to_owned()), Just("\"y, z\"".to_owned())];
    let label = (0u32..2).prop_map(|label| label.to_string());
    let row =
        (unit, number, level, label).prop_map(|(unit, number, level, label)| [unit, number, level, label]);
    prop::collection::vec(row, 4..24)
}

fn csv(rows: &[[String; 4]]) -> Vec<u8> {
    let lines = rows.iter().map(|[unit, number, level, label]| {
        let site = if unit.as_str() < "3" { "a" } else { "b" };
        format!("{unit},{number},{level},{site},{label}\n")
    });
    let mut text = "unit,number,level,site,label\n".to_owned();
    text.extend(lines);
    text.into_bytes()
}

fn content(set: &Dataset) -> impl PartialEq + std::fmt::Debug {
    let features: Vec<u32> = set.features().iter().map(|value| value.to_bits()).collect();
    let units: Vec<String> = set.unit_names().map(str::to_owned).collect();
    let attributes = set.attributes();
    (features, set.labels().classes().map(<[u32]>::to_vec), set.record_units().to_vec(), units, attributes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn shuffled_rows_are_the_same_set(rows in rows(), order in any::<[u64; 24]>(), with_unit in any::<bool>()) {
        let schema = schema(if with_unit {
            "kind = \"table\"\nlabel = \"label\"\nunit = \"unit\"\ngroups = [\"site\"]\n"
        } else {
            "kind = \"table\"\nlabel = \"label\"\nignore = [\"unit\"]\ngroups = [\"site\"]\ngroup_only = [\"site\"]\n"
        });
        let mut places: Vec<usize> = (0..rows.len()).collect();
        places.sort_by_key(|&place| order[place]);
        let shuffled: Vec<_> = places.iter().map(|&place| rows[place].clone()).collect();
        match (import_csv(&csv(&rows), &schema), import_csv(&csv(&shuffled), &schema)) {
            (Ok(one), Ok(other)) => {
                prop_assert_eq!(one.digest, other.digest);
                prop_assert_eq!(&one.warnings, &other.warnings);
                let (one, other) = (open(&one), open(&other));
                prop_assert_eq!(content(&one), content(&other));
                // Rows of the same content may change places; an ignored unit is no content.
                let first = usize::from(!with_unit);
                for (&row, &moved) in one.source_rows().iter().zip(other.source_rows()) {
                    prop_assert_eq!(&rows[row as usize][first..], &shuffled[moved as usize][first..]);
                }
            }
            (Err(_), Err(_)) => {}
            (one, other) => prop_assert!(false, "{one:?} {other:?}"),
        }
    }
}

#[test]
fn records_without_units_are_named_by_content() {
    let schema = schema("kind = \"table\"\nlabel = \"y\"\n");
    let one = open(&import_csv(b"x,y\n1,a\n2,b\n1,a\n", &schema).unwrap());
    let more = open(&import_csv(b"x,y\n9,b\n1,a\n1,a\n2,b\n", &schema).unwrap());
    let names: Vec<_> = one.unit_names().collect();
    assert_eq!(names.len(), 3);
    assert_eq!(names.iter().filter(|name| name.ends_with("-2")).count(), 1);
    // Appended and moved rows keep the others' names, and with them their membership.
    assert!(names.iter().all(|name| more.unit_names().any(|other| other == *name)), "{names:?}");
}

#[test]
fn other_content_is_another_set() {
    let schema = schema("kind = \"table\"\nlabel = \"y\"\nunit = \"u\"\n");
    let table = b"u,x,y\n1,1,a\n2,2,b\n3,4,b\n";
    let digest = |text: &[u8]| import_csv(text, &schema).unwrap().digest;
    let changed: [&[u8]; 4] = [
        b"u,x,y\n1,1,a\n2,2,b\n3,5,b\n",
        b"u,x,y\n1,1,a\n2,2,a\n3,4,b\n",
        b"u,x,y\n1,1,a\n2,2,b\n4,4,b\n",
        b"u,z,y\n1,1,a\n2,2,b\n3,4,b\n",
    ];
    for text in changed {
        assert_ne!(digest(table), digest(text));
    }
}
