//! Schemas as people write them.

use super::*;

#[test]
fn the_example_is_read() {
    let text = "kind = \"table\"\nlabel = \"death\"\nunit = \"id\"\ngroups = [\"sex\", \"site\"]\n\
                group_only = [\"site\"]\nignore = [\"hday\"]\n[columns]\nnum_co = \"numeric\"\n";
    let schema = Schema::parse(text, "S.toml").unwrap();
    assert_eq!(schema.labels().collect::<Vec<_>>(), ["death"]);
    assert_eq!(schema.unit(), Some("id"));
    assert_eq!(schema.groups().collect::<Vec<_>>(), ["sex", "site"]);
    assert_eq!(schema.ignore[0].line, 6);
    assert_eq!(schema.columns[0].1, ColumnKind::Numeric);
}

#[test]
fn every_mistake_is_named_at_once() {
    let text = "kind = \"tables\"\nlabel = []\nunit = \"id\"\ngroups = [\"id\", \"x\", \"x\"]\n\
                group_only = [\"y\"]\nignore = [\"\"]\ngroup = 1\n[columns]\nid = \"numeric\"\nx = \"number\"\n";
    let mistakes = Schema::parse(text, "S.toml").unwrap_err().in_file("S.toml").to_string();
    let expected = "\
        S.toml:1: kind: \"tables\" is not known; did you mean \"table\"?\n\
        S.toml:2: label: name the label's column\n\
        S.toml:4: groups[0]: \"id\" is named by unit already: keep one\n\
        S.toml:4: groups[2]: \"x\" is named by groups[1] already: keep one\n\
        S.toml:5: group_only[0]: \"y\" is not in groups: add it there, too\n\
        S.toml:6: ignore[0]: the name of a column is empty\n\
        S.toml:7: group: unknown key; known here: attributes, channel_names, channels, columns, data, folder, group_only, groups, ignore, kind, label, layout, leads, normalize, path, samples, size, unit\n\
        S.toml:9: columns.id: \"id\" is named by unit already: it has no other kind\n\
        S.toml:10: columns.x: \"number\" is not known; use one of numeric, categorical, ignore";
    for (found, expected) in mistakes.lines().zip(expected.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(mistakes.lines().count(), expected.lines().count());
    let absent = Schema::parse("", "S.toml").unwrap_err().to_string();
    assert_eq!(absent, "line 1: kind: missing\nline 1: label: missing");
}

#[test]
fn every_kind_has_its_own_keys() {
    let array = "kind = \"array\"\ndata = \"signal\"\nlayout = \"CT\"\nlabel = [\"a\", \"b\"]\n\
                 attributes = \"x.parquet\"\nnormalize = [0, 1, 2.5, 3]\nchannel_names = [\"I\", \"II\"]\n";
    let schema = Schema::parse(array, "S.toml").unwrap();
    let Source::Array(keys) = &schema.source else { panic!("{schema:?}") };
    assert_eq!((keys.data.name.as_str(), keys.layout), ("signal", Some(AxisOrder::Ct)));
    let pairs = vec![(0.0, 1.0), (2.5, 3.0)];
    assert_eq!(keys.normalize, Normalize::Given { pairs, key: "normalize".to_owned(), line: 6 });
    assert_eq!(schema.labels().collect::<Vec<_>>(), ["a", "b"]);
    let plain = Schema::parse("kind = \"array\"\n", "S.toml").unwrap();
    assert_eq!(plain.labels().collect::<Vec<_>>(), ["labels"]);
    let images = "kind = \"images\"\nlabel = \"y\"\nsize = [64, 32]\nchannels = 1\nnormalize = \"scale\"\n";
    let Source::Images(keys) = Schema::parse(images, "S.toml").unwrap().source else { panic!() };
    assert_eq!((keys.size, keys.channels, keys.normalize), (Some((64, 32)), Some(1), Normalize::Scale));
    let wrong = "kind = \"wfdb\"\nlabel = \"y\"\npath = \"y\"\nsamples = 0\nsize = [1, 1]\nnormalize = [1]\nignore = []\n";
    let mistakes = Schema::parse(wrong, "S.toml").unwrap_err().in_file("S.toml").to_string();
    let starts = [
        "S.toml:2: label: \"y\" is named by path already: keep one",
        "S.toml:4: samples: at least 1, and not absurd",
        "S.toml:5: size: unknown key",
        "S.toml:6: normalize: give mean and standard deviation, above 0, in stored numbers",
        "S.toml:7: ignore: unknown key",
    ];
    assert_eq!(mistakes.lines().count(), starts.len(), "{mistakes}");
    for (line, start) in mistakes.lines().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
}
