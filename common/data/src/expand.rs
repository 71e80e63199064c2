//! Paths that begin with an environment variable.

use std::path::PathBuf;

/// A path as files write it: `$NAME` or `${NAME}` before its first `/` stands for what the environment says, so
/// that a file need not know where this machine keeps its data.
///
/// # Errors
/// One sentence, if the environment does not say.
pub fn expand(text: &str) -> Result<PathBuf, String> {
    expand_with(text, |name| std::env::var_os(name).map(PathBuf::from))
}

fn expand_with(text: &str, variable: impl Fn(&str) -> Option<PathBuf>) -> Result<PathBuf, String> {
    let Some(marked) = text.strip_prefix('$') else { return Ok(PathBuf::from(text)) };
    let (name, rest) = marked.split_once('/').unwrap_or((marked, ""));
    let name = name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(is_name) {
        // A file may be called so.
        return Ok(PathBuf::from(text));
    }
    match variable(name).filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => Ok(if rest.is_empty() { folder } else { folder.join(rest) }),
        None => Err(format!("the environment variable {name} is not set: set it to the folder of the data")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_variable_stands_at_the_beginning_only() {
        let variable = |name: &str| (name == "DATA_1").then(|| PathBuf::from("/d"));
        for (text, path) in [
            ("$DATA_1/a/b.npz", "/d/a/b.npz"),
            ("${DATA_1}/a.npz", "/d/a.npz"),
            ("$DATA_1", "/d"),
            ("a/$DATA_1/b", "a/$DATA_1/b"),
            ("$not a name/b", "$not a name/b"),
            ("plain.csv", "plain.csv"),
        ] {
            assert_eq!(expand_with(text, variable).unwrap(), Path::new(path));
        }
        assert!(expand_with("$OTHER/a", variable).unwrap_err().contains("OTHER is not set"));
    }
}
