//! Digests, blobs, shapes and faults.

use tonic::Status;
use umbra_core::digest::Digest;
use umbra_core::fault::{Domain, Fault, Retry};
use umbra_core::shape::{DataShape, Form, Targets};

use crate::error::bad_field;
use crate::v1::{self, data_shape::Form as WireForm};

/// A digest of 32 bytes in the message field `field`.
///
/// # Errors
/// A field violation unless there are 32 bytes.
pub fn digest(field: &str, bytes: &[u8]) -> Result<Digest, Status> {
    Digest::from_slice(bytes)
        .map_err(|_| bad_field(field, format!("it has {} bytes: a SHA-256 has 32", bytes.len())))
}

/// The message that names a blob.
pub fn blob(key: impl Into<String>, digest: &Digest, size: u64) -> v1::Blob {
    v1::Blob { key: key.into(), sha256: digest.as_bytes().to_vec(), size }
}

/// A shape as a message.
pub fn shape_to(shape: &DataShape) -> v1::DataShape {
    v1::DataShape {
        records: shape.records,
        units: shape.units,
        features: shape.features,
        classes: shape.classes,
        form: match shape.form {
            Form::Table => None,
            Form::Image { height, width, channels } => {
                Some(WireForm::Image(v1::ImageForm { height, width, channels }))
            }
            Form::Signal { samples, leads } => Some(WireForm::Signal(v1::SignalForm { samples, leads })),
        },
        several_labels: shape.targets == Targets::Labels,
    }
}

/// A shape from a message; absent means empty.
pub fn shape_from(shape: Option<&v1::DataShape>) -> DataShape {
    let shape = shape.cloned().unwrap_or_default();
    DataShape {
        records: shape.records,
        units: shape.units,
        features: shape.features,
        classes: shape.classes,
        form: match shape.form {
            None => Form::Table,
            Some(WireForm::Image(v1::ImageForm { height, width, channels })) => {
                Form::Image { height, width, channels }
            }
            Some(WireForm::Signal(v1::SignalForm { samples, leads })) => Form::Signal { samples, leads },
        },
        targets: if shape.several_labels { Targets::Labels } else { Targets::Class },
    }
}

const DOMAINS: [(Domain, v1::FaultDomain); 6] = [
    (Domain::Spec, v1::FaultDomain::Spec),
    (Domain::Data, v1::FaultDomain::Data),
    (Domain::Device, v1::FaultDomain::Device),
    (Domain::Worker, v1::FaultDomain::Worker),
    (Domain::Store, v1::FaultDomain::Store),
    (Domain::Bug, v1::FaultDomain::Bug),
];

const RETRIES: [(Retry, v1::FaultRetry); 4] = [
    (Retry::Never, v1::FaultRetry::Never),
    (Retry::Backoff, v1::FaultRetry::Backoff),
    (Retry::Elsewhere, v1::FaultRetry::Elsewhere),
    (Retry::Larger, v1::FaultRetry::Larger),
];

/// A fault as a message.
pub fn fault_to(fault: &Fault) -> v1::Fault {
    let domain = DOMAINS.iter().find(|row| row.0 == fault.domain).expect("every domain has its row").1;
    let retry = RETRIES.iter().find(|row| row.0 == fault.retry).expect("every retry has its row").1;
    v1::Fault { domain: domain.into(), retry: retry.into(), message: fault.message.clone() }
}

/// A fault from a message; what is not stated counts as a bug that may be tried again.
pub fn fault_from(fault: &v1::Fault) -> Fault {
    let domain = DOMAINS.iter().find(|row| row.1 == fault.domain()).map_or(Domain::Bug, |row| row.0);
    let retry = RETRIES.iter().find(|row| row.1 == fault.retry()).map_or(Retry::Backoff, |row| row.0);
    Fault::new(domain, retry, fault.message.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_survive_the_wire() {
        for (domain, _) in DOMAINS {
            for (retry, _) in RETRIES {
                let fault = Fault::new(domain, retry, "m");
                assert_eq!(fault_from(&fault_to(&fault)), fault);
            }
        }
    }

    #[test]
    fn shapes_survive_the_wire() {
        for form in [
            Form::Table,
            Form::Image { height: 28, width: 27, channels: 3 },
            Form::Signal { samples: 1000, leads: 12 },
        ] {
            for targets in [Targets::Class, Targets::Labels] {
                let shape = DataShape { form, targets, ..DataShape::table(9, 8, 7, 6) };
                assert_eq!(shape_from(Some(&shape_to(&shape))), shape);
            }
        }
    }

    #[test]
    fn a_digest_has_32_bytes() {
        assert!(digest("sha256", &[0; 31]).is_err());
        assert_eq!(digest("sha256", &[7; 32]).unwrap().as_bytes(), &[7; 32]);
    }
}
