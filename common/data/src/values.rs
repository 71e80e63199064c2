//! The numbers of records as they are stored, and the two numbers a channel that make them fit for training.

use serde::{Deserialize, Serialize};
use umbra_core::shape::Form;

/// How one number of a record is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Number {
    /// Single precision, 4 bytes.
    F32,
    /// 0 to 255, 1 byte: the pixels of most images.
    U8,
    /// -32768 to 32767, 2 bytes: most ECGs.
    I16,
}

/// The numbers of all records as they are stored, `[records][features]`, a record's channels last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Values<'a> {
    /// Single precision.
    F32(&'a [f32]),
    /// 0 to 255.
    U8(&'a [u8]),
    /// -32768 to 32767.
    I16(&'a [i16]),
}

/// One channel of the records: how it is called and what it is normalised by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    /// Its name, such as `red` or `V1`.
    pub name: String,
    /// What is subtracted from a stored number, in stored numbers.
    pub mean: f64,
    /// What the difference is divided by, in stored numbers; 0 where the channel is the same everywhere and
    /// becomes 0.
    pub sd: f64,
}

/// Numbers of a run of points that are normalised together.
const RUN: usize = 96;

/// What a reader makes of stored numbers: `y = x * scale[c] + shift[c]`, both operations rounded to single
/// precision, `c` the channel, which runs fastest within a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalisation {
    channels: usize,
    /// The channels' factors and shifts over and over, whole points: long runs are quicker.
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl Number {
    /// Bytes of one number.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::U8 => 1,
            Self::I16 => 2,
        }
    }

    /// The name people know it by, as numpy writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::U8 => "uint8",
            Self::I16 => "int16",
        }
    }
}

impl Values<'_> {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::U8(values) => values.len(),
            Self::I16(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How they are stored.
    pub fn number(&self) -> Number {
        match self {
            Self::F32(_) => Number::F32,
            Self::U8(_) => Number::U8,
            Self::I16(_) => Number::I16,
        }
    }
}

impl Normalisation {
    /// One that changes nothing: `scale` 1 and `shift` 0, for tables, whose columns are standardised already.
    pub fn identity() -> Self {
        Self { channels: 1, scale: vec![1.0], shift: vec![0.0] }
    }

    /// That of channels.
    pub fn of(channels: &[Channel]) -> Self {
        if channels.is_empty() {
            return Self::identity();
        }
        let flat = |channel: &Channel| channel.sd == 0.0;
        let scale = |channel: &Channel| if flat(channel) { 0.0 } else { (1.0 / channel.sd) as f32 };
        let shift = |channel: &Channel| if flat(channel) { 0.0 } else { (-channel.mean / channel.sd) as f32 };
        let times = if channels.len() == 1 { 1 } else { (RUN / channels.len()).max(1) };
        let over = || channels.iter().cycle().take(channels.len() * times);
        Self {
            channels: channels.len(),
            scale: over().map(scale).collect(),
            shift: over().map(|channel| shift(channel) + 0.0).collect(),
        }
    }

    /// The factor of every channel; one for all where there is one.
    pub fn scale(&self) -> &[f32] {
        &self.scale[..self.channels]
    }

    /// What is added to every channel; as many as there are factors.
    pub fn shift(&self) -> &[f32] {
        &self.shift[..self.channels]
    }

    /// Factors and shifts of one point after the other, for a whole number of points.
    pub(crate) fn runs(&self) -> (&[f32], &[f32]) {
        (&self.scale, &self.shift)
    }

    /// Whether numbers stay as they are.
    pub fn is_identity(&self) -> bool {
        self.scale.iter().all(|&scale| scale == 1.0) && self.shift.iter().all(|&shift| shift == 0.0)
    }
}

impl Channel {
    /// Whether both numbers are such that every stored number stays finite.
    pub(crate) fn is_sound(&self) -> bool {
        let finite = |x: f64| (x as f32).is_finite();
        let sd = self.sd;
        self.mean.is_finite()
            && sd.is_finite()
            && sd >= 0.0
            && (sd == 0.0 || (finite(1.0 / sd) && (1.0 / sd) as f32 != 0.0 && finite(self.mean / sd)))
    }
}

/// Channels of a form: of an image its colours, of a signal its leads, of a table none.
pub(crate) fn channels_of(form: &Form) -> u32 {
    match *form {
        Form::Table => 0,
        Form::Image { channels, .. } => channels,
        Form::Signal { leads, .. } => leads,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_becomes_a_factor_and_a_shift() {
        let channel = |mean, sd| Channel { name: String::new(), mean, sd };
        let both = Normalisation::of(&[channel(128.0, 64.0), channel(7.0, 0.0)]);
        assert_eq!(both.scale(), [1.0 / 64.0, 0.0]);
        assert_eq!(both.shift(), [-2.0, 0.0]);
        assert!(
            Normalisation::of(&[]).is_identity() && Normalisation::of(&[channel(0.0, 1.0)]).is_identity()
        );
        assert!(channel(1.0, 1e-3).is_sound());
        assert!(!channel(1.0, 1e-60).is_sound() && !channel(f64::NAN, 1.0).is_sound());
        assert!(!channel(0.0, 1e60).is_sound());
    }
}
