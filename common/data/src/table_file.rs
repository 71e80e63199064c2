//! A table in a file, told by its first bytes and its name.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::Path;

use crate::limits::MAX_FILE_BYTES;
use crate::refusal::{ImportError, Problems};
use crate::schema::Schema;
use crate::table::Table;
use crate::{csv_file, parquet_file};

/// Reads a Parquet or CSV file; columns that the schema ignores are skipped. `None` if a mistake stops the
/// reading.
pub(crate) fn read(
    path: &Path,
    schema: &Schema,
    problems: &mut Problems,
) -> Result<Option<Table>, ImportError> {
    let failed = |source: io::Error| ImportError::Io { path: path.display().to_string(), source };
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        problems.whole("this is not a file: name a Parquet or CSV file");
        return Ok(None);
    }
    if metadata.len() > MAX_FILE_BYTES {
        problems.whole(format!("longer than {MAX_FILE_BYTES} bytes: split the data set"));
        return Ok(None);
    }
    let mut file = File::open(path).map_err(failed)?;
    let mut start = Vec::new();
    file.by_ref().take(4).read_to_end(&mut start).map_err(failed)?;
    file.rewind().map_err(failed)?;
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let extension = extension.to_ascii_lowercase();
    let table = match (&start[..], extension.as_str()) {
        (b"PAR1", _) => parquet_file::read(file, schema, problems),
        (b"PARE", _) => {
            problems.whole("the Parquet file is encrypted: write it without encryption");
            None
        }
        ([], _) => {
            problems.whole("the file is empty");
            None
        }
        ([0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd] | b"PK\x03\x04", _) => {
            problems.whole("the file is compressed: unpack it first");
            None
        }
        (_, "parquet" | "pq") => {
            problems.whole("not a Parquet file: it does not begin with PAR1");
            None
        }
        (_, "csv") => csv_file::read(file, schema, problems),
        _ => {
            problems.whole("neither a Parquet file nor named .csv: save the table as one of them");
            None
        }
    };
    Ok(table)
}
