//! Centres of both sides of eight records, less a shadow: means, or medians.

use super::eights::{Scratch, Side};
use super::strip::Eight;
use crate::lanes::{LANES, Vector, bits_at, load_part, pack};
use crate::references::Middle;

/// Centres of IN and OUT, one record a lane. Signals and centres are less the pilot of their side.
pub(super) trait Centres<V: Vector> {
    /// How far each target's `signal` lies from the centre of its own side without it, squared, over that
    /// side's squares about the mean, and times its shadows less one. The targets of `members` are IN; `gone`
    /// is the share of the squares that goes with the target.
    fn own(&self, members: u8, signal: V, gone: V) -> V;

    /// The centre of IN without one of its signals.
    fn less_of_in(&self, signal: V) -> V;

    /// The centre of OUT without one of its signals.
    fn less_of_out(&self, signal: V) -> V;
}

/// Means.
pub(super) struct Means<V> {
    inside: Side<V>,
    outside: Side<V>,
}

impl<V: Vector> Means<V> {
    #[inline(always)]
    pub fn new((inside, outside): (Side<V>, Side<V>)) -> Self {
        Self { inside, outside }
    }
}

impl<V: Vector> Centres<V> for Means<V> {
    /// With d from the mean of all, (d n / (n - 1))^2 (n - 1) / S = n gone.
    #[inline(always)]
    fn own(&self, members: u8, _: V, gone: V) -> V {
        V::select(members, self.inside.n, self.outside.n).mul(gone)
    }

    #[inline(always)]
    fn less_of_in(&self, signal: V) -> V {
        mean_less(&self.inside, signal)
    }

    #[inline(always)]
    fn less_of_out(&self, signal: V) -> V {
        mean_less(&self.outside, signal)
    }
}

#[inline(always)]
fn mean_less<V: Vector>(side: &Side<V>, signal: V) -> V {
    side.shift.sub(signal.sub(side.shift).div(side.rest))
}

/// Medians.
pub(super) struct Medians<V> {
    inside: Middles<V>,
    outside: Middles<V>,
}

/// The medians of one side ([`Middle`]).
struct Middles<V> {
    pivot: V,
    /// Without a signal below the pivot, without the pivot, and without one above it.
    less: [V; 3],
    /// Shadows less one over the squares about the mean.
    per_square: V,
}

impl<V: Vector> Medians<V> {
    #[inline(always)]
    pub fn new(eight: &Eight<'_>, (inside, outside): (Side<V>, Side<V>), scratch: &mut Scratch) -> Self {
        Self {
            inside: Middles::new(eight, 0, &inside, scratch),
            outside: Middles::new(eight, u8::MAX, &outside, scratch),
        }
    }
}

impl<V: Vector> Centres<V> for Medians<V> {
    #[inline(always)]
    fn own(&self, members: u8, signal: V, _: V) -> V {
        let Self { inside, outside } = self;
        let pivot = V::select(members, inside.pivot, outside.pivot);
        let low = V::select(members, inside.less[0], outside.less[0]);
        let same = V::select(members, inside.less[1], outside.less[1]);
        let high = V::select(members, inside.less[2], outside.less[2]);
        let distance = signal.sub(less_one(signal, pivot, low, same, high));
        distance.mul(distance).mul(V::select(members, inside.per_square, outside.per_square))
    }

    #[inline(always)]
    fn less_of_in(&self, signal: V) -> V {
        let Middles { pivot, less: [low, same, high], .. } = self.inside;
        less_one(signal, pivot, low, same, high)
    }

    #[inline(always)]
    fn less_of_out(&self, signal: V) -> V {
        let Middles { pivot, less: [low, same, high], .. } = self.outside;
        less_one(signal, pivot, low, same, high)
    }
}

impl<V: Vector> Middles<V> {
    /// Of the side whose bits are set in the columns, or not set where `flip` turns them all.
    #[inline(always)]
    fn new(eight: &Eight<'_>, flip: u8, side: &Side<V>, scratch: &mut Scratch) -> Self {
        let mut lanes = [[0.0; LANES]; 4];
        for lane in 0..LANES {
            let values = gather::<V>(eight.signals[lane], eight.columns[lane], flip, &mut scratch.values);
            let Middle { pivot, less: [low, same, high], .. } = Middle::of(values);
            for (lanes, value) in lanes.iter_mut().zip([pivot, low, same, high]) {
                lanes[lane] = value;
            }
        }
        let [pivot, low, same, high] = &lanes;
        Self {
            pivot: V::load(pivot).sub(side.pilot),
            less: [
                V::load(low).sub(side.pilot),
                V::load(same).sub(side.pilot),
                V::load(high).sub(side.pilot),
            ],
            per_square: side.rest.div(side.squares),
        }
    }
}

/// The median without `signal`, which is one of those it is of.
#[inline(always)]
fn less_one<V: Vector>(signal: V, pivot: V, low: V, same: V, high: V) -> V {
    let not_below = V::select(pivot.lanes_below(signal), high, same);
    V::select(signal.lanes_below(pivot), low, not_below)
}

/// The signals, all of them finite, whose bits are set once `flip` has turned them, in their order.
#[inline(always)]
fn gather<'v, V: Vector>(
    signals: &[f64],
    column: &[u64],
    flip: u8,
    values: &'v mut Vec<f64>,
) -> &'v mut [f64] {
    // Eight are written at a time, whatever they are worth.
    values.resize(signals.len() + LANES, 0.0);
    let mut n = 0;
    for start in (0..signals.len()).step_by(LANES) {
        let eight = load_part::<V>(signals, start, signals.len());
        let lanes = eight.lanes_finite() & (bits_at(column, start) ^ flip);
        n = pack(eight, lanes, values, n);
    }
    &mut values[..n]
}
