"""The statistics stage in numpy, as fast as we can write it: what the crate's benchmarks are held against.

Not the definition (tests/vectors/attacks/two_pass.py is) but the same numbers in O(records x shadows): moments of
both sides once, the target and its block's first other shadow taken out again, blocks of records small enough
for the cache, no temporary that is not reused, single precision throughout where the input is. It does less
than the crate: no variance floor, no second pass where a difference has lost its digits, no absent entries, no
equal signals, one query, no null of the extrapolated rates, no band of the survival curve.

    OMP_NUM_THREADS=1 taskset -c 0 python numpy_side.py --records 50000 --shadows 128 --rounds 1

prints one line a figure and round: side, what, input, records, shadows, seconds of the processor; and two that
say what was found. Written for numpy 2.4.6.

`llr-whole` is `llr` on the whole matrix at once, as it is usually written. `tfp-llr` is the algorithm of
tensorflow/privacy's plot.py (generate_ours), written anew: per target a Python loop over the records and numpy
over the references; two targets are timed and taken times shadows / 2.
"""

import argparse
import pathlib
import time

import numpy as np

from numpy_tables import BLOCK, CHUNK, benjamini_hochberg, patients, records, utility


def drawn(records, shadows):
    """phi [shadow, record] and membership [shadow, record], every record in half of every block."""
    rng = np.random.default_rng(1)
    keep = np.empty((shadows, records), dtype=bool)
    for start in range(0, shadows, BLOCK):
        order = np.argsort(rng.random((BLOCK, records), dtype=np.float32), axis=0)
        keep[start : start + BLOCK] = order < BLOCK // 2
    level, gain = rng.normal(1, 2, records), np.where(rng.random(records) < 0.1, 1.0, 0.1)
    return rng.standard_normal((shadows, records)) + level + gain * keep, keep


def write(folder, records, shadows):
    phi, keep = drawn(records, shadows)
    phi.tofile(folder / "phi.f64")
    phi.astype(np.float32).tofile(folder / "phi.f32")
    keep.tofile(folder / "membership.u8")


def read(folder, records, shadows, dtype):
    if folder is None:
        phi, keep = drawn(records, shadows)
        return phi.astype(dtype), keep
    name = "phi.f32" if dtype == np.float32 else "phi.f64"
    shape = (shadows, records)
    phi = np.fromfile(folder / name, dtype=dtype).reshape(shape)
    return phi, np.fromfile(folder / "membership.u8", dtype=bool).reshape(shape)


# --- leave-one-out log-likelihood ratios -----------------------------------------------------------------------


def llr(phi, keep, out, chunk=CHUNK):
    """Online LiRA, means, per-record variances (divisor n), equal counts; every shadow the target once.

    Returns the means of OUT and IN and the squares about them, [side, record]."""
    shadows, records = phi.shape
    moments = np.empty((2, 2, records), dtype=phi.dtype)
    for start in range(0, records, chunk):
        part = slice(start, min(start + chunk, records))
        moments[:, :, part] = llr_of(phi[:, part], keep[:, part], out[:, part])
    return moments


def llr_of(phi, keep, out):
    dtype, (shadows, records) = phi.dtype, phi.shape
    blocks = shadows // BLOCK
    n = dtype.type(shadows // 2)
    # Both sides about one pilot.
    pilot = phi.mean(axis=0, dtype=dtype)
    x = phi - pilot
    inside = keep.astype(dtype)
    x_in = x * inside
    sum_in, sum_all = x_in.sum(axis=0), x.sum(axis=0)
    square_in = np.einsum("sr,sr->r", x_in, x)
    square_all = np.einsum("sr,sr->r", x, x)
    mean = np.stack([sum_all - sum_in, sum_in]) / n
    squares = np.stack([square_all - square_in, square_in]) - n * mean**2

    # The other side of the targets of a block, less its first shadow of that block.
    by_block = keep.reshape(blocks, BLOCK, records)
    values = x.reshape(blocks, BLOCK, records)
    shrink = n / (n - 1)
    side = np.empty((2, 3, blocks, records), dtype=dtype)  # of OUT and IN: mean, 1 / variance, ln variance
    for k in (0, 1):
        first = (by_block if k else ~by_block).argmax(axis=1)
        d = np.take_along_axis(values, first[:, None], axis=1)[:, 0] - mean[k]
        variance = (squares[k] - d * d * shrink) / (n - 1)
        side[k] = mean[k] - d / (n - 1), 1 / variance, np.log(variance)

    # The target's own side, less the target: its mean lies d / (n - 1) further away.
    base, step = mean[0], mean[1] - mean[0]
    d = np.multiply(inside, step, out=x_in)
    d += base
    np.subtract(x, d, out=d)
    d *= d
    own_squares = squares[0] + (squares[1] - squares[0]) * inside
    own_squares -= d * shrink
    own_squares /= n - 1
    d *= shrink * shrink
    d /= own_squares
    d += np.log(own_squares, out=own_squares)  # d^2 / variance + ln variance

    # The other side, by block.
    opposite = inside.reshape(blocks, BLOCK, records)
    scratch = own_squares.reshape(blocks, BLOCK, records)

    def choose(what):
        """IN for the targets that are OUT, and the other way round."""
        a, b = side[1, what][:, None], side[0, what][:, None]
        np.multiply(opposite, b - a, out=scratch)
        np.add(scratch, a, out=scratch)
        return scratch

    e = values - choose(0)
    e *= e
    e *= choose(1)
    e += choose(2)
    e = e.reshape(shadows, records)
    # ln N(x; in) - ln N(x; out): the sign is that of the target's side.
    e -= d
    inside -= dtype.type(0.5)
    np.multiply(e, inside, out=out)
    return mean + pilot, squares


# --- figures -------------------------------------------------------------------------------------------------------


def pooled_roc(scores, keep):
    """AUC, balanced accuracy and true positive rates of all pairs, exact, ties included."""
    scores, keep = scores.ravel(), keep.ravel()
    inside, outside = np.compress(keep, scores), np.compress(~keep, scores)
    inside.sort()
    outside.sort()
    m, n = len(inside), len(outside)
    # Merging two sorted runs is what a stable sort does best.
    order = np.argsort(np.concatenate([inside, outside]), kind="stable")
    count = np.arange(m)
    below = np.flatnonzero(order < m)
    below -= count  # non-members below each member
    wins = below.sum()
    tied = outside[np.minimum(below, n - 1)] == inside
    half = (np.searchsorted(outside, inside[tied], "right") - below[tied]).sum() if tied.any() else 0
    gain = below * (1 / n)
    count = count * (1 / m)
    gain -= count  # true positive rate less false positive rate at each member's score
    allowed = [outside[n - 1 - int(x * n + 1e-9)] for x in (0.1, 0.01, 0.001, 1e-4)]
    rates = 1 - np.searchsorted(inside, allowed, "right") / m
    return (wins + 0.5 * half) / m / n, 0.5 * (1 + gain.max()), rates


def wins_in_blocks(phi, keep):
    """Twice the Mann-Whitney U of every record, summed over blocks: all pairs of a block compared."""
    shadows, records = phi.shape
    half = BLOCK // 2
    total = np.zeros(records, dtype=np.int16)
    for start in range(0, records, CHUNK):
        part = slice(start, min(start + CHUNK, records))
        values = phi[:, part].reshape(-1, BLOCK, phi[:, part].shape[1])
        inside = keep[:, part].reshape(values.shape)
        # Every pair of a block once: each shadow with the ones 1, 2, ... after it, going round.
        values = np.concatenate([values, values], axis=1)
        inside = np.concatenate([inside, inside], axis=1).view(np.int8)
        score = np.zeros((len(values), values.shape[2]), dtype=np.int8)
        for step in range(1, half + 1):
            firsts = BLOCK if step < half else half
            a, b = values[:, :firsts], values[:, step : step + firsts]
            # +1 where the higher of an IN and an OUT is IN, -1 where it is OUT.
            sign = (a > b).view(np.int8)
            sign -= (a < b).view(np.int8)
            sign *= inside[:, :firsts] - inside[:, step : step + firsts]
            score += sign.sum(axis=1, dtype=np.int8)
        total[part] = score.sum(axis=0, dtype=np.int16)
    pairs = half**2 * (shadows // BLOCK)
    return total + pairs


def null_table(shadows):
    """P(U = u) of the sum over blocks of 8-against-8 Mann-Whitney counts."""
    half = BLOCK // 2
    ways = np.zeros((half + 1, BLOCK * half + 1))
    ways[0, 0] = 1
    for rank in range(BLOCK):
        for chosen in range(min(rank + 1, half), 0, -1):
            ways[chosen, rank:] += ways[chosen - 1, : ways.shape[1] - rank]
    block = ways[half, half * (half - 1) // 2 :][: half * half + 1]
    null = np.ones(1)
    for _ in range(shadows // BLOCK):
        null = np.convolve(null, block / block.sum())
    return null


def stage(phi, keep, scores, null):
    """Scores, their pooled and per-target figures, and the tables."""
    mean, squares = llr(phi, keep, scores)
    figures = pooled_roc(scores, keep)
    targets = [pooled_roc(row, inside) for row, inside in zip(scores, keep)]
    wins = wins_in_blocks(phi, keep)
    about_records = records(mean.astype(float), squares.astype(float), len(phi) // 2, wins)
    return figures, targets, utility(phi, keep), about_records, patients(phi, keep, wins, null)


# --- tensorflow/privacy's algorithm ----------------------------------------------------------------------------------


def tfp_target(phi, keep, target):
    """One target: references gathered record by record, cut to the smallest side, medians and deviations."""
    from scipy import stats

    others = np.arange(len(phi)) != target
    signals, membership = phi[others], keep[others]
    inside = [signals[membership[:, r], r] for r in range(phi.shape[1])]
    outside = [signals[~membership[:, r], r] for r in range(phi.shape[1])]
    sizes = min(map(len, inside)), min(map(len, outside))
    inside = np.array([values[: sizes[0]] for values in inside])
    outside = np.array([values[: sizes[1]] for values in outside])
    ln = [
        stats.norm.logpdf(phi[target], np.median(side, axis=1), np.std(side, axis=1) + 1e-30)
        for side in (inside, outside)
    ]
    return ln[0] - ln[1]


# --- timing ----------------------------------------------------------------------------------------------------------


def plain_llr(phi, keep, target, record):
    """One score, written out."""
    x = phi[:, record].astype(float)
    sides = [[s for s in range(len(x)) if s != target and keep[s, record] == k] for k in (True, False)]
    other = sides[1] if keep[target, record] else sides[0]
    other.remove(next(s for s in other if s // BLOCK == target // BLOCK))
    ln = [-0.5 * ((x[target] - x[s].mean()) ** 2 / x[s].var() + np.log(x[s].var())) for s in sides]
    return ln[0] - ln[1]


def check(phi, keep, scores):
    rng = np.random.default_rng(2)
    tolerance = 2e-3 if phi.dtype == np.float32 else 1e-9
    for _ in range(200):
        target, record = rng.integers(phi.shape[0]), rng.integers(phi.shape[1])
        right = plain_llr(phi, keep, target, record)
        assert abs(scores[target, record] - right) <= tolerance * max(1, abs(right)), (scores[target, record], right)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--shadows", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tfp", action="store_true", help="two targets of tensorflow/privacy's algorithm too")
    parser.add_argument("--data", type=pathlib.Path, help="folder with the inputs; without it they are drawn")
    parser.add_argument("--write", action="store_true", help="write the inputs to that folder, and no more")
    args = parser.parse_args()
    assert args.shadows % BLOCK == 0, "whole blocks only"

    if args.write:
        return write(args.data, args.records, args.shadows)

    def line(what, dtype, seconds):
        name = {"float32": "f32", "float64": "f64"}[np.dtype(dtype).name]
        print(f"numpy {what} {name} {args.records} {args.shadows} {seconds:.9f}", flush=True)

    def timed(what, dtype, work):
        begin = time.thread_time()
        result = work()
        line(what, dtype, time.thread_time() - begin)
        return result

    null = null_table(args.shadows)
    p_of = np.cumsum(null[::-1])[::-1]
    for dtype in (np.float32, np.float64):
        phi, keep = read(args.data, args.records, args.shadows, dtype)
        scores = np.empty_like(phi)
        llr(phi, keep, scores)  # pages and caches
        check(phi, keep, scores)
        for _ in range(args.rounds):
            timed("llr-whole", dtype, lambda: llr(phi, keep, scores, args.records))
            timed("llr", dtype, lambda: llr(phi, keep, scores))
            timed("roc", dtype, lambda: pooled_roc(scores, keep))
            timed("patients", dtype, lambda: benjamini_hochberg(p_of[wins_in_blocks(phi, keep) // 2]))
            timed("utility", dtype, lambda: utility(phi, keep))
            figures, _, shadows, rows, units = timed("stage", dtype, lambda: stage(phi, keep, scores, null))
        line("auc", dtype, figures[0])
        line("loss", dtype, shadows[1, 1].mean())
        line("binormal", dtype, rows[1].mean())
        line("detected", dtype, np.sum(units[2] <= 0.05))
        line("mirror", dtype, units[7])
        line("anytime", dtype, units[8])
        line("epsilon", dtype, units[5].max())
        if args.tfp:
            begin = time.thread_time()
            for target in (0, args.shadows - 1):
                tfp_target(phi, keep, target)
            line("tfp-llr", dtype, (time.thread_time() - begin) * args.shadows / 2)


if __name__ == "__main__":
    main()
