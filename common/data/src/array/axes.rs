//! Which axis of an array is what.

use umbra_core::shape::Form;

use crate::limits::{MAX_CHANNELS, MAX_FEATURES};
use crate::schema::AxisOrder;

/// The form of records of an array with these axes after that of the records, or what is wrong.
pub(super) fn form(
    axes: &[usize],
    order: Option<AxisOrder>,
    is_usual: bool,
) -> Result<(AxisOrder, Form), String> {
    let order = match (order, axes.len()) {
        (Some(order), _) => order,
        (None, 1) => AxisOrder::T,
        // Records that are called images are what MedMNIST saves.
        (None, 2) if is_usual => AxisOrder::Hw,
        (None, 3) if is_usual => AxisOrder::Hwc,
        (None, 2) => return Err("say what its axes are: layout = \"HW\", \"TC\" or \"CT\"".to_owned()),
        (None, 3) => return Err("say what its axes are: layout = \"HWC\" or \"CHW\"".to_owned()),
        (None, 0) => return Err("it has one axis: records need numbers of their own".to_owned()),
        (None, _) => return Err("it has more axes than images and signals have".to_owned()),
    };
    let wanted = order.name().len();
    if axes.len() != wanted {
        return Err(format!(
            "layout \"{}\" has {wanted} axes after that of the records, the array has {}",
            order.name(),
            axes.len()
        ));
    }
    let mut narrow = Vec::new();
    for &axis in axes {
        let axis = u32::try_from(axis).ok().filter(|&axis| axis > 0);
        narrow.push(axis.ok_or("an axis of it is empty, or absurdly long")?);
    }
    let form = match (order, &narrow[..]) {
        (AxisOrder::Hw, &[height, width]) => Form::Image { height, width, channels: 1 },
        (AxisOrder::Hwc, &[height, width, channels]) => Form::Image { height, width, channels },
        (AxisOrder::Chw, &[channels, height, width]) => Form::Image { height, width, channels },
        (AxisOrder::T, &[samples]) => Form::Signal { samples, leads: 1 },
        (AxisOrder::Tc, &[samples, leads]) | (AxisOrder::Ct, &[leads, samples]) => {
            Form::Signal { samples, leads }
        }
        _ => return Err("its axes are not those of its layout".to_owned()),
    };
    let channels = crate::values::channels_of(&form);
    if channels > MAX_CHANNELS {
        return Err(format!("it has {channels} channels, more than {MAX_CHANNELS}: check the layout"));
    }
    match form.features() {
        Some(features) if features <= MAX_FEATURES => Ok((order, form)),
        _ => Err(format!("a record has more than {MAX_FEATURES} numbers: make records smaller")),
    }
}

/// For every place of a record with its channels last, the place in the array; `None` if they are the same.
pub(super) fn places(order: AxisOrder, form: &Form) -> Option<Vec<u32>> {
    let (points, channels) = match (order, *form) {
        (AxisOrder::Chw, Form::Image { height, width, channels }) => (height * width, channels),
        (AxisOrder::Ct, Form::Signal { samples, leads }) => (samples, leads),
        _ => return None,
    };
    if points == 1 || channels == 1 {
        return None;
    }
    Some((0..points).flat_map(|point| (0..channels).map(move |channel| channel * points + point)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_become_a_form() {
        let image = Form::Image { height: 4, width: 5, channels: 3 };
        assert_eq!(form(&[3, 4, 5], Some(AxisOrder::Chw), false), Ok((AxisOrder::Chw, image)));
        assert_eq!(form(&[4, 5, 3], None, true), Ok((AxisOrder::Hwc, image)));
        assert!(form(&[4, 5, 3], None, false).is_err() && form(&[4, 5], None, false).is_err());
        let signal = Form::Signal { samples: 7, leads: 1 };
        assert_eq!(form(&[7], None, false), Ok((AxisOrder::T, signal)));
        assert!(form(&[0], None, false).is_err() && form(&[], None, false).is_err());
        assert!(form(&[1 << 12, 1 << 12], Some(AxisOrder::Hw), false).is_err());
        assert!(form(&[1 << 16, 1 << 16], Some(AxisOrder::Hw), false).is_err());
        assert!(form(&[5000, 2], Some(AxisOrder::Ct), false).is_err());
    }

    #[test]
    fn channels_come_last() {
        let signal = Form::Signal { samples: 3, leads: 2 };
        assert_eq!(places(AxisOrder::Ct, &signal), Some(vec![0, 3, 1, 4, 2, 5]));
        assert_eq!(places(AxisOrder::Tc, &signal), None);
    }
}
