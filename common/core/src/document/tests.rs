use super::*;

#[test]
fn all_mistakes_come_at_once_with_line_and_key() {
    let text = "name = 3\nlabel = \"y\"\n\n[training]\noptimizer = \"sdg\"\nwidths = [1, -2, \"x\"]\n\
                rate = nan\nmomentun = 0.9\nflag = true\n\n[training.deep]\nx = 1\n\n[stray]\na = 1\n";
    let doc = Document::parse(text).unwrap();
    let root = doc.root();
    assert_eq!(root.string("name").optional(), None);
    assert_eq!(root.one_or_more_strings("label").optional(), Some(vec!["y".to_owned()]));
    assert_eq!(root.u64("seed").required_or(7), 7);
    let training = doc.table("training");
    assert_eq!(training.string("optimizer").choice(&[("sgd", 1), ("adamw", 2)]).optional(), None);
    assert_eq!(training.u32s("widths").optional(), None);
    assert_eq!(training.f64("rate").or(0.1), 0.1);
    assert_eq!(training.f64("momentum").or(0.9), 0.9);
    assert_eq!(training.bool("flag").optional(), Some(true));
    assert_eq!(training.u64("epochs").required(), None);
    let deep = training.table("deep");
    assert_eq!(deep.u64("x").check(|&x| x > 1, "1 is too small: use 2 or more").optional(), None);
    doc.mistake("training.widths", "too deep");
    let expected = "\
        A.toml:1: name: 3 is not a string\n\
        A.toml:1: seed: missing\n\
        A.toml:4: training.epochs: missing\n\
        A.toml:5: training.optimizer: \"sdg\" is not known; did you mean \"sgd\"?\n\
        A.toml:6: training.widths[1]: -2 is not a whole number from 0 to 4294967295\n\
        A.toml:6: training.widths[2]: \"x\" is not a whole number from 0 to 4294967295\n\
        A.toml:6: training.widths: too deep\n\
        A.toml:7: training.rate: NaN is not a finite number\n\
        A.toml:8: training.momentun: unknown key; did you mean \"momentum\"?\n\
        A.toml:12: training.deep.x: 1 is too small: use 2 or more\n\
        A.toml:14: stray: unknown key; known here: label, name, seed, training";
    assert_eq!(doc.finish().unwrap_err().in_file("A.toml").to_string(), expected);
    assert_eq!(doc.line_of("training.deep.x"), Some(12));
    assert_eq!(doc.line_of("training.learning_rate"), None);
}

#[test]
fn text_that_is_not_toml_is_refused_with_every_line() {
    let mistakes = Document::parse("a = \nb = 1\nc = [1,\n").unwrap_err();
    let lines: Vec<_> = mistakes.iter().map(|mistake| mistake.line).collect();
    assert!(lines.contains(&1) && lines.len() > 1, "{mistakes}");
    assert!(!mistakes.to_string().contains("\n\n"), "{mistakes}");
    let twice = Document::parse("a = 1\na = 2\n").unwrap_err();
    assert!(twice.to_string().starts_with("line 2: "), "{twice}");
    assert!(Document::parse(&" ".repeat(MAX_BYTES + 1)).is_err());
}

#[test]
fn free_keys_and_odd_names_keep_their_lines() {
    let doc = Document::parse("[columns]\nnum_co = \"numeric\"\n\"a.b c\" = 1\n").unwrap();
    let columns = doc.table("columns");
    assert_eq!(columns.keys(), ["a.b c", "num_co"]);
    for key in columns.keys() {
        let _ = columns.string(&key).optional();
    }
    let mistakes = doc.finish().unwrap_err();
    assert_eq!(mistakes.to_string(), "line 3: columns.\"a.b c\": 1 is not a string");
    assert!(!doc.table("absent").is_given());
    assert!(Document::parse("absent = 1").unwrap().table("absent").string("x").optional().is_none());
}

#[test]
fn a_right_document_has_no_mistakes() {
    let doc = Document::parse("a = 0x10\nb = [\"x\"]\nc = 1\n").unwrap();
    assert_eq!(doc.root().u64("a").optional(), Some(16));
    assert_eq!(doc.root().strings("b").optional(), Some(vec!["x".to_owned()]));
    assert_eq!(doc.root().f64("c").optional(), Some(1.0));
    assert_eq!(doc.root().u32("d").optional(), None);
    assert_eq!(doc.finish(), Ok(()));
}

#[test]
fn the_nearest_name_is_suggested() {
    assert_eq!(closest("paitent_id", ["patient_id", "sex"]), Some("patient_id"));
    assert_eq!(closest("Sex", ["race", "sex"]), Some("sex"));
    assert_eq!(closest("x", ["y", "z"]), None);
    assert_eq!(closest("entirely", ["different"]), None);
    assert_eq!(closest("", ["a"]), None);
}
