//! Where a blob store is, as people write it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use object_store::path::Path;

/// Where a blob store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A folder of this machine: a path, or `file:///path`.
    Folder(PathBuf),
    /// A bucket or container of an object store, and the folder within.
    Bucket {
        /// Whose it is.
        provider: Provider,
        /// The bucket's or container's name.
        bucket: String,
        /// The folder within; empty for all of it.
        prefix: String,
    },
    /// The memory of this process, for tests: `memory:`.
    Memory,
}

/// Whose interface an object store speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// Amazon S3 and what speaks like it: `s3://bucket/prefix`.
    S3,
    /// Google Cloud Storage: `gs://bucket/prefix`.
    Google,
    /// Azure Blob Storage: `az://container/prefix`.
    Azure,
}

/// A text that names no place for blobs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{text}\" is no place for blobs ({what}): use a folder, file:///folder, s3://bucket/prefix, \
     gs://bucket/prefix or az://container/prefix"
)]
pub struct InvalidPlace {
    text: String,
    what: &'static str,
}

impl Provider {
    /// The scheme of its URLs.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Google => "gs",
            Self::Azure => "az",
        }
    }
}

impl Place {
    /// Whether it lies beyond this process and its disks, so that others can reach it, too.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Bucket { .. })
    }
}

impl FromStr for Place {
    type Err = InvalidPlace;

    fn from_str(text: &str) -> Result<Self, InvalidPlace> {
        parse(text).map_err(|what| InvalidPlace { text: shown(text), what })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::Bucket { provider, bucket, prefix } if prefix.is_empty() => {
                write!(f, "{}://{bucket}", provider.scheme())
            }
            Self::Bucket { provider, bucket, prefix } => {
                write!(f, "{}://{bucket}/{prefix}", provider.scheme())
            }
            Self::Memory => f.write_str("memory:"),
        }
    }
}

fn parse(text: &str) -> Result<Place, &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text == "memory:" {
        return Ok(Place::Memory);
    }
    let Some((scheme, rest)) = text.split_once("://") else { return Ok(Place::Folder(text.into())) };
    let provider = match scheme {
        "file" if rest.starts_with('/') => return Ok(Place::Folder(rest.into())),
        "file" => return Err("a file URL names a whole path, with three slashes"),
        "s3" => Provider::S3,
        "gs" => Provider::Google,
        "az" => Provider::Azure,
        _ => return Err("its scheme is unknown"),
    };
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let good = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_');
    if !(3..=222).contains(&bucket.len()) || !bucket.bytes().all(good) {
        return Err("a bucket's name has 3 to 222 letters, digits, dots, dashes and underscores");
    }
    let prefix = prefix.trim_end_matches('/');
    let has_gaps = !prefix.is_empty() && prefix.split('/').any(str::is_empty);
    if has_gaps || prefix.len() > 400 || Path::parse(prefix).is_err() || prefix.contains(['?', '#', '%']) {
        return Err("its prefix is no path of plain names");
    }
    Ok(Place::Bucket { provider, bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

fn shown(text: &str) -> String {
    text.chars().take(120).map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_written_the_same() {
        let bucket = |provider, bucket: &str, prefix: &str| Place::Bucket {
            provider,
            bucket: bucket.into(),
            prefix: prefix.into(),
        };
        for (text, place, written) in [
            ("blobs", Place::Folder("blobs".into()), "blobs"),
            ("/var/lib/x", Place::Folder("/var/lib/x".into()), "/var/lib/x"),
            ("file:///var/x", Place::Folder("/var/x".into()), "/var/x"),
            ("memory:", Place::Memory, "memory:"),
            ("s3://ward-7", bucket(Provider::S3, "ward-7", ""), "s3://ward-7"),
            ("s3://ward-7/", bucket(Provider::S3, "ward-7", ""), "s3://ward-7"),
            ("gs://b_1.x/a/b/", bucket(Provider::Google, "b_1.x", "a/b"), "gs://b_1.x/a/b"),
            ("az://con/umbra", bucket(Provider::Azure, "con", "umbra"), "az://con/umbra"),
        ] {
            let read: Place = text.parse().unwrap();
            assert_eq!((&read, read.to_string().as_str()), (&place, written));
            assert_eq!(written.parse::<Place>().unwrap(), place);
        }
    }

    #[test]
    fn what_names_no_place_is_refused_in_words() {
        for wrong in [
            "",
            "file://relative",
            "http://host/bucket",
            "s3://",
            "s3:///prefix",
            "s3://ab",
            "s3://user:secret@bucket",
            "s3://bucket/../other",
            "s3://bucket//a",
            "s3://bucket/a?versionId=1",
            "gs://bucket/a%2fb",
            "az://con\ntainer/x",
        ] {
            let error = wrong.parse::<Place>().unwrap_err().to_string();
            assert!(error.contains("s3://bucket/prefix") && !error.contains('\n'), "{error}");
        }
    }
}
