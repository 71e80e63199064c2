//! The arrays of a file by name. Of an archive, only arrays that are asked for are unpacked, into scratch
//! files, after their sizes were checked: a small archive may claim to hold anything.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::Path;

use umbra_core::document::closest;
use zip::ZipArchive;
use zip::result::ZipError;

use super::note;
use crate::limits::MAX_FILE_BYTES;
use crate::npy::NpyFile;
use crate::quiet::no_panic;
use crate::refusal::{ImportError, Problems};
use crate::schema::{Named, Schema};
use crate::scratch;
use crate::table::shown;

/// The most members of an archive.
const MOST_MEMBERS: usize = 10_000;
/// How many times larger than it is packed an array may be, if it is larger than [`SMALL`]. Deflate packs
/// zeros 1,030 times smaller; images and signals at most tens of times.
const MOST_RATIO: u64 = 200;
const SMALL: u64 = 256 << 20;
/// The splits of MedMNIST, in the order in which they are joined.
const SPLITS: [&str; 3] = ["train", "val", "test"];
const DAMAGED: &str = "the archive is damaged or cut short: fetch or save it again";

/// The arrays of a file.
pub(super) struct Arrays {
    path: String,
    /// The array of an NPY file, until it is read.
    single: Option<NpyFile>,
    archive: Option<ZipArchive<File>>,
    names: Vec<String>,
}

impl Arrays {
    /// Opens an NPZ or NPY file. `None` if a mistake stops the reading.
    pub(super) fn open(path: &Path, problems: &mut Problems) -> Result<Option<Self>, ImportError> {
        let name = path.display().to_string();
        let failed = |source: io::Error| ImportError::Io { path: path.display().to_string(), source };
        let metadata = std::fs::metadata(path).map_err(failed)?;
        if !metadata.is_file() {
            problems.whole("this is not a file: name an NPZ or NPY file");
            return Ok(None);
        }
        if metadata.len() > MAX_FILE_BYTES {
            problems.whole(format!("longer than {MAX_FILE_BYTES} bytes: split the data set"));
            return Ok(None);
        }
        let mut start = Vec::new();
        let file = File::open(path).map_err(failed)?;
        (&file).take(6).read_to_end(&mut start).map_err(failed)?;
        if start == b"\x93NUMPY" {
            let opened = NpyFile::of(file, "the array".to_owned(), metadata.len());
            let Some(single) = note(opened, problems)? else { return Ok(None) };
            return Ok(Some(Self { path: name, single: Some(single), archive: None, names: Vec::new() }));
        }
        if !start.starts_with(b"PK") {
            problems.whole("neither an NPZ nor an NPY file: save the arrays with numpy.savez or numpy.save");
            return Ok(None);
        }
        let Some(Ok(mut archive)) = no_panic(|| ZipArchive::new(file)) else {
            problems.whole(DAMAGED);
            return Ok(None);
        };
        if archive.len() > MOST_MEMBERS {
            problems.whole(format!("{} arrays, more than {MOST_MEMBERS}: save fewer", archive.len()));
            return Ok(None);
        }
        if archive.has_duplicate_names() {
            problems.whole("two arrays of the archive have one name: save it again with numpy.savez");
            return Ok(None);
        }
        if !matches!(no_panic(|| archive.has_overlapping_files()), Some(Ok(false))) {
            problems.whole(format!("arrays lie on top of each other: {DAMAGED}"));
            return Ok(None);
        }
        let all = archive.file_names().flatten();
        let names = all.filter_map(|name| name.strip_suffix(".npy").map(str::to_owned)).collect();
        Ok(Some(Self { path: name, single: None, archive: Some(archive), names }))
    }

    /// The names of the arrays.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The arrays that make up `name`: the one that is called so, or, as MedMNIST saves them, `train_name`,
    /// `val_name` and `test_name`, of which there may be fewer.
    pub(super) fn find(&self, name: &str) -> Vec<String> {
        if self.names.iter().any(|other| other == name) {
            return vec![name.to_owned()];
        }
        let splits = SPLITS.iter().map(|split| format!("{split}_{name}"));
        splits.filter(|split| self.names.contains(split)).collect()
    }

    /// The arrays that hold the records. Notes that there are none.
    pub(super) fn parts(
        &self,
        data: &Named,
        schema: &Schema,
        problems: &mut Problems,
    ) -> Option<Vec<String>> {
        if self.archive.is_none() {
            return Some(vec!["the array".to_owned()]);
        }
        let found = self.find(&data.name);
        if !found.is_empty() {
            return Some(found);
        }
        let missing = format!("{} has no array {}", self.path, shown(&data.name));
        let message = match closest(&data.name, self.names.iter().map(String::as_str)) {
            Some(meant) => format!("{missing}; did you mean \"{meant}\"?"),
            None => {
                let first: Vec<_> = self.names.iter().take(12).map(String::as_str).collect();
                let more = if self.names.len() > first.len() { ", ..." } else { "" };
                format!(
                    "{missing}; name the array of the records with data = \"...\": it has {}{more}",
                    first.join(", ")
                )
            }
        };
        problems.schema(&schema.file, data.line, &data.key, message);
        None
    }

    /// Opens an array. `None` if it is not what it should be.
    pub(super) fn read(
        &mut self,
        name: &str,
        problems: &mut Problems,
    ) -> Result<Option<NpyFile>, ImportError> {
        let Some(archive) = &mut self.archive else { return Ok(self.single.take()) };
        let called = format!("array {}", shown(name));
        // The unpacker is another project's: should it panic, the file is refused like any damaged one.
        let unpacked = no_panic(|| unpack(archive, name, &called));
        let said = match unpacked.unwrap_or_else(|| Err(Said::Wrong(DAMAGED.to_owned()))) {
            Ok((file, length)) => return note(NpyFile::of(file, called, length), problems),
            Err(said) => said,
        };
        match said {
            Said::Wrong(what) => problems.whole(format!("{called}: {what}")),
            Said::Import(error) => return Err(error),
        }
        Ok(None)
    }
}

enum Said {
    Wrong(String),
    Import(ImportError),
}

fn wrong<T>(what: impl Into<String>) -> Result<T, Said> {
    Err(Said::Wrong(what.into()))
}

/// Unpacks an array into a scratch file.
fn unpack(archive: &mut ZipArchive<File>, name: &str, called: &str) -> Result<(File, u64), Said> {
    let mut member = match archive.by_name(&format!("{name}.npy")) {
        Ok(member) => member,
        Err(ZipError::UnsupportedArchive(_)) => {
            return wrong(
                "packed or encrypted in a way that is not read: save it with numpy.savez_compressed",
            );
        }
        Err(_) => return wrong(DAMAGED),
    };
    let (size, packed) = (member.size(), member.compressed_size());
    if size > MAX_FILE_BYTES {
        return wrong(format!("it claims to have {size} bytes: split the data set"));
    }
    if size > SMALL && size / packed.max(1) > MOST_RATIO {
        return wrong(format!(
            "it claims to be {} times larger than it is packed, which data hardly are: save it with numpy.savez, \
             without compression",
            size / packed.max(1)
        ));
    }
    let mut file = scratch::file().map_err(Said::Import)?;
    let write = |file: &mut File, bytes: &[u8]| {
        file.write_all(bytes).map_err(|error| Said::Import(scratch::failed(error)))
    };
    let mut buffer = vec![0; 1 << 20];
    let mut written = 0u64;
    loop {
        let read = match member.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return wrong(DAMAGED),
        };
        let first = written == 0;
        written += read as u64;
        if written > size {
            return wrong(format!("it is longer than the {size} bytes it claims: {DAMAGED}"));
        }
        write(&mut file, &buffer[..read])?;
        // The header is judged before the rest is unpacked.
        if first && written > 1 << 17 {
            NpyFile::promise(&file, size, called).map_err(|error| Said::Wrong(error.to_string()))?;
        }
    }
    Ok((file, written))
}
