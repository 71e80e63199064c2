"""Numbers that the unit tests of the patient test expect. Shares no code with the crate.

Run with numpy 2.4.6 and scipy 1.17.1; it prints one line per expected number.
"""

from fractions import Fraction
from itertools import combinations, product
from math import comb

import numpy as np
from scipy import stats


def whole_counts(m, n):
    """Choices of m among m + n with Mann-Whitney U = u, as Python's whole numbers, u up to half of m n."""
    half = m * n // 2
    f = np.zeros(half + 1, dtype=object)
    f[:] = 0
    f[0] = 1
    for i in range(1, m + 1):
        g = f.copy()
        if n + i <= half:
            g[n + i :] -= f[: half + 1 - n - i]
        for start in range(i, half + 1, i):
            stop = min(start + i, half + 1)
            g[start:stop] += g[start - i : start - i + stop - start]
        f = g
    return f


VALUES = np.array([2.1, -0.3, 1.7, 0.4, 3.3, -1.2, 0.9, 0.2, 1.1, -2.0, 0.6, 1.95])
INSIDE = np.array([1, 0, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0], dtype=bool)


def columns(block, of):
    """Every column that is IN half of each block, as index lists."""
    choices = list(combinations(range(block), block // 2))
    for pick in product(choices, repeat=of // block):
        column = np.zeros(of, dtype=bool)
        for b, chosen in enumerate(pick):
            column[[b * block + i for i in chosen]] = True
        yield column


def van_elteren(values, column, block):
    total = 0.0
    for b in range(0, len(values), block):
        x, y = values[b : b + block][column[b : b + block]], values[b : b + block][~column[b : b + block]]
        total += np.sum(x[:, None] > y) + 0.5 * np.sum(x[:, None] == y)
    return total


def signed_rank(values, column):
    pairs, inside = values.reshape(-1, 2), column.reshape(-1, 2)
    d = np.where(inside[:, 0], pairs[:, 0] - pairs[:, 1], pairs[:, 1] - pairs[:, 0])
    wins = np.mean(d > 0) + 0.5 * np.mean(d == 0)
    d = d[d != 0]
    return float(np.sum(stats.rankdata(np.abs(d))[d > 0])), wins


def rank_tests():
    for block, name in [(12, "exact"), (4, "blocks of 4"), (2, "pairs")]:
        for tied in (False, True):
            # As Rust rounds: halves away from zero (there are none here).
            values = np.round(VALUES) if tied else VALUES
            if block == 2:
                statistic, auc = signed_rank(values, INSIDE)
                null = [signed_rank(values, column)[0] for column in columns(block, 12)]
            else:
                statistic = van_elteren(values, INSIDE, block)
                auc = statistic / (12 // block * (block // 2) ** 2)
                null = [van_elteren(values, column, block) for column in columns(block, 12)]
            upper, lower = np.mean(np.array(null) >= statistic), np.mean(np.array(null) <= statistic)
            print(f"rank tests: {name}, tied {tied}: [{float(auc)!r}, {float(upper)!r}, {float(lower)!r}]")
    print("scipy agrees:", stats.mannwhitneyu(VALUES[INSIDE], VALUES[~INSIDE], alternative="greater", method="exact").pvalue)
    d = np.where(INSIDE[::2], VALUES[::2] - VALUES[1::2], VALUES[1::2] - VALUES[::2])
    print("scipy agrees:", stats.wilcoxon(d, alternative="greater", method="exact").pvalue)


def signed_rank_tail():
    """Subsets of 1 ..= 64 with a sum of at most 66; scipy's own tail is 1 - cdf and has no digits there."""
    ways = [1] + [0] * 2080
    for rank in range(1, 65):
        for total in range(2080, rank - 1, -1):
            ways[total] += ways[total - rank]
    print(f"signed rank: P(W <= 66) of 64 pairs = {sum(ways[:67]) / 2**64!r}")


def binomial():
    print("binomial upper tails (k, n, p, P(X >= k)):")
    for k, n, p in [(1, 1, 0.3), (3, 10, 0.5), (30, 32, 0.6), (64, 128, 0.5), (1, 100_000, 1e-6), (120, 9105, 0.01),
                    (5_004_000, 10_000_000, 0.5), (2_000, 10_000_000, 1e-4)]:
        print(f"    ({k}, {n}, {p!r}, {float(stats.binom.sf(k - 1, n, p))!r}),")
    print("Clopper-Pearson limits (k, n, alpha each side, low, high):")
    for k, n, alpha in [(0, 32, 0.025), (32, 32, 0.025), (20, 32, 0.025), (1, 64, 0.001), (127, 128, 2.5e-6), (4552, 9105, 0.01)]:
        low = stats.beta.ppf(alpha, k, n - k + 1) if k > 0 else 0.0
        high = stats.beta.isf(alpha, k + 1, n - k) if k < n else 1.0
        print(f"    ({k}, {n}, {alpha!r}, {float(low)!r}, {float(high)!r}),")


def extrapolated():
    print("extrapolated TPR under no leak (n_in, n_out, which rate, mean, 99th percentile):")
    rng = np.random.default_rng(3)
    for n_in, n_out, at in [(32, 32, 1), (32, 32, 0), (8, 8, 1), (64, 60, 0), (3, 2, 0)]:
        n, f = 4_000_000, [0.01, 0.001][at]
        shift = rng.normal(size=n) * np.sqrt(1 / n_in + 1 / n_out)
        sd_in = np.sqrt(rng.chisquare(n_in - 1, n) / (n_in - 1))
        sd_out = np.sqrt(rng.chisquare(n_out - 1, n) / (n_out - 1))
        tpr = stats.norm.cdf((shift + sd_out * stats.norm.ppf(f)) / sd_in)
        print(f"    ({n_in}, {n_out}, {at}, {np.mean(tpr):.5f}, {np.quantile(tpr, 0.99):.5f}),")


def main():
    rank_tests()
    signed_rank_tail()
    binomial()
    extrapolated()
    for m, n, u in [(256, 256, 1000), (256, 256, 24_000), (100, 412, 10_000), (512, 512, 50_000), (512, 512, 120_000)]:
        tail = Fraction(int(sum(whole_counts(m, n)[: u + 1])), comb(m + n, m))
        print(f"counts: {m} against {n}, P(U <= {u}) = {float(tail)!r}")


if __name__ == "__main__":
    main()
