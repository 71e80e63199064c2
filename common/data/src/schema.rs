//! The schema file: which column is what.

use std::collections::BTreeMap;

use umbra_core::document::{Document, Mistakes, Table};

use crate::limits::MAX_ATTRIBUTES;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatasetKind {
    /// A table, one record per row.
    Table,
}

/// How a column becomes numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// A number, standardised.
    Numeric,
    /// A level, one-hot.
    Categorical,
    /// Not used.
    Ignore,
}

/// A checked schema: every column has one role. Whether the columns exist is seen at import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    pub(crate) file: String,
    pub(crate) kind: DatasetKind,
    pub(crate) label: Named,
    pub(crate) unit: Option<Named>,
    pub(crate) groups: Vec<Named>,
    pub(crate) group_only: Vec<Named>,
    pub(crate) ignore: Vec<Named>,
    pub(crate) columns: Vec<(Named, ColumnKind)>,
}

/// A column's name and where the schema says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub name: String,
    pub key: String,
    pub line: u32,
}

impl Schema {
    /// Reads a schema from its text; `file` is the name that later messages use.
    ///
    /// # Errors
    /// All mistakes at once: not TOML, unknown keys, kinds that this version does not read, no label,
    /// columns with two roles.
    pub fn parse(text: &str, file: &str) -> Result<Self, Mistakes> {
        let doc = Document::parse(text)?;
        let root = doc.root();
        let kind = root.string("kind").try_map(|kind| match kind.as_str() {
            "table" => Ok(DatasetKind::Table),
            "array" | "images" | "wfdb" => {
                Err(format!("\"{kind}\" is not supported yet: this version imports tables (\"table\")"))
            }
            _ => Err(format!("\"{kind}\" is not known: use \"table\"")),
        });
        let kind = kind.required_or(DatasetKind::Table);
        let label = root.one_or_more_strings("label").try_map(|mut labels| match labels.len() {
            1 => Ok(labels.remove(0)),
            0 => Err("name the label's column"),
            _ => Err("more than one label is not supported yet: name one column"),
        });
        let label = label.check(|name| !name.is_empty(), "the name of a column is empty");
        let label = label.required_or(String::new());
        let named = |key: String, name: String| Named { line: doc.line_of(&key).unwrap_or(1), name, key };
        let list = |table: &Table<'_>, key: &str| -> Vec<Named> {
            let names = table.strings(key).or(Vec::new());
            names.into_iter().enumerate().map(|(i, name)| named(format!("{key}[{i}]"), name)).collect()
        };
        let columns = doc.table("columns");
        let kinds = [
            ("numeric", ColumnKind::Numeric),
            ("categorical", ColumnKind::Categorical),
            ("ignore", ColumnKind::Ignore),
        ];
        let overrides = columns.keys().into_iter().filter_map(|name| {
            let kind = columns.string(&name).choice(&kinds).optional()?;
            Some((named(columns.key(&name), name), kind))
        });
        let schema = Self {
            file: file.to_owned(),
            kind,
            label: named("label".to_owned(), label),
            unit: root.string("unit").optional().map(|name| named("unit".to_owned(), name)),
            groups: list(&root, "groups"),
            group_only: list(&root, "group_only"),
            ignore: list(&root, "ignore"),
            columns: overrides.collect(),
        };
        schema.check(&doc);
        doc.finish()?;
        Ok(schema)
    }

    /// What the file holds.
    pub fn kind(&self) -> DatasetKind {
        self.kind
    }

    /// The label's column.
    pub fn label(&self) -> &str {
        &self.label.name
    }

    /// The column that names units; `None` where every record is its own unit.
    pub fn unit(&self) -> Option<&str> {
        self.unit.as_ref().map(|unit| unit.name.as_str())
    }

    /// The columns that are attributes of units.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().map(|group| group.name.as_str())
    }

    /// Whether the column is not to be read.
    pub(crate) fn ignores(&self, column: &str) -> bool {
        self.ignore.iter().any(|named| named.name == column)
            || self.kind_of(column) == Some(ColumnKind::Ignore)
    }

    /// Whether the schema speaks of the column.
    pub(crate) fn names(&self, column: &str) -> bool {
        self.all_names().any(|named| named.name == column)
    }

    /// The kind that the schema gives a column.
    pub(crate) fn kind_of(&self, column: &str) -> Option<ColumnKind> {
        self.columns.iter().find(|(named, _)| named.name == column).map(|(_, kind)| *kind)
    }

    /// Every name in the schema, in the order of its roles.
    pub(crate) fn all_names(&self) -> impl Iterator<Item = &Named> {
        std::iter::once(&self.label)
            .chain(&self.unit)
            .chain(&self.groups)
            .chain(&self.ignore)
            .chain(self.columns.iter().map(|(named, _)| named))
    }

    /// Notes every column with two roles that exclude each other.
    fn check(&self, doc: &Document) {
        if self.groups.len() > MAX_ATTRIBUTES as usize {
            doc.mistake("groups", format!("more than {MAX_ATTRIBUTES} groups: name fewer"));
        }
        let mut roles: BTreeMap<&str, &Named> = BTreeMap::new();
        let ignored = self.columns.iter().filter(|(_, kind)| *kind == ColumnKind::Ignore);
        let all = std::iter::once(&self.label)
            .chain(&self.unit)
            .chain(&self.groups)
            .chain(&self.ignore)
            .chain(ignored.map(|(named, _)| named));
        for named in all {
            if named.name.is_empty() {
                // An absent or wrong label is noted already.
                if named.key != "label" {
                    doc.mistake(&named.key, "the name of a column is empty");
                }
                continue;
            }
            let first = *roles.entry(&named.name).or_insert(named);
            if first.key != named.key {
                let message = format!("\"{}\" is named by {} already: keep one", named.name, first.key);
                doc.mistake(&named.key, message);
            }
        }
        let mut seen = Vec::new();
        for named in &self.group_only {
            if !self.groups.iter().any(|group| group.name == named.name) {
                let message = format!("\"{}\" is not in groups: add it there, too", named.name);
                doc.mistake(&named.key, message);
            }
            if seen.contains(&&named.name) {
                doc.mistake(&named.key, format!("\"{}\" is named twice: keep one", named.name));
            }
            seen.push(&named.name);
        }
        for (named, kind) in &self.columns {
            if let Some(first) = roles.get(named.name.as_str())
                && *kind != ColumnKind::Ignore
                && !first.key.starts_with("groups")
            {
                let message =
                    format!("\"{}\" is named by {} already: it has no other kind", named.name, first.key);
                doc.mistake(&named.key, message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_read() {
        let text = "kind = \"table\"\nlabel = \"death\"\nunit = \"id\"\ngroups = [\"sex\", \"site\"]\n\
                    group_only = [\"site\"]\nignore = [\"hday\"]\n[columns]\nnum_co = \"numeric\"\n";
        let schema = Schema::parse(text, "S.toml").unwrap();
        assert_eq!((schema.label(), schema.unit()), ("death", Some("id")));
        assert_eq!(schema.groups().collect::<Vec<_>>(), ["sex", "site"]);
        assert_eq!(schema.ignore[0].line, 6);
        assert_eq!(schema.columns[0].1, ColumnKind::Numeric);
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let text = "kind = \"images\"\nlabel = [\"a\", \"b\"]\nunit = \"id\"\ngroups = [\"id\", \"x\", \"x\"]\n\
                    group_only = [\"y\"]\nignore = [\"\"]\ngroup = 1\n[columns]\nid = \"numeric\"\nx = \"number\"\n";
        let mistakes = Schema::parse(text, "S.toml").unwrap_err().in_file("S.toml").to_string();
        let expected = "\
            S.toml:1: kind: \"images\" is not supported yet: this version imports tables (\"table\")\n\
            S.toml:2: label: more than one label is not supported yet: name one column\n\
            S.toml:4: groups[0]: \"id\" is named by unit already: keep one\n\
            S.toml:4: groups[2]: \"x\" is named by groups[1] already: keep one\n\
            S.toml:5: group_only[0]: \"y\" is not in groups: add it there, too\n\
            S.toml:6: ignore[0]: the name of a column is empty\n\
            S.toml:7: group: unknown key; known here: columns, group_only, groups, ignore, kind, label, unit\n\
            S.toml:9: columns.id: \"id\" is named by unit already: it has no other kind\n\
            S.toml:10: columns.x: \"number\" is not known; use one of numeric, categorical, ignore";
        for (found, expected) in mistakes.lines().zip(expected.lines()) {
            assert_eq!(found, expected);
        }
        assert_eq!(mistakes.lines().count(), expected.lines().count());
        let absent = Schema::parse("", "S.toml").unwrap_err().to_string();
        assert_eq!(absent, "line 1: kind: missing\nline 1: label: missing");
    }
}
