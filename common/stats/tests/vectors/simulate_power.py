"""The power of the patient test, by simulation: the figures that simulation.rs expects.

9,105 patients with one record each, every tenth leaky, 64 shadows in blocks of 16, normal signals shifted
so that the AUC is as stated; Mann-Whitney U summed over blocks against its exact null, Benjamini-Hochberg
at 5 %. Shares no code with the crate. Run it with numpy 2.4.6 and scipy 1.17.1. It printed:

    least size at or below .01: 0.009350
    AUC 0.75: power 0.807 +- 0.020 over 40 runs
    AUC 0.90: power 1.000 +- 0.000 over 40 runs
"""

import numpy as np
from scipy import stats

SHADOWS, BLOCK, PATIENTS, RUNS = 64, 16, 9105, 40


def null():
    """P(U >= u): U of one block by counting rank sums, then summed over blocks."""
    half = BLOCK // 2
    ways = np.zeros((half + 1, BLOCK * BLOCK))
    ways[0, 0] = 1
    for rank in range(BLOCK):
        for j in range(half, 0, -1):
            ways[j, rank:] += ways[j - 1, : ways.shape[1] - rank]
    least = half * (half - 1) // 2
    one = ways[half, least : least + half * half + 1]
    total = np.ones(1)
    for _ in range(SHADOWS // BLOCK):
        total = np.convolve(total, one / one.sum())
    return np.cumsum(total[::-1])[::-1]


def main():
    upper = null()
    print(f"least size at or below .01: {upper[upper <= 0.01].max():.6f}")
    for auc in (0.75, 0.9):
        shift, powers = np.sqrt(2) * stats.norm.ppf(auc), []
        for run in range(RUNS):
            rng = np.random.default_rng([run, int(100 * auc)])
            leaky = np.arange(PATIENTS) % 10 == 0
            u = np.zeros(PATIENTS, dtype=int)
            for _ in range(SHADOWS // BLOCK):
                inside = rng.normal(size=(PATIENTS, BLOCK // 2)) + shift * leaky[:, None]
                outside = rng.normal(size=(PATIENTS, BLOCK // 2))
                u += np.sum(inside[:, :, None] > outside[:, None, :], axis=(1, 2))
            detected = stats.false_discovery_control(np.minimum(upper[u], 1)) <= 0.05
            powers.append(np.mean(detected[leaky]))
        print(f"AUC {auc:.2f}: power {np.mean(powers):.3f} +- {np.std(powers, ddof=1):.3f} over {RUNS} runs")


if __name__ == "__main__":
    main()
