//! From a text to an audit file.

use std::path::Path;

use super::AuditFile;
use super::keys::{Said, read};
use crate::exit::Failure;

impl AuditFile {
    /// Checks a text. `file` is what messages call it, paths in it are relative to `base`, and `wrong_with`
    /// says what is wrong with a file it names.
    pub(super) fn parse(
        text: &str,
        file: &str,
        base: &Path,
        wrong_with: &dyn Fn(&Path) -> Option<String>,
    ) -> Result<Self, Failure> {
        let said = read(text, base, wrong_with);
        let Said { document, draft, source } =
            said.map_err(|mistakes| Failure::usage(mistakes.in_file(file).to_string()))?;
        Ok(Self { file: file.to_owned(), document, draft, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit_file::{Source, TableFiles};
    use crate::exit::Exit;

    const GOOD: &str = "name = \"support2-mlp\"\nseed = 7\n[dataset]\npath = \"../d.parquet\"\n\
        schema = \"../d.toml\"\n[model]\narchitecture = \"mlp\"\nwidths = [256, 256]\n[training]\n\
        learning_rate = 0.05\nbatch = 256\nepochs = 40\n[shadows]\ncount = 64\nblock = 16\n\
        population = 0.0\n[queries]\nviews = 1\n[statistics]\nattacks = [\"lira-online\", \"global\"]\n\
        variance = \"per-record\"\nfdr = 0.05\nlooks = 2\ndelta = 1e-6\nintersections = [[\"sex\", \"race\"]]\n[placement]\npack = 4\ncheckpoint_steps = 500\npriority = -5\nweight = 3\nmax_slots = 8\nkeep_weights = true\n";

    fn parse(text: &str) -> Result<AuditFile, Failure> {
        AuditFile::parse(text, "A.toml", Path::new("audits"), &|_| None)
    }

    fn mistakes(text: &str) -> String {
        let failure = parse(text).unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
        failure.to_string()
    }

    /// docs/recipe.md: its least file is one, and every key that is read has a row.
    #[test]
    fn the_page_about_audit_files_is_complete() {
        let (source, page) = (include_str!("keys.rs"), include_str!("../../../docs/recipe.md"));
        let least = page.split("```").nth(1).and_then(|block| block.strip_prefix("toml\n")).unwrap();
        parse(least).unwrap();
        let is_key = |key: &&str| {
            !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
        };
        let keys = source
            .split("(\"")
            .skip(1)
            .filter_map(|rest| rest.split_once('"'))
            .map(|pair| pair.0)
            .filter(is_key);
        let keys: Vec<&str> = keys.collect();
        assert!(keys.contains(&"rotate") && keys.len() > 50, "{keys:?}");
        for key in keys {
            assert!(page.contains(&format!("`{key}`")) || page.contains(&format!("`[{key}]`")), "{key}");
        }
    }

    #[test]
    fn every_key_reaches_the_specification() {
        let file = parse(GOOD).unwrap();
        let table = TableFiles { path: "audits/../d.parquet".into(), schema: "audits/../d.toml".into() };
        assert_eq!(file.source(), &Source::Table(table));
        let draft = file.spec("d-12345678").unwrap().to_draft();
        assert_eq!(
            (draft.name.as_str(), draft.seed, draft.dataset.as_str()),
            ("support2-mlp", 7, "d-12345678")
        );
        assert_eq!(draft.model.widths, [256, 256]);
        assert_eq!((draft.training.batch, draft.training.epochs), (Some(256), Some(40)));
        assert_eq!((draft.shadows.count, draft.shadows.block), (Some(64), Some(16)));
        assert_eq!((draft.placement.pack, draft.placement.checkpoint_steps), (Some(4), Some(500)));
        let placement = &draft.placement;
        assert_eq!((placement.priority, placement.weight, placement.max_slots), (Some(-5), Some(3), Some(8)));
        assert_eq!(placement.keep_weights, Some(true));
        assert_eq!((draft.statistics.fdr, draft.statistics.looks), (Some(0.05), Some(2)));
        assert_eq!(draft.statistics.delta, Some(1e-6));
        assert_eq!(draft.statistics.intersections, Some(vec![vec!["sex".to_owned(), "race".to_owned()]]));
    }

    #[test]
    fn an_imported_data_set_is_named() {
        let text = GOOD.replace("path = \"../d.parquet\"\nschema = \"../d.toml\"", "name = \"icu\"");
        assert_eq!(parse(&text).unwrap().source(), &Source::Named("icu".into()));
    }

    #[test]
    fn all_mistakes_come_at_once_with_their_lines() {
        let text = "name = \"No Good\"\n[dataset]\nname = \"icu\"\npath = \"x\"\n[model]\n\
            architecture = \"mpl\"\nwidths = [\"a\"]\n[training]\nlearning_rate = -1\nbatch = \"x\"\n\
            epoch = 4\nmomentum = 2\n[shadows]\ncount = 12\nblock = 9\n[queries]\nviews = 2\n\
            [statistics]\nattacks = 3\nvariance = \"none\"\nfdr = 0\n[placement]\npack = 0\n[extra]\n";
        let expected = "\
            A.toml:1: seed: missing\n\
            A.toml:1: name: the audit name \"No Good\" is not valid: use 1 to 63 of a-z, 0-9 and -, starting \
            with a letter or digit\n\
            A.toml:3: dataset.name: give the name of an imported data set, or path and schema, not both\n\
            A.toml:6: model.architecture: \"mpl\" is not known: use one of logistic, mlp, tab-resnet, cnn, \
            wrn, resnet1d\n\
            A.toml:7: model.widths[0]: \"a\" is not a whole number from 0 to 4294967295\n\
            A.toml:8: training.epochs: missing\n\
            A.toml:9: training.learning_rate: -1 is out of range: use 0.000000001 to 1000\n\
            A.toml:10: training.batch: \"x\" is not a whole number from 0 to 4294967295\n\
            A.toml:11: training.epoch: unknown key; did you mean \"epochs\"?\n\
            A.toml:12: training.momentum: 2 is out of range: use 0 to 0.9999\n\
            A.toml:15: shadows.block: 9 must be even and divide count = 12\n\
            A.toml:17: queries.views: [augment] makes all views but the first and is empty: fill it in or use 1, not \
            2\n\
            A.toml:19: statistics.attacks: 3 is not a list\n\
            A.toml:20: statistics.variance: \"none\" is not known: use one of per-record, pooled, shrunk, \
            reference\n\
            A.toml:21: statistics.fdr: 0 is out of range: use 0.0001 to 0.5\n\
            A.toml:23: placement.pack: 0 is out of range: use 1 to 64\n\
            A.toml:24: extra: unknown key; known here: augment, dataset, model, name, placement, queries, seed, shadows, \
            statistics, training";
        let found = mistakes(text);
        for (found, expected) in found.lines().zip(expected.lines()) {
            assert_eq!(found, expected);
        }
        assert_eq!(found.lines().count(), expected.lines().count());
    }

    #[test]
    fn a_data_set_needs_both_files_and_they_must_exist() {
        let schema_only = GOOD.replace("path = \"../d.parquet\"\n", "");
        assert_eq!(
            mistakes(&schema_only),
            "A.toml:3: dataset.path: missing: name the file of the data that belongs to schema"
        );
        let none = GOOD.replace("path = \"../d.parquet\"\nschema = \"../d.toml\"\n", "");
        assert!(mistakes(&none).starts_with("A.toml:3: dataset: missing: give path and schema"));
        let gone = AuditFile::parse(GOOD, "A.toml", Path::new("audits"), &|path| {
            Some(format!("cannot read {}", path.display()))
        });
        assert_eq!(
            gone.unwrap_err().to_string(),
            "A.toml:4: dataset.path: cannot read audits/../d.parquet\n\
             A.toml:5: dataset.schema: cannot read audits/../d.toml"
        );
    }

    #[test]
    fn text_that_is_no_toml_and_bad_utf8_are_refused() {
        assert!(mistakes("name = \n").starts_with("A.toml:1: "));
        assert!(mistakes("").contains("A.toml:1: training.batch: missing"));
    }

    #[test]
    fn refusals_of_a_coordinator_find_their_line() {
        let file = parse(GOOD).unwrap();
        let violation = |field: &str, message: &str| umbra_core::spec::Violation {
            field: field.into(),
            message: message.into(),
        };
        let refused = file.refused(&[
            violation("training.batch", "256 is more than the 12 records"),
            violation("training.momentum", "not today"),
        ]);
        assert_eq!(
            refused.to_string(),
            "A.toml:9: training.momentum: not today\n\
             A.toml:11: training.batch: 256 is more than the 12 records"
        );
    }
}
