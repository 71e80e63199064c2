//! From a schema's text to a schema.

use umbra_core::document::{Document, Mistakes, Table};

use super::pieces::{ArrayKeys, AxisOrder, ImageKeys, Normalize, Source, WfdbKeys};
use super::{ColumnKind, DatasetKind, Named, Schema};
use crate::limits::{MAX_CHANNELS, MAX_FEATURES};

const KINDS: [(&str, DatasetKind); 4] = [
    ("table", DatasetKind::Table),
    ("array", DatasetKind::Array),
    ("images", DatasetKind::Images),
    ("wfdb", DatasetKind::Wfdb),
];

/// A document's keys with the lines they stand on.
struct Keys<'d> {
    doc: &'d Document,
    root: Table<'d>,
}

pub(super) fn parse(text: &str, file: &str) -> Result<Schema, Mistakes> {
    let doc = Document::parse(text)?;
    let keys = Keys { doc: &doc, root: doc.root() };
    let kind = keys.root.string("kind").choice(&KINDS).required();
    let source = match kind {
        Some(DatasetKind::Table) => Source::Table,
        None => {
            // Of an unknown kind, any key may be one of its own.
            drop((keys.array(), keys.images(), keys.wfdb()));
            Source::Table
        }
        Some(DatasetKind::Array) => Source::Array(keys.array()),
        Some(DatasetKind::Images) => Source::Images(keys.images()),
        Some(DatasetKind::Wfdb) => Source::Wfdb(keys.wfdb()),
    };
    let is_array = kind == Some(DatasetKind::Array);
    let mut schema = Schema {
        file: file.to_owned(),
        labels: keys.labels(is_array),
        source,
        unit: keys.root.string("unit").optional().map(|name| keys.named("unit", name)),
        groups: keys.list("groups"),
        group_only: Vec::new(),
        ignore: Vec::new(),
        columns: Vec::new(),
    };
    if kind.is_none_or(|kind| kind == DatasetKind::Table) {
        schema.group_only = keys.list("group_only");
        schema.ignore = keys.list("ignore");
        schema.columns = keys.columns();
    }
    schema.check(&doc);
    doc.finish()?;
    Ok(schema)
}

impl Keys<'_> {
    fn named(&self, key: impl Into<String>, name: String) -> Named {
        let key = key.into();
        Named { line: self.doc.line_of(&key).unwrap_or(1), name, key }
    }

    fn list(&self, key: &str) -> Vec<Named> {
        let names = self.root.strings(key).or(Vec::new());
        names.into_iter().enumerate().map(|(i, name)| self.named(format!("{key}[{i}]"), name)).collect()
    }

    /// The label, or several; `labels` where arrays are named as they usually are.
    fn labels(&self, is_array: bool) -> Vec<Named> {
        let given = self.root.one_or_more_strings("label");
        let given = given.check(|names| !names.is_empty(), "name the label's column");
        let given =
            if is_array { given.or(vec!["labels".to_owned()]) } else { given.required_or(Vec::new()) };
        match <[String; 1]>::try_from(given) {
            Ok([one]) if !self.root.is_list("label") => vec![self.named("label", one)],
            Ok([one]) => vec![self.named("label[0]", one)],
            Err(several) => {
                let each = |(i, name)| self.named(format!("label[{i}]"), name);
                several.into_iter().enumerate().map(each).collect()
            }
        }
    }

    fn columns(&self) -> Vec<(Named, ColumnKind)> {
        let kinds = [
            ("numeric", ColumnKind::Numeric),
            ("categorical", ColumnKind::Categorical),
            ("ignore", ColumnKind::Ignore),
        ];
        let columns = self.doc.table("columns");
        let overrides = columns.keys().into_iter().filter_map(|name| {
            let kind = columns.string(&name).choice(&kinds).optional()?;
            Some((self.named(columns.key(&name), name), kind))
        });
        overrides.collect()
    }

    fn array(&self) -> ArrayKeys {
        let data = self.root.string("data").check(|name| !name.is_empty(), "name the array of the records");
        let attributes = self.root.string("attributes");
        let attributes = attributes.check(|path| !path.is_empty(), "name a Parquet or CSV file");
        ArrayKeys {
            data: self.named("data", data.or("images".to_owned())),
            layout: self.root.string("layout").choice(&AxisOrder::ALL).optional(),
            attributes: attributes.optional().map(|path| self.named("attributes", path)),
            channel_names: self.list("channel_names"),
            normalize: self.normalize(),
        }
    }

    fn images(&self) -> ImageKeys {
        let size = self.root.u32s("size").try_map(|size| match size[..] {
            [height, width]
                if height > 0 && width > 0 && u64::from(height) * u64::from(width) * 3 <= 1 << 22 =>
            {
                Ok((height, width))
            }
            [_, _] => Err(format!("from 1 x 1 to {MAX_FEATURES} numbers an image")),
            _ => Err("give height and width, as in [224, 224]".to_owned()),
        });
        let channels = self.root.u32("channels");
        let channels = channels.check(|count| matches!(count, 1 | 3), "1 (grey) or 3 (red, green, blue)");
        ImageKeys {
            path: self.path(),
            folder: self.folder(),
            size: size.optional(),
            channels: channels.optional(),
            normalize: self.normalize(),
        }
    }

    fn wfdb(&self) -> WfdbKeys {
        let samples = self.root.u32("samples");
        let samples = samples.check(|count| (1..=MAX_FEATURES).contains(count), "at least 1, and not absurd");
        WfdbKeys {
            path: self.path(),
            folder: self.folder(),
            samples: samples.optional(),
            leads: self.list("leads"),
            normalize: self.normalize(),
        }
    }

    fn path(&self) -> Named {
        self.named("path", self.root.string("path").or("path".to_owned()))
    }

    fn folder(&self) -> Option<Named> {
        self.root.string("folder").optional().map(|name| self.named("folder", name))
    }

    fn normalize(&self) -> Normalize {
        if !self.root.is_list("normalize") {
            let words = [("standard", Word::Standard), ("none", Word::None), ("scale", Word::Scale)];
            return match self.root.string("normalize").choice(&words).or(Word::Standard) {
                Word::Standard => Normalize::Standard,
                Word::None => Normalize::None,
                Word::Scale => Normalize::Scale,
            };
        }
        let numbers = self.root.f64s("normalize").try_map(|numbers| {
            let whole = !numbers.is_empty() && numbers.len() % 2 == 0 && numbers.len() / 2 <= MAX_CHANNELS as usize;
            let pairs: Vec<_> = numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
            if whole && pairs.iter().all(|(_, sd)| *sd > 0.0) {
                Ok(pairs)
            } else {
                Err("give mean and standard deviation, above 0, in stored numbers: [mean, sd] for all channels \
                     or one pair after the other for every channel")
            }
        });
        let line = self.doc.line_of("normalize").unwrap_or(1);
        Normalize::Given { pairs: numbers.or(vec![(0.0, 1.0)]), key: "normalize".to_owned(), line }
    }
}

#[derive(Clone, Copy)]
enum Word {
    Standard,
    None,
    Scale,
}
