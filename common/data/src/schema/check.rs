//! Roles that exclude each other.

use std::collections::BTreeMap;

use umbra_core::document::Document;

use super::{ColumnKind, Named, Schema};
use crate::limits::{MAX_ATTRIBUTES, MAX_LEVELS};

impl Schema {
    /// Notes every column with two roles that exclude each other.
    pub(super) fn check(&self, doc: &Document) {
        if self.labels.len() > MAX_LEVELS {
            doc.mistake("label", format!("more than {MAX_LEVELS} labels: name fewer"));
        }
        if self.groups.len() > MAX_ATTRIBUTES as usize {
            doc.mistake("groups", format!("more than {MAX_ATTRIBUTES} groups: name fewer"));
        }
        let mut roles: BTreeMap<&str, &Named> = BTreeMap::new();
        let ignored = self.columns.iter().filter(|(_, kind)| *kind == ColumnKind::Ignore);
        let path = self.source.path();
        let all = path
            .into_iter()
            .chain(&self.labels)
            .chain(&self.unit)
            .chain(&self.groups)
            .chain(&self.ignore)
            .chain(ignored.map(|(named, _)| named));
        for named in all {
            if named.name.is_empty() {
                doc.mistake(&named.key, "the name of a column is empty");
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
