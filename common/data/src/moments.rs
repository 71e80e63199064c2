//! Mean and standard deviation of every channel over all records: of whole numbers exactly, of others in
//! double precision in canonical order, so that the order of the rows changes nothing.

use crate::values::Number;

/// Sums over records.
pub(crate) struct Moments {
    number: Number,
    points: u64,
    whole: Vec<Whole>,
    real: Vec<Real>,
}

#[derive(Clone, Default)]
struct Whole {
    sum: i64,
    squares: i128,
}

#[derive(Clone, Default)]
struct Real {
    /// The first number, which the others are counted from.
    pilot: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    pub(crate) fn new(number: Number, channels: usize) -> Self {
        Self {
            number,
            points: 0,
            whole: vec![Whole::default(); channels],
            real: vec![Real::default(); channels],
        }
    }

    /// Adds a record as it is stored.
    pub(crate) fn add(&mut self, record: &[u8]) {
        let channels = self.whole.len();
        let points = record.len() / (channels * self.number.bytes()).max(1);
        match self.number {
            Number::U8 => add_whole(&mut self.whole, record.iter().map(|&x| i64::from(x))),
            Number::I16 => {
                let numbers = record.chunks_exact(2).map(|x| i64::from(i16::from_le_bytes([x[0], x[1]])));
                add_whole(&mut self.whole, numbers);
            }
            Number::F32 => {
                let numbers =
                    record.chunks_exact(4).map(|x| f64::from(f32::from_le_bytes([x[0], x[1], x[2], x[3]])));
                for (i, x) in numbers.enumerate() {
                    let real = &mut self.real[i % channels];
                    if self.points == 0 && i < channels {
                        real.pilot = x;
                    }
                    let x = x - real.pilot;
                    real.sum += x;
                    real.squares += x * x;
                }
            }
        }
        self.points += points as u64;
    }

    /// Mean and population standard deviation of every channel.
    pub(crate) fn finish(&self) -> Vec<(f64, f64)> {
        let n = self.points as f64;
        let whole = |whole: &Whole| {
            // n squares - sum^2: of at most 2^40 numbers below 2^15 neither product reaches 2^127.
            let spread = i128::from(self.points) * whole.squares - i128::from(whole.sum).pow(2);
            (whole.sum as f64 / n, (spread as f64).sqrt() / n)
        };
        let real = |real: &Real| {
            let shift = real.sum / n;
            (real.pilot + shift, (real.squares / n - shift * shift).max(0.0).sqrt())
        };
        match self.number {
            Number::U8 | Number::I16 => self.whole.iter().map(whole).collect(),
            Number::F32 => self.real.iter().map(real).collect(),
        }
    }
}

fn add_whole(sums: &mut [Whole], numbers: impl Iterator<Item = i64>) {
    let channels = sums.len();
    // A record has at most 2^22 numbers, so that their squares' sum stays below 2^52.
    if let [only] = sums {
        let (sum, squares) = numbers.fold((0i64, 0i64), |(sum, squares), x| (sum + x, squares + x * x));
        only.sum += sum;
        only.squares += i128::from(squares);
        return;
    }
    let mut of_record = vec![(0i64, 0i64); channels];
    for (i, x) in numbers.enumerate() {
        let (sum, squares) = &mut of_record[i % channels];
        *sum += x;
        *squares += x * x;
    }
    for (total, (sum, squares)) in sums.iter_mut().zip(of_record) {
        total.sum += sum;
        total.squares += i128::from(squares);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_definition() {
        let mut both = Moments::new(Number::I16, 2);
        for record in [[2i16, -32768, 4, 32767], [4, -32768, 4, 32767], [5, 0, 5, 0], [7, 0, 9, 0]] {
            both.add(&record.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>());
        }
        // 2, 4, 4, 4, 5, 5, 7, 9 have mean 5 and standard deviation 2.
        assert_eq!(both.finish()[0], (5.0, 2.0));
        assert_eq!(both.finish()[1].0, -0.25);
        let mut far = Moments::new(Number::F32, 1);
        for x in [100_002f32, 100_004.0, 100_004.0, 100_004.0, 100_005.0, 100_005.0, 100_007.0, 100_009.0] {
            far.add(&x.to_le_bytes());
        }
        assert_eq!(far.finish(), [(100_005.0, 2.0)]);
        let mut alike = Moments::new(Number::U8, 1);
        alike.add(&[7; 99]);
        assert_eq!(alike.finish(), [(7.0, 0.0)]);
    }
}
