//! Every kind of bad table, and the sentence that says so.

use umbra_data::{ImportError, import};

use crate::{import_csv, reference, schema};

const PLAIN: &str = "kind = \"table\"\nlabel = \"y\"\nunit = \"u\"\n";

/// The refusals of a CSV text, without the file's name.
fn refused(text: &str, schema_text: &str) -> Vec<String> {
    let error = import_csv(text.as_bytes(), &schema(schema_text)).map(|set| set.shape).unwrap_err();
    let ImportError::Refused(refusals) = &error else { panic!("{error}") };
    assert_eq!(refusals.count(), error.to_string().lines().count());
    let strip = |line: &str| {
        let (file, rest) = line.split_once(": ").unwrap();
        assert!(file.ends_with("t.csv") || file.starts_with("S.toml:"), "{line}");
        if file.starts_with("S.toml") { line.to_owned() } else { rest.to_owned() }
    };
    error.to_string().lines().map(strip).collect()
}

#[track_caller]
fn assert_refused(text: &str, schema_text: &str, expected: &[&str]) {
    assert_eq!(refused(text, schema_text), expected);
}

#[test]
fn labels_and_units_must_be_there() {
    let expected = [
        "column \"y\", row 2: the label is missing (and 1 more row): fill it in, or drop the row",
        "column \"u\", row 3: the unit is missing: fill it in or drop the row, or leave `unit` out of the \
         schema if every row is its own unit",
    ];
    assert_refused("u,x,y\n1,1,a\n2,2,\n,3,b\n4,4, \n", PLAIN, &expected);
    let one = "column \"y\": every row has the label \"a\": an audit needs at least two classes, name another column";
    assert_refused("u,x,y\n1,1,a\n2,2,a\n", PLAIN, &[one]);
}

#[test]
fn unknown_columns_are_named_with_what_was_meant() {
    let text = format!("{PLAIN}groups = [\"sx\"]\nignore = [\"entirely\"]\n[columns]\nag = \"numeric\"\n");
    let found = refused("u,sex,age,y\n1,m,1,a\n2,f,2,b\n", &text);
    let endings = [
        "t.csv has no column \"sx\"; did you mean \"sex\"?",
        "t.csv has no column \"entirely\"; it has age, sex, u, y",
        "t.csv has no column \"ag\"; did you mean \"age\"?",
    ];
    let starts = ["S.toml:4: groups[0]: ", "S.toml:5: ignore[0]: ", "S.toml:7: columns.ag: "];
    assert_eq!(found.len(), 3);
    for ((line, start), end) in found.iter().zip(starts).zip(endings) {
        assert!(line.starts_with(start) && line.ends_with(end), "{line}");
    }
    let found = refused("u,x\n1,1\n", PLAIN);
    assert!(found[0].starts_with("S.toml:2: label: ") && found.len() == 1, "{found:?}");
}

#[test]
fn text_among_numbers_is_refused() {
    let numeric = format!("{PLAIN}[columns]\nx = \"numeric\"\n");
    let declared = "column \"x\", row 2: \"high\" is not a number (and 1 more row): mend the cell, leave it empty \
                    if it is missing, or declare the column \"categorical\"";
    assert_refused("u,x,y\n1,1,a\n2,high,b\n3,low,b\n", &numeric, &[declared]);
    let inferred = "column \"x\", row 3: \"NA\" is not a number, but most cells are (1 cell of 3): leave cells \
                    empty where they are missing, or declare the column \"categorical\" under [columns]";
    assert_refused("u,x,y\n1,1,a\n2,2,b\n3,NA,b\n", PLAIN, &[inferred]);
    let nan = refused("u,x,y\n1,1,a\n2,2,b\n3,NaN,b\n", &numeric);
    assert!(nan[0].starts_with("column \"x\", row 3: \"NaN\" is not a number"), "{nan:?}");
    let categorical = format!("{PLAIN}[columns]\nx = \"categorical\"\n");
    assert!(import_csv(b"u,x,y\n1,1,a\n2,2,b\n3,NA,b\n", &schema(&categorical)).is_ok());
}

/// What most records of a unit say, whatever their order; a missing cell counts where there is nothing else.
#[test]
fn groups_are_one_per_unit() {
    let text = format!("{PLAIN}groups = [\"sex\"]\n");
    // Units 1 (f, m, m), 2 (m, f), 3 (missing, m), 4 (missing); m is the first by place, f by name.
    let rows = ["1,f,3,a", "1,m,1,a", "1,m,2,b", "2,m,4,b", "2,f,5,b", "3,,6,a", "3,m,7,b", "4,,8,b"];
    for rows in [rows.to_vec(), rows.iter().rev().copied().collect()] {
        let table = format!("u,sex,x,y\n{}\n", rows.join("\n"));
        let set = import_csv(table.as_bytes(), &schema(&text)).unwrap();
        let attribute = &crate::open(&set).attributes()[0];
        let names: Vec<Option<&str>> = attribute
            .values
            .iter()
            .map(|value| value.map(|code| attribute.levels[code as usize].as_str()))
            .collect();
        assert_eq!(names, [Some("m"), Some("f"), Some("m"), None]);
        let expected = "group \"sex\": 2 of 4 units have several values; each counts as what most of its records \
                        say, of equally many the first by name";
        assert_eq!(set.warnings, [expected]);
    }
}

#[test]
fn the_shape_of_the_file_is_checked() {
    let ragged = [
        "row 1: 2 fields where the header names 3: check commas and quotes",
        "row 2: 4 fields where the header names 3: check commas and quotes",
    ];
    assert_refused("u,x,y\n1,1\n2,2,b,3\n3,3,b\n", PLAIN, &ragged);
    assert_refused(
        "u;x;y\n1;1;a\n",
        PLAIN,
        &["the first line has no comma: save the file with commas between the columns"],
    );
    assert_refused("", PLAIN, &["the file is empty"]);
    assert_refused("u,x,y\n", PLAIN, &["the table has no rows"]);
    assert_refused(
        "u,y,x,x\n1,a,1,1\n2,b,2,2\n",
        PLAIN,
        &["column \"x\": two columns have this name: rename one"],
    );
    assert_refused("u,x,,y\n1,1,1,a\n2,2,2,b\n", PLAIN, &["column 3 has no name: name it in the first line"]);
    assert_refused("u,y\n1,a\n2,b\n", PLAIN, &["no column is left as a feature: ignore fewer columns"]);
    assert_refused(
        "u,x,y\n1,1,a\n2,1,b\n",
        PLAIN,
        &["every column is alike in all rows: there is nothing to learn from"],
    );
    let latin =
        import_csv(b"u,x,y\n1,m\xfcller,a\n2,b,b\n", &schema(PLAIN)).map(|set| set.shape).unwrap_err();
    assert!(
        latin.to_string().ends_with("column \"x\", row 1: the text is not UTF-8: save the file as UTF-8"),
        "{latin}"
    );
    let packed = import_csv(b"\x1f\x8b\x08\x00", &schema(PLAIN)).map(|set| set.shape).unwrap_err();
    assert!(packed.to_string().ends_with("the file is compressed: unpack it first"), "{packed}");
}

#[test]
fn absurd_columns_are_refused() {
    let mut text = "u,x,huge,y\n".to_owned();
    for i in 0..1001 {
        text.push_str(&format!("{i},level {i},{},{}\n", if i == 0 { "1e308" } else { "-1e308" }, i % 2));
    }
    let levels = "column \"x\": a categorical column has 1001 levels, more than 1000: ignore the column, or \
                  declare it \"numeric\" under [columns]";
    assert_refused(&text, PLAIN, &[levels]);
    let ignored = format!("{PLAIN}ignore = [\"x\"]\n");
    let huge = "column \"huge\": its numbers are too large to be standardised: ignore the column";
    assert_refused(&text, &ignored, &[huge]);
    let label = "kind = \"table\"\nlabel = \"x\"\nunit = \"u\"\n";
    let classes = "column \"x\": the label has 1001 levels, more than 1000: a label has few classes: name another \
                   column, or join classes";
    assert_refused(&text, label, &[classes]);
    let long = format!("u,x,y\n1,{},a\n2,b,b\n", "x".repeat(1025));
    let longest = "column \"x\", row 1: a text longer than 1024 bytes: shorten it, or ignore the column";
    assert_refused(&long, PLAIN, &[longest]);
}

#[test]
fn very_many_mistakes_are_counted() {
    let rows: String = (0..60).map(|_| "1,2\n").collect();
    let error =
        import_csv(format!("u,x,y\n{rows}").as_bytes(), &schema(PLAIN)).map(|set| set.shape).unwrap_err();
    assert_eq!(error.to_string().lines().count(), 51);
    assert!(error.to_string().ends_with("\nand 10 more"), "{error}");
}

#[test]
fn parquet_columns_that_cannot_be_features_are_refused() {
    let path = reference("refused.parquet");
    let text = "kind = \"table\"\nlabel = \"y\"\n";
    let error = import(&path, &schema(text)).map(|set| set.shape).unwrap_err().to_string();
    let start = format!("{}: column ", path.display());
    let found: Vec<_> = error.lines().map(|line| line.strip_prefix(&start).unwrap()).collect();
    let time = "dates and times are not numbers: turn them into days or hours, or ignore it";
    let expected = [
        format!("\"when\": {time}"),
        format!("\"day\": {time}"),
        "\"list\": a list or structure: flatten it, or ignore the column".to_owned(),
        "\"record\": a list or structure: flatten it, or ignore the column".to_owned(),
        "\"price\": decimal numbers of fixed point: save it as double, or ignore it".to_owned(),
        "\"half\": half-precision numbers: save it as float, or ignore it".to_owned(),
        "\"bytes\", row 1: the bytes are not UTF-8 text: save the column as text, or ignore it (and 1 more row)"
            .to_owned(),
        "\"huge\", row 2: a whole number above 9223372036854775807: save the column as text".to_owned(),
        "\"nan\", row 2: NaN or infinity is not a number: leave the cell null if it is missing (and 1 more row)"
            .to_owned(),
    ];
    assert_eq!(found, expected);
    let ignored = format!(
        "{text}ignore = [\"when\", \"day\", \"list\", \"record\", \"price\", \"half\", \"bytes\", \"huge\", \"nan\"]\n"
    );
    assert_eq!(import(&path, &schema(&ignored)).unwrap().shape.features, 1);
    let gzip = import(reference("gzip.parquet"), &schema(text)).map(|set| set.shape).unwrap_err().to_string();
    let sentence = "\"fine\": compressed with GZIP, which is not read: write the file with snappy or zstd";
    assert!(gzip.ends_with(sentence), "{gzip}");
}

#[test]
fn damaged_and_foreign_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refuse = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        import(&path, &schema(PLAIN)).map(|set| set.shape).unwrap_err().to_string()
    };
    let whole = std::fs::read(reference("mixed.parquet")).unwrap();
    let cut = refuse("cut.parquet", &whole[..whole.len() / 2]);
    assert!(cut.contains("cut.parquet: the file is damaged or cut short: fetch or write it again"), "{cut}");
    assert!(refuse("t.parquet", b"hello").ends_with("not a Parquet file: it does not begin with PAR1"));
    assert!(
        refuse("t.xlsx", b"hello")
            .ends_with("neither a Parquet file nor named .csv: save the table as one of them")
    );
    let folder_error = import(folder.path(), &schema(PLAIN)).map(|set| set.shape).unwrap_err().to_string();
    assert!(folder_error.ends_with("this is not a file: name a Parquet or CSV file"), "{folder_error}");
    let absent = import(folder.path().join("absent.csv"), &schema(PLAIN)).map(|set| set.shape).unwrap_err();
    assert!(matches!(absent, ImportError::Io { .. }), "{absent}");
}

#[test]
fn what_a_person_should_look_at_is_a_warning() {
    let text = "u,x,one,void,half,y\n1,1,5,,2,a\n2,1,5,,2,a\n3,2,5,,,b\n";
    let set = import_csv(text.as_bytes(), &schema(PLAIN)).unwrap();
    let expected = [
        "column \"one\" has the same value in every row: it is dropped",
        "column \"void\" is dropped: it is missing in every row",
        "column \"half\" has the same value in every row: only its missing indicator is kept",
        "2 records have exactly the features and label of a record of another unit: perhaps the same patient \
         under two names; check the unit column",
    ];
    assert_eq!(set.warnings, expected);
    assert_eq!(crate::open(&set).feature_names(), ["x", "half missing"]);
}

#[test]
fn identifiers_keep_their_text() {
    // Leading zeros and long digits are codes; whole floating-point numbers are whole numbers.
    let set = import_csv(b"u,x,y\n007,1,a\n7,2,b\n99999999999999999999,3,b\n", &schema(PLAIN)).unwrap();
    assert_eq!(crate::open(&set).unit_names().collect::<Vec<_>>(), ["007", "7", "99999999999999999999"]);
    let set = import_csv(b"u,x,y\n1.0,1,a\n10.0,2,b\n9.0,3,b\n", &schema(PLAIN)).unwrap();
    assert_eq!(crate::open(&set).unit_names().collect::<Vec<_>>(), ["1", "9", "10"]);
    let inexact = refused("u,x,y\n1.5,1,a\n12345678901234567.0,2,b\n", PLAIN);
    assert!(inexact[0].contains("row 2: an identifier stored as a floating-point number"), "{inexact:?}");
}
