//! Numbers of an array.

use std::ops::Range;

use super::dtype::Kind;
use super::error::NpyError;
use super::file::NpyFile;

/// Positions on the first axis that are brought together at once: their runs fit the second-level cache,
/// and what lies side by side in the result is written as whole cache lines.
const TOGETHER: usize = 16;

/// A floating-point number that logits are read as.
pub trait Real: Copy {
    /// The number nearest to `value`; exact for every number of the same or a shorter format.
    fn of(value: f64) -> Self;
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }
}

impl NpyFile {
    /// Reads, of an array `[a][b][rest...]` of floating-point numbers, the part `range` of the second axis,
    /// laid out `[b][rest...][a]`: the first axis fastest. `raw` is a buffer.
    ///
    /// # Errors
    /// If the file cannot be read.
    ///
    /// # Panics
    /// If the items are not floating-point, there is no second axis, or range or `out` do not fit.
    pub fn read_floats<T: Real>(
        &self,
        range: Range<usize>,
        raw: &mut Vec<u8>,
        out: &mut [T],
    ) -> Result<(), NpyError> {
        let dtype = self.dtype();
        assert!(dtype.kind == Kind::Float, "floats are read of arrays of floats");
        match (dtype.size, dtype.big_endian) {
            (2, false) => self.gather(range, raw, out, |b| T::of(half(u16::from_le_bytes(b)))),
            (2, true) => self.gather(range, raw, out, |b| T::of(half(u16::from_be_bytes(b)))),
            (4, false) => self.gather(range, raw, out, |b| T::of(f64::from(f32::from_le_bytes(b)))),
            (4, true) => self.gather(range, raw, out, |b| T::of(f64::from(f32::from_be_bytes(b)))),
            (_, false) => self.gather(range, raw, out, |b| T::of(f64::from_le_bytes(b))),
            (_, true) => self.gather(range, raw, out, |b| T::of(f64::from_be_bytes(b))),
        }
    }

    /// Reads, of an array `[a][b]` of one-byte items, the part `range` of the second axis, laid out
    /// `[b][a]`. `raw` is a buffer.
    ///
    /// # Errors
    /// If the file cannot be read.
    ///
    /// # Panics
    /// If items are longer than a byte, there is no second axis, or range or `out` do not fit.
    pub fn read_bytes(&self, range: Range<usize>, raw: &mut Vec<u8>, out: &mut [u8]) -> Result<(), NpyError> {
        assert!(self.dtype().size == 1, "bytes are read of arrays of bytes");
        self.gather(range, raw, out, |[byte]: [u8; 1]| byte)
    }

    fn gather<const N: usize, T: Copy>(
        &self,
        range: Range<usize>,
        raw: &mut Vec<u8>,
        out: &mut [T],
        decode: impl Fn([u8; N]) -> T,
    ) -> Result<(), NpyError> {
        let shape = self.shape();
        assert!(shape.len() >= 2 && range.end <= shape[1], "the range lies within the second axis");
        let (first, second) = (shape[0], shape[1]);
        let rest: usize = shape[2..].iter().product();
        let count = range.len();
        assert!(out.len() == first * count * rest, "the buffer has the size of the part");
        if out.is_empty() {
            return Ok(());
        }
        let item = |bytes: &[u8]| decode(std::array::from_fn(|i| bytes[i]));
        if self.is_fortran() {
            // For every place in the rest of the axes the part is one run, laid out as it is wanted.
            raw.resize(first * count * N, 0);
            for place in 0..rest {
                let at = (range.start + second * fortran_place(&shape[2..], place)) * first;
                self.read_items(at as u64..(at + first * count) as u64, raw)?;
                let targets = out.chunks_exact_mut(first).skip(place).step_by(rest);
                for (target, bytes) in targets.zip(raw.chunks_exact(first * N)) {
                    for (value, bytes) in target.iter_mut().zip(bytes.chunks_exact(N)) {
                        *value = item(bytes);
                    }
                }
            }
            return Ok(());
        }
        let run = count * rest;
        for start in (0..first).step_by(TOGETHER) {
            let end = first.min(start + TOGETHER);
            raw.resize((end - start) * run * N, 0);
            for (position, bytes) in (start..end).zip(raw.chunks_exact_mut(run * N)) {
                let at = (position * second + range.start) * rest;
                self.read_items(at as u64..(at + run) as u64, bytes)?;
            }
            for (index, target) in out.chunks_exact_mut(first).enumerate() {
                for (value, bytes) in target[start..end].iter_mut().zip(raw.chunks_exact(run * N)) {
                    *value = item(&bytes[index * N..]);
                }
            }
        }
        Ok(())
    }

    /// Goes through an array of whole numbers; `visit` gets the place of a number in C order and the number
    /// (of uint64 its bits: see [`NpyFile::spell`]), and may end it all with an error.
    ///
    /// # Errors
    /// If the file cannot be read, or what `visit` says.
    ///
    /// # Panics
    /// If the items are not whole numbers.
    pub fn for_each_integer(
        &self,
        mut visit: impl FnMut(usize, i64) -> Result<(), NpyError>,
    ) -> Result<(), NpyError> {
        let dtype = self.dtype();
        assert!(dtype.is_integer(), "whole numbers are read of arrays of whole numbers");
        let is_signed = dtype.kind == Kind::Signed;
        self.for_each_item(|place, bytes| {
            let mut wide = [0u8; 8];
            for (i, target) in wide[..dtype.size].iter_mut().enumerate() {
                *target = if dtype.big_endian { bytes[dtype.size - 1 - i] } else { bytes[i] };
            }
            let bits = u64::from_le_bytes(wide);
            // Moves the sign to the top and back, so that it fills what the item lacks.
            let spare = 64 - 8 * dtype.size as u32;
            visit(place, if is_signed { (bits << spare) as i64 >> spare } else { bits as i64 })
        })
    }

    /// Goes through an array of numbers; `visit` gets the place of a number in C order and the number.
    ///
    /// # Errors
    /// If the file cannot be read, or what `visit` says.
    pub(crate) fn for_each_real(
        &self,
        mut visit: impl FnMut(usize, f64) -> Result<(), NpyError>,
    ) -> Result<(), NpyError> {
        self.for_each_item(|place, bytes| visit(place, self.real(bytes)))
    }

    /// An item as a number; whole ones beyond 2^53 are rounded.
    pub(crate) fn real(&self, item: &[u8]) -> f64 {
        let dtype = self.dtype();
        let mut wide = [0u8; 8];
        for (i, target) in wide[..dtype.size.min(8)].iter_mut().enumerate() {
            *target = if dtype.big_endian { item[dtype.size - 1 - i] } else { item[i] };
        }
        let bits = u64::from_le_bytes(wide);
        match (dtype.kind, dtype.size) {
            (Kind::Float, 2) => half(bits as u16),
            (Kind::Float, 4) => f64::from(f32::from_bits(bits as u32)),
            (Kind::Float, _) => f64::from_bits(bits),
            (Kind::Signed, size) => {
                let spare = 64 - 8 * size as u32;
                ((bits << spare) as i64 >> spare) as f64
            }
            _ => bits as f64,
        }
    }

    /// A number that [`NpyFile::for_each_integer`] gave, as its file means it.
    pub fn spell(&self, number: i64) -> String {
        if self.dtype().kind == Kind::Unsigned { (number as u64).to_string() } else { number.to_string() }
    }
}

/// Where a place of `axes` in C order is stored if the first axis runs fastest.
pub(super) fn fortran_place(axes: &[usize], place: usize) -> usize {
    let mut rest = place;
    let mut stride = axes.iter().product::<usize>();
    let mut stored = 0;
    for &axis in axes.iter().rev() {
        stride /= axis;
        stored += rest % axis * stride;
        rest /= axis;
    }
    stored
}

/// An IEEE 754 binary16 number.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    sign * match exponent {
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        // 2^-24 is the smallest subnormal number.
        0 => fraction / 16_777_216.0,
        _ => (1.0 + fraction / 1024.0) * f64::from_bits(((1023 - 15 + exponent) as u64) << 52),
    }
}
