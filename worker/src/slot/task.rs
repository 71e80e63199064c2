//! An assignment, checked.

use std::ops::Range;

use umbra_core::digest::Digest;
use umbra_core::fault::Fault;
use umbra_core::spec::AuditSpec;
use umbra_proto::{MAX_CHECKPOINT, convert, v1};

use crate::blobs::BlobRef;
use crate::faults;

/// What is to be trained, on what, from where.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    /// The specification.
    pub(crate) spec: AuditSpec,
    /// The encoded data set.
    pub(crate) dataset: BlobRef,
    /// The digest of its content.
    pub(crate) content: Digest,
    /// The pack's shadows.
    pub(crate) shadows: Range<u32>,
    /// Steps of every shadow.
    pub(crate) steps: u64,
    /// The checkpoint to go on from.
    pub(crate) resume: Option<BlobRef>,
}

impl Task {
    /// Checks an assignment for a worker that offers `numerics`.
    pub(crate) fn try_from_wire(assign: v1::Assign, numerics: &[String]) -> Result<Self, Fault> {
        let wrong = |what: String| faults::bug(format!("the assignment makes no sense: {what}"));
        let spec = assign.spec.ok_or_else(|| wrong("it has no specification".to_owned()))?;
        let spec = AuditSpec::try_new(&convert::draft_from(spec))
            .map_err(|mistakes| faults::spec(format!("the specification is refused: {mistakes}")))?;
        if !numerics.contains(&assign.numerics) {
            return Err(faults::worker(format!(
                "the pack wants the numerics class {}, which this worker does not offer: it has {}",
                assign.numerics,
                numerics.join(", ")
            )));
        }
        let dataset = BlobRef::try_from_wire("dataset", assign.dataset).map_err(wrong)?;
        let content = assign.data_digest.parse().map_err(|error| wrong(format!("data_digest: {error}")))?;
        let shadows = checked_shadows(&spec, assign.first_shadow, assign.shadows).map_err(wrong)?;
        if assign.steps == 0 {
            return Err(wrong("it has no steps".to_owned()));
        }
        let resume = assign.resume_from.and_then(|checkpoint| match resumable(checkpoint) {
            Ok(blob) => Some(blob),
            Err(reason) => {
                tracing::warn!(reason, "begin from the start: the checkpoint cannot be used");
                None
            }
        });
        Ok(Self { spec, dataset, content, shadows, steps: assign.steps, resume })
    }
}

/// The shadows, which lie within one block: packs never cross blocks.
fn checked_shadows(spec: &AuditSpec, first: u32, count: u32) -> Result<Range<u32>, String> {
    let end = first.checked_add(count).filter(|&end| count > 0 && end <= spec.shadows().count());
    let block = spec.shadows().block();
    match end {
        Some(end) if first / block == (end - 1) / block => Ok(first..end),
        _ => Err(format!("{count} shadows from {first} are no pack of {}", spec.shadows().count())),
    }
}

fn resumable(checkpoint: v1::Checkpoint) -> Result<BlobRef, String> {
    let blob = BlobRef::try_from_wire("checkpoint", checkpoint.blob)?;
    if blob.size > MAX_CHECKPOINT {
        return Err(format!("{} bytes are too many for a checkpoint", blob.size));
    }
    Ok(blob)
}

#[cfg(test)]
mod tests {
    use umbra_core::fault::{Domain, Retry};

    use super::*;

    fn assign() -> v1::Assign {
        v1::Assign {
            spec: Some(v1::AuditSpec {
                name: "a".into(),
                dataset: "d".into(),
                model: Some(v1::ModelSpec {
                    architecture: "logistic".into(),
                    widths: vec![],
                    ..Default::default()
                }),
                training: Some(v1::TrainingSpec {
                    learning_rate: Some(0.1),
                    batch: Some(4),
                    epochs: Some(1),
                    ..v1::TrainingSpec::default()
                }),
                shadows: Some(v1::ShadowSpec { count: Some(16), block: Some(8), population: None }),
                ..v1::AuditSpec::default()
            }),
            dataset: Some(convert::blob("key", &Digest::of(b"x"), 1)),
            data_digest: Digest::of(b"y").to_string(),
            first_shadow: 8,
            shadows: 4,
            steps: 5,
            numerics: "n".into(),
            ..v1::Assign::default()
        }
    }

    #[test]
    fn what_cannot_work_is_classified() {
        let offers = ["n".to_owned()];
        let task = Task::try_from_wire(assign(), &offers).unwrap();
        assert_eq!((task.shadows, task.resume), (8..12, None));

        type Change = fn(&mut v1::Assign);
        let cases: [(Change, Domain, Retry); 5] = [
            (|a| a.spec.as_mut().unwrap().name.clear(), Domain::Spec, Retry::Never),
            (|a| a.numerics = "m".into(), Domain::Worker, Retry::Elsewhere),
            (|a| a.dataset = None, Domain::Bug, Retry::Elsewhere),
            (|a| a.first_shadow = 6, Domain::Bug, Retry::Elsewhere),
            (|a| a.shadows = u32::MAX, Domain::Bug, Retry::Elsewhere),
        ];
        for (change, domain, retry) in cases {
            let mut wrong = assign();
            change(&mut wrong);
            let fault = Task::try_from_wire(wrong, &offers).unwrap_err();
            assert_eq!((fault.domain, fault.retry), (domain, retry), "{fault}");
        }
    }

    #[test]
    fn a_checkpoint_that_makes_no_sense_does_not_fail_the_pack() {
        let mut assign = assign();
        assign.resume_from = Some(v1::Checkpoint { step: 5, fence: 1, blob: None });
        assert_eq!(Task::try_from_wire(assign, &["n".to_owned()]).unwrap().resume, None);
    }
}
