//! What an audit may need at most. Refused when it is submitted, in words, rather than when a process runs
//! out of memory.

use tonic::Status;
use umbra_core::shape::DataShape;
use umbra_core::spec::{AuditSpec, Violations};
use umbra_data::logits::LogitsHeader;
use umbra_proto::error::bad_fields;

/// The most bytes of a membership table, which the coordinator and every worker hold in memory: 256 shadows
/// of 33 million units, or 65,536 of 131,072.
const MAX_MEMBERSHIP: u64 = 1 << 30;

/// Units that are reserved, as is expected, at least: the robust attack's scores are shares of them.
const LEAST_RESERVED: f64 = 20.0;

/// Checks that an audit of this shape can be carried out where a pack's logits may have `most` bytes.
///
/// # Errors
/// A status that names every bound that is exceeded, and the field to change.
pub fn check(spec: &AuditSpec, shape: &DataShape, most: u64) -> Result<(), Status> {
    let mut wrong = spec.check_shape(shape).err().unwrap_or_default();
    let shadows = spec.shadows().count();
    let membership = shape.units.saturating_mul(u64::from(shadows).div_ceil(64) * 8);
    if membership > MAX_MEMBERSHIP {
        let message = format!(
            "who is in which of {shadows} shadows takes {membership} bytes for {} units, {MAX_MEMBERSHIP} are the \
             most: use fewer shadows",
            shape.units
        );
        wrong.push("shadows.count", message);
    }
    let population = spec.shadows().population();
    let reserved = population * shape.units as f64;
    if population > 0.0 && reserved < LEAST_RESERVED {
        let message = format!(
            "{population} of {} units are about {reserved:.0}: reserve {LEAST_RESERVED} at least, or none",
            shape.units
        );
        wrong.push("shadows.population", message);
    }
    let pack = spec.placement().pack();
    let (views, logits) = (spec.queries().views(), spec.training().logits(shape));
    let row = u64::from(logits).saturating_mul(u64::from(views)).saturating_mul(u64::from(pack));
    let bytes = shape.records.saturating_mul(row).saturating_mul(4);
    if bytes > most || row > LogitsHeader::MAX_ROW {
        let (views, fewer) = match views {
            1 => (String::new(), ""),
            views => (format!(" in {views} views"), " or fewer views"),
        };
        let bound = match bytes > most {
            true => format!("{most} bytes that a pack's result may have"),
            false => format!("{} values that a record may have", LogitsHeader::MAX_ROW),
        };
        let message = format!(
            "the logits of {} records{views}, {logits} each, under {pack} shadows are over the {bound}: use smaller \
             packs{fewer}",
            shape.records
        );
        wrong.push("placement.pack", message);
    }
    if wrong.is_empty() { Ok(()) } else { Err(bad_fields(&wrong)) }
}

/// Checks that the attributes whose groups are to be crossed are among the data set's.
///
/// # Errors
/// A status that names those that are not.
pub fn check_attributes(spec: &AuditSpec, known: &[String]) -> Result<(), Status> {
    let mut wrong = Violations::default();
    let crossed = spec.statistics().intersections();
    for name in crossed.iter().flat_map(|(first, second)| [first, second]) {
        if !known.contains(name) {
            let message = match known {
                [] => format!("\"{name}\" cannot be crossed: the schema names no groups"),
                known => format!("\"{name}\" is no group of the schema: use two of {}", known.join(", ")),
            };
            wrong.push("statistics.intersections", message);
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(bad_fields(&wrong)) }
}

#[cfg(test)]
mod tests {
    use umbra_core::spec::{
        AugmentDraft, ModelDraft, QueriesDraft, ShadowsDraft, SpecDraft, StatisticsDraft, TrainingDraft,
    };
    use umbra_proto::error::violations;

    use super::*;

    fn spec(count: u32, crossed: &[[&str; 2]]) -> AuditSpec {
        let draft = SpecDraft {
            name: "a".into(),
            dataset: "d".into(),
            model: ModelDraft { architecture: "logistic".into(), widths: vec![], ..ModelDraft::default() },
            training: TrainingDraft {
                learning_rate: Some(0.1),
                batch: Some(256),
                epochs: Some(1),
                ..TrainingDraft::default()
            },
            shadows: ShadowsDraft { count: Some(count), block: None, population: None },
            statistics: StatisticsDraft {
                intersections: Some(crossed.iter().map(|pair| pair.map(str::to_owned).to_vec()).collect()),
                ..StatisticsDraft::default()
            },
            ..SpecDraft::default()
        };
        AuditSpec::try_new(&draft).unwrap()
    }

    fn fields(count: u32, units: u64) -> Vec<String> {
        let shape = DataShape::table(units, units, 10, 2);
        let checked = check(&spec(count, &[]), &shape, 64 << 30);
        let wrong = checked.err().map(|status| violations(&status)).unwrap_or_default();
        wrong.into_iter().map(|violation| violation.field).collect()
    }

    #[test]
    fn an_absurd_audit_is_refused_by_what_makes_it_so() {
        assert!(fields(64, 9_105).is_empty());
        assert!(fields(256, 33_000_000).is_empty());
        assert_eq!(fields(65_536, 1_000_000_000), ["shadows.count"]);
        // 4 shadows x 2 classes x 4 bytes for each record.
        assert_eq!(fields(64, 3_000_000_000), ["shadows.count", "placement.pack"]);
        assert_eq!(fields(64, u64::MAX), ["shadows.count", "placement.pack"]);
    }

    #[test]
    fn views_count_in_the_size_of_a_result() {
        let mut draft = spec(64, &[]).to_draft();
        draft.augment = AugmentDraft { noise: Some(0.1), ..AugmentDraft::default() };
        draft.queries = QueriesDraft { views: Some(16) };
        let views = AuditSpec::try_new(&draft).unwrap();
        // 4 shadows x 16 views x 2 classes x 4 bytes for each record.
        let of = |records, classes| DataShape::table(records, records, 10, classes);
        assert!(check(&views, &of(1_000, 2), 512_000).is_ok());
        let message = |shape: DataShape, most| {
            violations(&check(&views, &shape, most).unwrap_err()).swap_remove(0).message
        };
        let found = message(of(1_000, 2), 511_999);
        assert!(found.contains("1000 records in 16 views") && found.contains("or fewer views"), "{found}");
        // 2^18 classes would fill a record's 2^24 values.
        let found = message(of(10, (1 << 18) + 1), u64::MAX);
        assert!(found.contains("16777216 values that a record may have"), "{found}");
    }

    #[test]
    fn one_logit_for_two_classes_is_half_of_a_result() {
        let mut draft = spec(64, &[]).to_draft();
        draft.training.loss = Some("bce".into());
        let one = AuditSpec::try_new(&draft).unwrap();
        // 4 shadows x 1 logit x 4 bytes for each record.
        let shape = DataShape::table(1_000, 1_000, 10, 2);
        assert!(check(&one, &shape, 16_000).is_ok() && check(&one, &shape, 15_999).is_err());
        let wrong = violations(&check(&one, &DataShape { classes: 3, ..shape }, 1 << 30).unwrap_err());
        assert_eq!(wrong[0].field, "training.loss");
    }

    #[test]
    fn groups_that_cannot_be_crossed_are_named() {
        let known = ["sex".to_owned(), "race".to_owned()];
        assert!(check_attributes(&spec(64, &[["race", "sex"]]), &known).is_ok());
        let status = check_attributes(&spec(64, &[["sex", "income"]]), &known).unwrap_err();
        let wrong = violations(&status);
        assert_eq!(wrong[0].field, "statistics.intersections");
        assert_eq!(wrong[0].message, "\"income\" is no group of the schema: use two of sex, race");
    }
}
