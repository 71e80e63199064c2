//! The same table from Parquet, from CSV and in another order is the same data set (`reference/fixtures.py`).

use umbra_data::{Encoding, import};

use crate::{open, reference, schema};

const MIXED: &str = "kind = \"table\"\nlabel = \"outcome\"\nunit = \"patient\"\n\
                     groups = [\"site\", \"insurer\"]\ngroup_only = [\"site\"]\n[columns]\ntriage = \"categorical\"\n";

#[test]
fn parquet_csv_and_shuffled_rows_give_one_digest() {
    let schema = schema(MIXED);
    let sets: Vec<_> = ["mixed.parquet", "mixed.csv", "mixed-shuffled.parquet"]
        .iter()
        .map(|name| import(reference(name), &schema).unwrap())
        .collect();
    assert_eq!(sets[0].digest, sets[1].digest);
    assert_eq!(sets[0].digest, sets[2].digest);
    assert_eq!(sets[0].bytes, sets[1].bytes);
    assert_ne!(sets[0].bytes, sets[2].bytes, "source rows differ");
    assert_eq!(open(&sets[0]).features(), open(&sets[2]).features());
}

#[test]
fn every_kind_of_column_is_encoded() {
    let set = open(&import(reference("mixed.parquet"), &schema(MIXED)).unwrap());
    let names: Vec<_> = set.feature_names().iter().map(String::as_str).collect();
    let expected = [
        "age",
        "age missing",
        "weight",
        "visits",
        "visits missing",
        "stay",
        "stay missing",
        "smoker",
        "ward=icu",
        "ward=the \"old\" wing",
        "ward=two\nlines",
        "ward=ward, east",
        "postcode=00700",
        "postcode=01234",
        "postcode=13579",
        "triage=-2",
        "triage=-1",
        "triage=0",
        "triage=1",
        "triage=2",
        "insurer=plan 0",
        "insurer=plan 1",
        "insurer=plan 2",
        "insurer missing",
    ];
    assert_eq!(names, expected);
    assert_eq!(set.class_names(), ["alive", "dead"]);
    let attributes = set.attributes();
    assert_eq!(attributes[0].levels, ["0", "1", "2"]);
    // Patients 0, 5 and 10 have no insurer; not all of them came.
    for (unit, value) in attributes[1].values.iter().enumerate() {
        let patient: u32 = set.unit_name(unit as u32)[1..].parse().unwrap();
        assert_eq!(value.is_none(), patient.is_multiple_of(5), "{patient}");
    }
    let description = set.description();
    let Encoding::Numeric { indicator, .. } = description.columns[1].encoding else { panic!("weight") };
    assert!(!indicator);
}

#[test]
fn an_index_is_a_column_only_where_the_schema_names_it() {
    let text =
        "kind = \"table\"\nlabel = \"outcome\"\nunit = \"__index_level_0__\"\nignore = [\"patient\"]\n";
    let set = open(&import(reference("mixed-shuffled.parquet"), &schema(text)).unwrap());
    assert_eq!(set.shape().units, 40);
    assert!(set.feature_names().iter().all(|name| !name.contains("index")));
}
