//! The two headlines of an audit, read from its summary, and where the report is.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use umbra_runtime::files;

use crate::exit::Failure;
use crate::human;

/// The largest summary that is read, in bytes.
const LIMIT: u64 = 64 << 20;

/// What an audit found, in a few numbers.
#[derive(Debug, Clone)]
pub struct Headlines {
    folder: PathBuf,
    summary: Value,
    report: bool,
}

impl Headlines {
    /// Reads the summary in a folder of findings.
    ///
    /// # Errors
    /// If it is not there or cannot be read.
    pub fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join("summary.json");
        let bytes = files::read_bounded(&path, LIMIT).map_err(|error| Failure::failed(error.to_string()))?;
        let summary = serde_json::from_slice(&bytes).map_err(|error| {
            Failure::failed(format!("{} cannot be read: {error}; fetch the findings again", path.display()))
        })?;
        let report = folder.join("report.html").exists();
        Ok(Self { folder: folder.to_owned(), summary, report })
    }

    /// Where the report is, if there is one: attacks on logits from elsewhere have tables alone.
    pub fn report(&self) -> Option<PathBuf> {
        self.report.then(|| self.folder.join("report.html"))
    }

    /// The headlines for people.
    pub fn text(&self) -> String {
        let patients = &self.summary["patients"];
        let units = patients["units"].as_u64().unwrap_or(0);
        let count = |value: &Value| value.as_u64().map_or("not tested".to_owned(), human::thousands);
        let share = |value: &Value| match value.as_u64() {
            Some(part) if units > 0 => format!(" ({:.1} %)", 100.0 * part as f64 / units as f64),
            _ => String::new(),
        };
        let detected = &patients["detected"];
        let recognisable = &patients["recognisable"];
        let mut lines = vec![
            format!(
                "Detectably remembered:  {} of {} patients{}",
                count(detected),
                human::thousands(units),
                share(detected)
            ),
            format!(
                "Recognisable:           {} at an AUC of at least .75, {} at .9, {} at .99",
                count(&recognisable["0.75"]),
                count(&recognisable["0.9"]),
                count(&recognisable["0.99"])
            ),
        ];
        if let Some(attacks) = self.summary["attacks"].as_object() {
            let named = attacks.iter().filter_map(|(name, figures)| Some((name, figures["auc"].as_f64()?)));
            let figures: Vec<String> = named.map(|(name, auc)| format!("{name} {auc:.4}")).collect();
            if !figures.is_empty() {
                lines.push(format!("Average attack AUC:     {} (averages hide people)", figures.join(", ")));
            }
        }
        lines.push(match patients["detection_limit"]["detectable_auc"].as_f64() {
            Some(auc) => {
                format!("Detection limit:        patients below an AUC of about {auc:.2} stay unseen")
            }
            None => {
                "Detection limit:        no single patient can be detected with so few shadows".to_owned()
            }
        });
        lines.push(match self.report() {
            Some(report) => format!("Report:                 {}", report.display()),
            None => format!("Findings:               {}", self.folder.display()),
        });
        lines.join("\n")
    }

    /// The headlines for programs.
    pub fn json(&self, id: Option<&str>) -> Value {
        let attacks = self.summary["attacks"].as_object();
        let aucs = attacks.map(|attacks| {
            attacks.iter().map(|(name, figures)| (name.clone(), figures["auc"].clone())).collect::<Value>()
        });
        json!({
            "event": "done",
            "id": id,
            "out": self.folder.display().to_string(),
            "report": self.report().map(|report| report.display().to_string()),
            "patients": {
                "units": self.summary["patients"]["units"],
                "detected": self.summary["patients"]["detected"],
                "recognisable": self.summary["patients"]["recognisable"],
            },
            "auc": aucs,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headlines(summary: &str) -> Headlines {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("summary.json"), summary).unwrap();
        let read = Headlines::read(folder.path()).unwrap();
        Headlines { folder: "out".into(), report: true, ..read }
    }

    #[test]
    fn both_headlines_are_said_with_the_average_beside_them() {
        let shown = headlines(
            r#"{"attacks": {"global": {"auc": 0.7}, "lira-online": {"auc": 0.76125}},
                "patients": {"units": 9105, "detected": 812,
                             "recognisable": {"0.75": 34, "0.9": 2, "0.99": 0},
                             "detection_limit": {"detectable_auc": 0.741}}}"#,
        );
        let expected = "Detectably remembered:  812 of 9,105 patients (8.9 %)\n\
            Recognisable:           34 at an AUC of at least .75, 2 at .9, 0 at .99\n\
            Average attack AUC:     global 0.7000, lira-online 0.7612 (averages hide people)\n\
            Detection limit:        patients below an AUC of about 0.74 stay unseen\n\
            Report:                 out/report.html";
        assert_eq!(shown.text(), expected);
        assert_eq!(shown.json(None)["auc"]["lira-online"], 0.76125);
    }

    #[test]
    fn a_summary_without_figures_is_no_panic() {
        assert!(headlines("[]").text().contains("not tested of 0 patients"));
        assert!(Headlines::read(Path::new("/nowhere")).is_err());
    }
}
