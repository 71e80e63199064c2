//! How records are varied. Every draw comes from the seed tree: in training it depends on shadow, step and place in
//! the batch alone, in queries on the record and the view alone.

use super::check::Violations;
use super::draft::AugmentDraft;
use crate::shape::{DataShape, Form};

/// The variations, in the order they are applied; a number of 0 is none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Augment {
    rotate: f64,
    flip: bool,
    shift: u32,
    brightness: f64,
    contrast: f64,
    scale: f64,
    noise: f64,
    drop: f64,
}

impl Augment {
    pub(super) fn check(draft: &AugmentDraft, wrong: &mut Violations) -> Option<Self> {
        let mut number = |key: &str, given: Option<f64>, high: f64| {
            wrong.within(&format!("augment.{key}"), given.unwrap_or(0.0), 0.0, high)
        };
        let rotate = number("rotate", draft.rotate, 180.0);
        let brightness = number("brightness", draft.brightness, 1e3);
        let contrast = number("contrast", draft.contrast, 1.0);
        let scale = number("scale", draft.scale, 1.0);
        let noise = number("noise", draft.noise, 1e3);
        let drop = number("drop", draft.drop, 0.95);
        let shift = wrong.within("augment.shift", draft.shift.unwrap_or(0), 0, 4096);
        Some(Self {
            rotate: rotate?,
            flip: draft.flip.unwrap_or(false),
            shift: shift?,
            brightness: brightness?,
            contrast: contrast?,
            scale: scale?,
            noise: noise?,
            drop: drop?,
        })
    }

    pub(super) fn to_draft(self) -> AugmentDraft {
        let given = |value: f64| (value > 0.0).then_some(value);
        AugmentDraft {
            rotate: given(self.rotate),
            flip: self.flip.then_some(true),
            shift: (self.shift > 0).then_some(self.shift),
            brightness: given(self.brightness),
            contrast: given(self.contrast),
            scale: given(self.scale),
            noise: given(self.noise),
            drop: given(self.drop),
        }
    }

    /// Notes what is no variation of data of `shape`.
    pub(super) fn check_shape(&self, shape: &DataShape, wrong: &mut Violations) {
        let (image, signal) =
            (matches!(shape.form, Form::Image { .. }), matches!(shape.form, Form::Signal { .. }));
        let kinds = [
            ("rotate", self.rotate > 0.0, image, "images"),
            ("flip", self.flip, image, "images"),
            ("shift", self.shift > 0, image || signal, "images and signals"),
            ("brightness", self.brightness > 0.0, image, "images"),
            ("contrast", self.contrast > 0.0, image, "images"),
            ("scale", self.scale > 0.0, signal, "signals"),
            ("drop", self.drop > 0.0, !image, "signals and tables"),
        ];
        for (key, _, _, what) in kinds.into_iter().filter(|&(_, given, fits, _)| given && !fits) {
            wrong.push(&format!("augment.{key}"), format!("it is for {what}: leave it out"));
        }
    }

    /// Every variation with its number, by key; those that are off left out.
    pub fn settings(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let all = [
            ("rotate", self.rotate),
            ("flip", f64::from(u8::from(self.flip))),
            ("shift", f64::from(self.shift)),
            ("brightness", self.brightness),
            ("contrast", self.contrast),
            ("scale", self.scale),
            ("noise", self.noise),
            ("drop", self.drop),
        ];
        all.into_iter().filter(|&(_, value)| value > 0.0)
    }

    /// Whether nothing is varied.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The most degrees that an image is turned about its centre, either way; zeros turn in.
    pub fn rotate(&self) -> f64 {
        self.rotate
    }

    /// Whether images are mirrored left to right, half of the time.
    pub fn flip(&self) -> bool {
        self.flip
    }

    /// The most pixels (both ways, each axis) or points in time that a record is moved by; zeros move in.
    pub fn shift(&self) -> u32 {
        self.shift
    }

    /// The most that is added to all of an image, or taken away.
    pub fn brightness(&self) -> f64 {
        self.brightness
    }

    /// The largest share by which an image's distance from its mean grows or shrinks.
    pub fn contrast(&self) -> f64 {
        self.contrast
    }

    /// The largest share by which a signal grows or shrinks.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// The standard deviation of the Gaussian noise on every number.
    pub fn noise(&self) -> f64 {
        self.noise
    }

    /// The probability that a lead, or a feature of a table, is set to 0.
    pub fn drop(&self) -> f64 {
        self.drop
    }
}
