//! `report.html`: one file for people, readable without a network, printable.

use askama::Template;
use umbra_stats::Analysis;

use super::error::ReportError;
use super::subject::Subject;

/// The page: nothing in it but text; the templates escape whatever comes from the data.
#[derive(Template)]
#[template(path = "report/report.html")]
struct Page {
    name: String,
}

/// The whole page as text.
///
/// # Errors
/// If the analysis is not one of this audit.
pub fn report_html(subject: &Subject<'_>, analysis: &Analysis) -> Result<String, ReportError> {
    subject.check(analysis)?;
    let page = Page { name: subject.spec.name().to_string() };
    Ok(page.render()?)
}
