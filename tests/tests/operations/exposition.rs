//! A strict reader of Prometheus' text format, version 0.0.4: everything it does not know is a mistake.

/// Samples of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// The name.
    pub name: String,
    /// Its type.
    pub kind: String,
    /// What it is.
    pub help: String,
    /// Its samples.
    pub samples: Vec<Sample>,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The name, with `_bucket`, `_sum` or `_count` for histograms.
    pub name: String,
    /// Labels in order.
    pub labels: Vec<(String, String)>,
    /// The value.
    pub value: f64,
}

impl Sample {
    /// A label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a page of metrics.
///
/// # Errors
/// The line that is wrong, and why.
pub fn read(page: &str) -> Result<Vec<Family>, String> {
    if !page.ends_with('\n') {
        return Err("the last line does not end".to_owned());
    }
    let mut families: Vec<Family> = Vec::new();
    let mut help: Option<(String, String)> = None;
    for line in page.lines().filter(|line| !line.is_empty()) {
        let wrong = |why: &str| format!("{why}: {line}");
        if let Some(text) = line.strip_prefix("# HELP ") {
            let (name, text) = text.split_once(' ').ok_or_else(|| wrong("no help"))?;
            help = Some((name.to_owned(), text.to_owned()));
        } else if let Some(text) = line.strip_prefix("# TYPE ") {
            let (name, kind) = text.split_once(' ').ok_or_else(|| wrong("no type"))?;
            let text = help.take().filter(|(of, _)| of == name).ok_or_else(|| wrong("no help before"))?.1;
            if families.iter().any(|family| family.name == name) {
                return Err(wrong("a second family of this name"));
            }
            let (name, kind) = (name.to_owned(), kind.to_owned());
            families.push(Family { name, kind, help: text, samples: Vec::new() });
        } else if line.starts_with('#') {
            return Err(wrong("a comment of no kind"));
        } else {
            let sample = sample(line).ok_or_else(|| wrong("no sample"))?;
            let family = families.last_mut().ok_or_else(|| wrong("no type before"))?;
            let suffixes: &[&str] =
                if family.kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            if !suffixes.iter().any(|suffix| sample.name == format!("{}{suffix}", family.name)) {
                return Err(wrong("a sample of another family"));
            }
            if family.samples.iter().any(|old| (&old.name, &old.labels) == (&sample.name, &sample.labels)) {
                return Err(wrong("a second sample of these labels"));
            }
            family.samples.push(sample);
        }
    }
    Ok(families)
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (key, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            if !is_name(key) || key.contains(':') {
                return None;
            }
            labels.push((key.to_owned(), value));
            match after.strip_prefix(',') {
                Some(more) => rest = more,
                None => {
                    rest = after.strip_prefix('}')?;
                    break;
                }
            }
        }
    }
    let value = rest.strip_prefix(' ')?;
    let value = match value {
        "+Inf" => f64::INFINITY,
        text => text.parse().ok().filter(|value: &f64| value.is_finite())?,
    };
    is_name(name).then(|| Sample { name: name.to_owned(), labels, value })
}

/// A label's value up to its closing quote, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                _ => return None,
            }),
            c => value.push(c),
        }
    }
    None
}

fn is_name(text: &str) -> bool {
    let first = |b: u8| b.is_ascii_alphabetic() || b == b'_' || b == b':';
    text.bytes().next().is_some_and(first) && text.bytes().all(|b| first(b) || b.is_ascii_digit())
}

#[test]
fn what_is_no_exposition_is_refused() {
    let good = "# HELP a_total x y\n# TYPE a_total counter\na_total{b=\"c\\\"d\",e=\"\"} 1.5\n\n";
    let read_back = &read(good).unwrap()[0];
    assert_eq!((read_back.name.as_str(), read_back.help.as_str()), ("a_total", "x y"));
    assert_eq!(read_back.samples[0].label("b"), Some("c\"d"));
    for (old, new) in [
        ("# HELP a_total x y\n", ""),
        ("# TYPE a_total counter\n", ""),
        ("# HELP", "# HINT"),
        ("1.5", "NaN"),
        ("1.5", "1.5 7"),
        ("\\\"", "\\q"),
        ("e=", "e-e="),
        ("\na_total{", "\na_totals{"),
        ("} 1.5\n", "} 1.5\na_total{b=\"c\\\"d\",e=\"\"} 1.5\n"),
        ("\n\n", ""),
    ] {
        let bad = good.replacen(old, new, 1);
        assert!(read(&bad).is_err(), "{bad}");
    }
}
