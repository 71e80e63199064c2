//! Weights over a patient's records, fitted on shadows that are already behind.

/// The least prior variance of the standardised differences.
const LEAST_VARIANCE: f64 = 0.02;

/// What a record weighs without any sign of a leak.
const FLOOR: f64 = 0.05;

/// The highest correlation between records that is believed.
const HIGHEST_CORRELATION: f64 = 0.98;

/// How much better the decorrelating weights must promise to be.
const GAIN: f64 = 1.25;

/// One record's signals on the past shadows.
#[derive(Debug, Clone, Copy, Default)]
struct Side {
    n: f64,
    mean: f64,
}

/// A patient's past: the signals `[record][shadow]` with 0 for absent ones, which the flags (1 or 0) tell.
pub(crate) struct Past<'a> {
    pub signals: &'a [f64],
    pub present: &'a [f64],
    /// Values from one record to the next.
    pub stride: usize,
    /// Past shadows: the first so many of every record.
    pub shadows: usize,
    /// 1 for IN shadows, 0 for OUT ones.
    pub inside: &'a [f64],
}

/// The fit; owns its buffers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fit {
    /// Weight of every record's signal, its scale included.
    pub weights: Vec<f64>,
    /// Standard deviation within sides, per record; 0 where there is none.
    scale: Vec<f64>,
    sides: Vec<(Side, Side)>,
    /// Standardised difference IN - OUT and its variance under the null.
    difference: Vec<(f64, f64)>,
    /// Sums over the records of the standardised residuals, plain and weighted, and how many; per shadow.
    sums: Vec<f64>,
    weighted: Vec<f64>,
    counts: Vec<f64>,
}

impl Fit {
    /// Fits the weights.
    ///
    /// With d the standardised differences, of null variance v = 1 / n_in + 1 / n_out (2 / k at k a side),
    /// and tau^2 their prior variance by moments, a record weighs m = max(d, 0) tau^2 / (tau^2 + v) + .05 on
    /// the scale of its standard deviation. Where records of a patient correlate by rho within a shadow,
    /// the best weights are the inverse of that equicorrelation matrix times m, and these are taken if the
    /// past says that they deflect more by a quarter.
    pub fn fit(&mut self, past: &Past<'_>) {
        self.standardise(past);
        let (records, n) = (self.scale.len() as f64, past.shadows as f64);
        let excess: f64 = self.difference.iter().map(|(d, v)| d * d - v).sum();
        let prior = (excess / records).max(LEAST_VARIANCE);
        let shrunk = |&(d, v): &(f64, f64)| d.max(0.0) * prior / (prior + v);
        self.weights.clear();
        self.weights.extend(self.difference.iter().map(|difference| shrunk(difference) + FLOOR));

        let squares = self.residuals(past);
        // Mean correlation of the residuals over pairs of records; the residuals of n values have n - 2
        // degrees of freedom.
        let cross: f64 = self.sums.iter().map(|sum| sum * sum).sum::<f64>() - squares;
        let pairs: f64 = self.counts.iter().map(|count| count * (count - 1.0)).sum();
        let rho = if pairs > 0.0 { cross / pairs * n / (n - 2.0).max(1.0) } else { 0.0 };
        let rho = rho.clamp(0.0, HIGHEST_CORRELATION);
        let common = rho / (1.0 - rho + records * rho) * self.weights.iter().sum::<f64>();

        // Predicted deflection: shrunk difference of the weighted sum over its standard deviation.
        let (mut plain, mut decorrelated) = (0.0, 0.0);
        for (weight, difference) in self.weights.iter().zip(&self.difference) {
            plain += weight * shrunk(difference);
            decorrelated += (weight - common) * shrunk(difference);
        }
        let (mut plain_square, mut decorrelated_square) = (0.0, 0.0);
        for (weighted, sum) in self.weighted.iter().zip(&self.sums) {
            plain_square += weighted * weighted;
            let rest = weighted - common * sum;
            decorrelated_square += rest * rest;
        }
        if decorrelated * plain_square.sqrt() > GAIN * plain * decorrelated_square.sqrt() {
            self.weights.iter_mut().for_each(|weight| *weight = (*weight - common) / (1.0 - rho));
        }
        for (weight, &scale) in self.weights.iter_mut().zip(&self.scale) {
            *weight = if scale > 0.0 { *weight / scale } else { 0.0 };
        }
    }

    /// Scale and standardised difference of every record.
    fn standardise(&mut self, past: &Past<'_>) {
        self.scale.clear();
        self.difference.clear();
        self.sides.clear();
        for (row, present) in past.rows() {
            let (inside, outside) = sides(row, present, past.inside);
            self.sides.push((inside, outside));
            let (n, v) = (inside.n + outside.n, 1.0 / inside.n + 1.0 / outside.n);
            let middle = (inside.n * inside.mean + outside.n * outside.mean) / n;
            let (mut within, mut overall) = (0.0, 0.0);
            for ((&x, &here), &side) in row.iter().zip(present).zip(past.inside) {
                let mean = outside.mean + side * (inside.mean - outside.mean);
                within += here * (x - mean) * (x - mean);
                overall += here * (x - middle) * (x - middle);
            }
            // Signals without any spread within the sides: the spread about the overall mean. With one
            // side missing there is a scale but no difference.
            let fitted = inside.n > 0.0 && outside.n > 0.0 && n > 2.0;
            let scale = match fitted {
                true if within > 0.0 => (within / (n - 2.0)).sqrt(),
                _ if n > 1.0 => (overall / n).sqrt(),
                _ => 0.0,
            };
            let usable = fitted && scale > 0.0;
            self.scale.push(if scale.is_finite() { scale } else { 0.0 });
            self.difference.push(if usable { ((inside.mean - outside.mean) / scale, v) } else { (0.0, 0.0) });
        }
    }

    /// Sums of the standardised residuals over records, per shadow; returns the sum of their squares.
    fn residuals(&mut self, past: &Past<'_>) -> f64 {
        for buffer in [&mut self.sums, &mut self.weighted, &mut self.counts] {
            buffer.clear();
            buffer.resize(past.shadows, 0.0);
        }
        let mut squares = 0.0;
        for (record, (row, present)) in past.rows().enumerate() {
            let scale = self.scale[record];
            if scale <= 0.0 {
                continue;
            }
            let (inside, outside) = self.sides[record];
            let (over, weight) = (1.0 / scale, self.weights[record]);
            for shadow in 0..past.shadows {
                let mean = outside.mean + past.inside[shadow] * (inside.mean - outside.mean);
                let residual = present[shadow] * (row[shadow] - mean) * over;
                self.sums[shadow] += residual;
                self.weighted[shadow] += weight * residual;
                self.counts[shadow] += present[shadow];
                squares += residual * residual;
            }
        }
        squares
    }
}

impl Past<'_> {
    /// Signals and flags of every record.
    fn rows(&self) -> impl Iterator<Item = (&[f64], &[f64])> {
        let rows = self.signals.chunks_exact(self.stride).zip(self.present.chunks_exact(self.stride));
        rows.map(|(row, present)| (&row[..self.shadows], &present[..self.shadows]))
    }
}

/// Numbers and means of the IN and the OUT signals; a mean of nothing is 0.
fn sides(row: &[f64], present: &[f64], inside: &[f64]) -> (Side, Side) {
    let (mut n, mut n_in, mut sum, mut sum_in) = (0.0, 0.0, 0.0, 0.0);
    for ((&x, &here), &side) in row.iter().zip(present).zip(inside) {
        n += here;
        n_in += here * side;
        sum += x;
        sum_in += x * side;
    }
    let side = |n: f64, sum: f64| Side { n, mean: if n > 0.0 { sum / n } else { 0.0 } };
    (side(n_in, sum_in), side(n - n_in, sum - sum_in))
}
