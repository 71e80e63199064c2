//! A manifest: a table with a row a record, one column of which names the record's file.

use std::path::Path;

use crate::layout::MISSING;
use crate::refusal::{ImportError, Problems};
use crate::root::Root;
use crate::schema::{Named, Schema};
use crate::table::{Coded, Table, and_more};
use crate::{roles, table_file};

/// A manifest whose columns are all there.
pub(crate) struct Manifest {
    pub table: Table,
    pub root: Root,
    /// The path of every row, as the manifest writes it.
    paths: Coded,
}

impl Manifest {
    /// Reads a manifest. Notes columns that are not there and rows without a path.
    ///
    /// # Errors
    /// [`ImportError`] if it cannot be read, or with every mistake.
    pub(crate) fn read(
        path: &Path,
        column: &Named,
        folder: Option<&Named>,
        schema: &Schema,
        problems: &mut Problems,
    ) -> Result<Self, ImportError> {
        let table = table_file::read(path, schema, problems)?;
        let root = Root::new(path, folder.map(|folder| folder.name.as_str()));
        if let (Err(what), Some(folder)) = (&root, folder) {
            problems.schema(&schema.file, folder.line, &folder.key, what.as_str());
        }
        let (Some(table), Ok(root)) = (table, root) else {
            if problems.is_empty() {
                problems.whole("its folder cannot be read: check the path and its rights");
            }
            return Err(std::mem::replace(problems, Problems::new("")).into_error());
        };
        if table.rows == 0 && problems.is_empty() {
            problems.whole("the manifest has no rows");
        }
        // Says which columns are missing, too.
        let complete = roles::resolve(schema, &table, problems).is_some();
        let found = table.columns.iter().find(|other| other.name == column.name);
        let paths = found.map(|column| column.coded(problems));
        if let Some(paths) = &paths
            && let Some(row) = paths.codes.iter().position(|&code| code == MISSING)
        {
            let more = paths.codes.iter().filter(|&&code| code == MISSING).count() as u64 - 1;
            let message = format!("the path is missing{}: fill it in, or drop the row", and_more(more));
            problems.cell(&column.name, row as u64 + 1, message);
        }
        problems.check()?;
        match paths {
            Some(paths) if complete => Ok(Self { table, root, paths }),
            _ => {
                problems.whole("a column that the schema names cannot be read");
                Err(std::mem::replace(problems, Problems::new("")).into_error())
            }
        }
    }

    /// The path of a row, as the manifest writes it.
    pub(crate) fn path(&self, row: u64) -> &str {
        let code = self.paths.codes.get(row as usize).copied().unwrap_or(MISSING);
        self.paths.names.get(code as usize).map_or("", String::as_str)
    }
}
