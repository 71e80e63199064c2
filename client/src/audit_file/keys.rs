//! The keys of AUDIT.toml. Whether files exist is asked through a function.

use std::path::{Path, PathBuf};

use umbra_core::document::{Document, Mistakes, Table};
use umbra_core::spec::{
    AuditSpec, AugmentDraft, ModelDraft, PlacementDraft, QueriesDraft, ShadowsDraft, SpecDraft,
    StatisticsDraft, TrainingDraft,
};
use umbra_data::expand;

/// Where an audit's data set comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Imported before, under this name.
    Named(String),
    /// Data with their schema, imported now.
    Table(TableFiles),
}

/// Data and the schema that says what they are and which column is what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFiles {
    /// The file of the data: a table, arrays, or a manifest.
    pub path: PathBuf,
    /// The schema file.
    pub schema: PathBuf,
}

/// What a text without mistakes says.
#[derive(Debug)]
pub struct Said {
    /// The text, for mistakes that are found later.
    pub document: Document,
    /// All but the final name of the data set.
    pub draft: SpecDraft,
    /// The data set.
    pub source: Source,
}

/// Checks a text. Paths in it are relative to `base`, and `wrong_with` says what is wrong with a file it
/// names.
///
/// # Errors
/// All mistakes at once.
pub fn read(text: &str, base: &Path, wrong_with: &dyn Fn(&Path) -> Option<String>) -> Result<Said, Mistakes> {
    let document = Document::parse(text)?;
    let root = document.root();
    let mut draft = SpecDraft {
        name: root.string("name").required_or(String::new()),
        seed: root.u64("seed").required_or(0),
        ..SpecDraft::default()
    };
    let source = source(&document, base, wrong_with);
    draft.dataset = match &source {
        Some(Source::Named(name)) => name.clone(),
        // The final name has the digest in it, which takes an import.
        Some(Source::Table(files)) => stem(&files.path),
        None => "unknown".to_owned(),
    };
    draft.model = model(&document.table("model"));
    draft.training = training(&document.table("training"));
    let augment = document.table("augment");
    draft.augment = AugmentDraft {
        rotate: augment.f64("rotate").optional(),
        flip: augment.bool("flip").optional(),
        shift: augment.u32("shift").optional(),
        brightness: augment.f64("brightness").optional(),
        contrast: augment.f64("contrast").optional(),
        scale: augment.f64("scale").optional(),
        noise: augment.f64("noise").optional(),
        drop: augment.f64("drop").optional(),
    };
    let shadows = document.table("shadows");
    draft.shadows = ShadowsDraft {
        count: shadows.u32("count").optional(),
        block: shadows.u32("block").optional(),
        population: shadows.f64("population").optional(),
    };
    draft.queries = QueriesDraft { views: document.table("queries").u32("views").optional() };
    let statistics = document.table("statistics");
    draft.statistics = StatisticsDraft {
        attacks: statistics.strings("attacks").optional(),
        variance: statistics.string("variance").optional(),
        center: statistics.string("center").optional(),
        counts: statistics.string("counts").optional(),
        offline: statistics.bool("offline").optional(),
        temperature: statistics.f64("temperature").optional(),
        fdr: statistics.f64("fdr").optional(),
        looks: statistics.u32("looks").optional(),
        bootstrap: statistics.u32("bootstrap").optional(),
        delta: statistics.f64("delta").optional(),
        intersections: statistics.string_lists("intersections").optional(),
    };
    let placement = document.table("placement");
    draft.placement = PlacementDraft {
        pack: placement.u32("pack").optional(),
        checkpoint_steps: placement.u64("checkpoint_steps").optional(),
        priority: placement.i32("priority").optional(),
        weight: placement.u32("weight").optional(),
        max_slots: placement.u32("max_slots").optional(),
        keep_weights: placement.bool("keep_weights").optional(),
    };
    note_violations(&document, &draft);
    document.finish()?;
    let source = source.expect("a document without mistakes names its data set");
    Ok(Said { document, draft, source })
}

fn model(table: &Table<'_>) -> ModelDraft {
    ModelDraft {
        architecture: table.string("architecture").required_or(String::new()),
        widths: table.u32s("widths").or(Vec::new()),
        width: table.u32("width").optional(),
        depth: table.u32("depth").optional(),
    }
}

fn training(table: &Table<'_>) -> TrainingDraft {
    TrainingDraft {
        optimizer: table.string("optimizer").optional(),
        learning_rate: table.f64("learning_rate").required(),
        momentum: table.f64("momentum").optional(),
        nesterov: table.bool("nesterov").optional(),
        beta1: table.f64("beta1").optional(),
        beta2: table.f64("beta2").optional(),
        epsilon: table.f64("epsilon").optional(),
        weight_decay: table.f64("weight_decay").optional(),
        schedule: table.string("schedule").optional(),
        warmup_epochs: table.f64("warmup_epochs").optional(),
        batch: table.u32("batch").required(),
        epochs: table.u32("epochs").required(),
        step_epochs: table.f64("step_epochs").optional(),
        step_factor: table.f64("step_factor").optional(),
        loss: table.string("loss").optional(),
        dropout: table.f64("dropout").optional(),
        label_smoothing: table.f64("label_smoothing").optional(),
        class_weights: table.f64s("class_weights").optional(),
        clip_norm: table.f64("clip_norm").optional(),
        ema: table.f64("ema").optional(),
    }
}

fn source(document: &Document, base: &Path, wrong_with: &dyn Fn(&Path) -> Option<String>) -> Option<Source> {
    let table = document.table("dataset");
    let file = |key: &str| {
        table.string(key).try_map(|text| {
            if text.is_empty() {
                return Err("it is empty: name a file".to_owned());
            }
            let path = base.join(expand(&text)?);
            wrong_with(&path).map_or(Ok(path), Err)
        })
    };
    let name = table.string("name");
    let (path, schema) = (file("path"), file("schema"));
    let given = |key: &str| document.line_of(&format!("dataset.{key}")).is_some();
    match (given("name"), given("path"), given("schema")) {
        (true, false, false) => name.optional().map(Source::Named),
        (true, _, _) => {
            let message = "give the name of an imported data set, or path and schema, not both";
            document.mistake("dataset.name", message);
            None
        }
        (false, true, true) => {
            let (path, schema) = (path.optional(), schema.optional());
            Some(Source::Table(TableFiles { path: path?, schema: schema? }))
        }
        (false, true, false) => {
            document.mistake("dataset.schema", "missing: name the schema file that belongs to path");
            None
        }
        (false, false, true) => {
            document.mistake("dataset.path", "missing: name the file of the data that belongs to schema");
            None
        }
        (false, false, false) => {
            document.mistake("dataset", "missing: give path and schema, or the name of an imported data set");
            None
        }
    }
}

/// Notes what the core finds wrong, but for keys whose own mistake is noted already.
fn note_violations(document: &Document, draft: &SpecDraft) {
    let Err(violations) = AuditSpec::try_new(draft) else { return };
    let noted: Vec<String> = match document.finish() {
        Ok(()) => Vec::new(),
        Err(mistakes) => mistakes.iter().map(|mistake| mistake.key.clone()).collect(),
    };
    let is_noted = |field: &str| {
        noted
            .iter()
            .any(|key| key == field || key.strip_prefix(field).is_some_and(|rest| rest.starts_with('[')))
    };
    for violation in violations.iter().filter(|violation| !is_noted(&violation.field)) {
        document.mistake(&violation.field, violation.message.as_str());
    }
}

/// What a file is called, as a name may be written: "My Data.v2.parquet" is "my-data-v2". Leaves room for
/// a digest.
pub fn stem(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
    let mut name = String::new();
    for c in stem.chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.truncate(48);
    let name = name.trim_end_matches('-');
    if name.is_empty() { "table".to_owned() } else { name.to_owned() }
}
