//! `umbra run`, as the layouts are compared with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;
use umbra_core::digest::Digest;
use umbra_tests::{Audit, Committed, Done, Findings, committed, umbra};

/// What an audit ends with: its findings, and every shadow's logits by the key that names them; where weights were
/// kept, those.
pub struct Results {
    /// The files.
    pub findings: Findings,
    /// SHA-256 of the blob with a shadow's logits, and its place there.
    pub logits: BTreeMap<String, (Digest, u32)>,
    /// SHA-256 of the files with weights, by their names.
    pub weights: BTreeMap<String, Digest>,
}

impl Results {
    /// Of findings in a folder, made by a coordinator that kept its state in another.
    pub fn read(findings: Findings, state: &Path) -> Self {
        let place = |committed: Committed| (committed.sha256, committed.position);
        let logits = committed(state).into_iter().map(|(key, committed)| (key, place(committed)));
        Self { findings, logits: logits.collect(), weights: BTreeMap::new() }
    }

    /// Asserts that everything is the same bytes in both.
    pub fn assert_same(&self, other: &Self, what: &str) {
        assert_eq!(self.logits.len(), Audit::medium().shadows as usize, "{what}");
        let differ = self.logits.iter().filter(|(key, place)| other.logits.get(*key) != Some(place)).count();
        assert_eq!(differ, 0, "{what}: shadows whose logits differ");
        self.findings.assert_same(&other.findings, what);
    }
}

/// Runs an audit embedded, in a folder of its own.
pub struct Run {
    folder: TempDir,
    file: PathBuf,
}

impl Run {
    /// Of an audit that is not started yet.
    pub fn of(audit: &Audit) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let file = audit.write(folder.path());
        Self { folder, file }
    }

    /// The folder it runs in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where its findings go.
    pub fn out(&self) -> PathBuf {
        self.folder().join("out")
    }

    /// The command line.
    pub fn arguments(&self, slots: u32) -> Vec<String> {
        let (file, out) = (self.file.display().to_string(), self.out().display().to_string());
        let slots = slots.to_string();
        let words = ["--format", "json", "run", &file, "--out", &out, "--workers", &slots, "--keep-state"];
        let words = words.into_iter().chain(["--keep-weights", "weights"]);
        words.map(str::to_owned).collect()
    }

    /// Runs it to its end.
    pub fn go(&self, slots: u32) -> Done {
        umbra(self.folder(), &self.arguments(slots))
    }

    /// What it ended with.
    pub fn results(&self) -> Results {
        let results = Results::read(Findings::read(&self.out()), &self.out().join(".state"));
        Results { weights: self.weights(), ..results }
    }

    fn weights(&self) -> BTreeMap<String, Digest> {
        let inside = |folder: &Path| {
            std::fs::read_dir(folder)
                .expect("the folder is there")
                .map(|entry| entry.expect("it can be read"))
        };
        let audit = inside(&self.folder().join("weights")).next().expect("the audit has a folder").path();
        let digest = |path: &Path| Digest::of(&std::fs::read(path).expect("it can be read"));
        inside(&audit)
            .map(|file| (file.file_name().to_string_lossy().into_owned(), digest(&file.path())))
            .collect()
    }

    /// What `run.json` says.
    pub fn facts(&self) -> Value {
        let text = std::fs::read_to_string(self.out().join("run.json")).expect("run.json is there");
        serde_json::from_str(&text).expect("run.json is JSON")
    }
}

/// The results of `umbra run` on one slot, without a disturbance. Computed once.
pub fn reference() -> &'static Results {
    static RESULTS: OnceLock<Results> = OnceLock::new();
    RESULTS.get_or_init(|| {
        let run = Run::of(&Audit::medium());
        let done = run.go(1).expect(0);
        assert_eq!(done.json()["event"], "done");
        let facts = run.facts();
        assert_eq!(
            (&facts["packs"], &facts["packs_resumed"], &facts["packs_reused"]),
            (&Value::from(Audit::medium().packs()), &Value::from(0), &Value::from(0))
        );
        run.results()
    })
}
