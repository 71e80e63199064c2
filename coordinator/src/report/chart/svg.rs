//! SVG, built from shapes whose text is always escaped.

use std::fmt::Write as _;

/// A drawing that grows shape by shape; units are pixels of the view box.
pub(super) struct Svg {
    width: f64,
    height: f64,
    body: String,
}

impl Svg {
    pub fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new() }
    }

    fn put(&mut self, shape: std::fmt::Arguments<'_>) {
        self.body.write_fmt(shape).expect("a string takes all text");
        self.body.push('\n');
    }

    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.put(format_args!(
            r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
        ));
    }

    /// A line through points; those less than half a pixel from the last are left out.
    pub fn polyline(&mut self, class: &str, points: impl IntoIterator<Item = (f64, f64)>) {
        let mut text = String::new();
        let (mut drawn, mut skipped) = (None::<(f64, f64)>, None);
        for (x, y) in points {
            if drawn.is_some_and(|(px, py)| (px - x).abs() < 0.5 && (py - y).abs() < 0.5) {
                skipped = Some((x, y));
                continue;
            }
            push_point(&mut text, x, y);
            (drawn, skipped) = (Some((x, y)), None);
        }
        if let Some((x, y)) = skipped {
            push_point(&mut text, x, y);
        }
        self.put(format_args!(r#"<polyline class="{class}" points="{}"/>"#, text.trim_end()));
    }

    /// The area between two lines.
    pub fn band(&mut self, class: &str, upper: &[(f64, f64)], lower: &[(f64, f64)]) {
        let mut text = String::new();
        upper.iter().chain(lower.iter().rev()).for_each(|&(x, y)| push_point(&mut text, x, y));
        self.put(format_args!(r#"<polygon class="{class}" points="{}"/>"#, text.trim_end()));
    }

    pub fn circle(&mut self, class: &str, (x, y): (f64, f64), r: f64) {
        self.put(format_args!(r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="{r}"/>"#));
    }

    pub fn diamond(&mut self, class: &str, (x, y): (f64, f64), r: f64) {
        let (left, right, top, bottom) = (x - r, x + r, y - r, y + r);
        self.put(format_args!(
            r#"<polygon class="{class}" points="{x:.1},{top:.1} {right:.1},{y:.1} {x:.1},{bottom:.1} {left:.1},{y:.1}"/>"#
        ));
    }

    /// Text; `class` says where its anchor is (`start`, `middle`, `end`) among other things.
    pub fn text(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        let text = escape(text);
        self.put(format_args!(r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{text}</text>"#));
    }

    /// Text that reads upwards.
    pub fn upward(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        let text = escape(text);
        self.put(format_args!(
            r#"<text class="{class}" transform="translate({x:.1} {y:.1}) rotate(-90)">{text}</text>"#
        ));
    }

    /// The element, with a title and a description for those who cannot see it; `id` is unique in the page.
    pub fn finish(self, id: &str, title: &str, description: &str) -> String {
        let (width, height, body) = (self.width, self.height, self.body);
        let (title, description) = (escape(title), escape(description));
        format!(
            "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\n\
             <title id=\"{id}-t\">{title}</title>\n<desc id=\"{id}-d\">{description}</desc>\n{body}</svg>"
        )
    }
}

fn push_point(text: &mut String, x: f64, y: f64) {
    write!(text, "{x:.1},{y:.1} ").expect("a string takes all text");
}

/// Text for an XML element or attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}
