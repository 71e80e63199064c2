"""The power of the forward test for patients with several records: the figures that power.rs expects.

64 shadows in blocks of 16, normal signals correlated by rho within a shadow, a mean difference IN - OUT per
record; detected at p <= 5.5e-6 (.05 / 9,105) against the exact null of U summed over blocks. Scores: the plain
sum of the records, the weights fitted on earlier blocks, and the choice between these and the decorrelated
ones. Shares no code with the crate. Run with numpy 2.4.6; it printed (plain, weights, choice; 6,000 patients):

    one record, AUC .9        0.978 0.978 0.978
    one of 18 at 2.5          0.006 0.792 0.792
    all 18 at .45             0.990 0.924 0.923
    rho .9, one of 18 at .79  0.000 0.000 0.596
    rho .5, one of 18 at 1.5  0.000 0.000 0.362
    rho .5, all 5 at 1        0.559 0.551 0.498
"""

import numpy as np

SHADOWS, BLOCK, PATIENTS = 64, 16, 6000
HALF = BLOCK // 2


def null():
    """P(U >= u), U summed over blocks."""
    ways = np.zeros((HALF + 1, BLOCK * BLOCK))
    ways[0, 0] = 1
    for rank in range(BLOCK):
        for j in range(HALF, 0, -1):
            ways[j, rank:] += ways[j - 1, : ways.shape[1] - rank]
    least = HALF * (HALF - 1) // 2
    one = ways[HALF, least : least + HALF * HALF + 1]
    total = np.ones(1)
    for _ in range(SHADOWS // BLOCK):
        total = np.convolve(total, one / one.sum())
    return np.cumsum(total[::-1])[::-1]


def u_of(score, inside):
    x = score[inside].reshape(PATIENTS, HALF)
    y = score[~inside].reshape(PATIENTS, HALF)
    return (x[:, :, None] > y[:, None, :]).sum((1, 2))


def fitted(past, inside):
    """Weights on x / s from earlier blocks: those of each record alone, and the choice."""
    k, records = inside.shape[-1] // 2, past.shape[1]
    mean_in = (past * inside).sum(2) / k
    mean_out = (past * ~inside).sum(2) / k
    residual = past - np.where(inside, mean_in[:, :, None], mean_out[:, :, None])
    s = np.sqrt((residual**2).sum(2) / (2 * k - 2))
    d = (mean_in - mean_out) / s
    tau2 = np.maximum((d**2).mean(1) - 2 / k, 0.02)[:, None]
    shrunk = np.maximum(d, 0) * tau2 / (tau2 + 2 / k)
    w = shrunk + 0.05
    if records == 1:
        return s, w, w
    e = residual / s[:, :, None]
    cross = (e.sum(1) ** 2).sum(1) - (e**2).sum((1, 2))
    rho = np.clip(cross / (2 * k - 2) / (records * (records - 1)), 0, 0.98)[:, None]
    c = rho / (1 - rho + records * rho)
    other = (w - c * w.sum(1, keepdims=True)) / (1 - rho)

    def deflection(w):
        return (w * shrunk).sum(1) / np.sqrt(((w[:, :, None] * e).sum(1) ** 2).mean(1))

    return s, w, np.where((deflection(other) > 1.25 * deflection(w))[:, None], other, w)


def power(rho, leaks, seed=7):
    rng = np.random.default_rng(seed)
    inside = np.zeros((PATIENTS, SHADOWS // BLOCK, BLOCK), bool)
    inside[:, :, :HALF] = True
    inside = rng.permuted(inside, axis=2).reshape(PATIENTS, SHADOWS)
    x = np.sqrt(rho) * rng.normal(size=(PATIENTS, 1, SHADOWS))
    x = x + np.sqrt(1 - rho) * rng.normal(size=(PATIENTS, len(leaks), SHADOWS))
    x = x + np.asarray(leaks)[None, :, None] * inside[:, None, :]
    u = np.zeros((3, PATIENTS), int)
    for start in range(0, SHADOWS, BLOCK):
        block, here = x[:, :, start : start + BLOCK], inside[:, start : start + BLOCK]
        if start == 0:
            z = (block - block.mean(2, keepdims=True)) / block.std(2, keepdims=True)
            u += u_of(z.sum(1), here)
            continue
        s, w, chosen = fitted(x[:, :, :start], inside[:, None, :start])
        u[0] += u_of(block.sum(1), here)
        for row, weights in ((1, w), (2, chosen)):
            u[row] += u_of((weights[:, :, None] * block / s[:, :, None]).sum(1), here)
    return (null()[u] <= 5.5e-6).mean(1)


def main():
    def among(leak):
        return [leak] + [0.0] * 17

    for name, rho, leaks in [
        ("one record, AUC .9", 0.0, [1.8123876]),
        ("one of 18 at 2.5", 0.0, among(2.5)),
        ("all 18 at .45", 0.0, [0.45] * 18),
        ("rho .9, one of 18 at .79", 0.9, among(0.79)),
        ("rho .5, one of 18 at 1.5", 0.5, among(1.5)),
        ("rho .5, all 5 at 1", 0.5, [1.0] * 5),
    ]:
        print(f"{name:25} {' '.join(f'{share:.3f}' for share in power(rho, leaks))}")


if __name__ == "__main__":
    main()
