"""The tables of the statistics stage in numpy: shadows' utility, records, patients, for the same inputs.

Each as fast as we can write it: no loop over records or shadows but over blocks of them that fit the cache, all
that depends on a count alone looked up in a table, thresholds of all detected patients at once.
"""

import numpy as np
from scipy.special import betaincinv, ndtr, ndtri

BLOCK = 16
CHUNK = 512  # records at once: 128 x 512 doubles are half a MiB
FDR = 0.05
DELTA = 1e-5
STEERING = 0.05  # error rate of the limits by which thresholds are chosen
LAMBDAS = (0.05, 0.1, 0.2, 0.4)  # growth rates of the e-values
EXTRAPOLATED = (0.01, 0.001)
STEPS = 200  # of the survival curve


def utility(phi, keep):
    """Accuracy and log loss of every shadow, [IN, OUT][shadow], the label being the positive one."""
    shadows, records = phi.shape
    sums = np.zeros((2, 2, shadows))
    inside_of = keep.sum(axis=1)
    for start in range(0, records, CHUNK):
        x, inside = phi[:, start : start + CHUNK], keep[:, start : start + CHUNK]
        weight = inside.astype(phi.dtype)
        loss = np.abs(x)
        np.negative(loss, out=loss)
        np.exp(loss, out=loss)
        loss += 1
        np.log(loss, out=loss)
        loss -= np.minimum(x, 0)
        right = x > 0
        sums[0, 0] += np.count_nonzero(right & inside, axis=1)
        sums[1, 0] += np.count_nonzero(right, axis=1)
        sums[0, 1] += np.einsum("sr,sr->s", loss, weight)
        sums[1, 1] += loss.sum(axis=1)
    sums[1] -= sums[0]
    return sums / np.stack([inside_of, records - inside_of])[:, None]


def records(mean, squares, n, wins):
    """By record: AUC, binormal AUC, means and deviations of both sides, extrapolated true positive rates."""
    out, inside = 0, 1
    sd = np.sqrt(squares / (n - 1))
    apart = mean[inside] - mean[out]
    binormal = ndtr(apart / np.sqrt(sd[0] * sd[0] + sd[1] * sd[1]))
    rates = [ndtr((apart + sd[out] * ndtri(rate)) / sd[inside]) for rate in EXTRAPOLATED]
    return wins / (2 * pairs(2 * n)), binormal, mean, sd, rates


def pairs(shadows):
    return (BLOCK // 2) ** 2 * (int(shadows) // BLOCK)


def ln_e_table(shadows):
    """ln of the e-value by U: the mean over growth rates of exp(rate U) over its mean under the null."""
    half, blocks = BLOCK // 2, shadows // BLOCK
    i = np.arange(1, half + 1)
    u = np.arange(pairs(shadows) + 1)
    logs = []
    for rate in LAMBDAS:
        mean = np.sum(np.log(np.expm1(rate * (half + i)) / (half + i) / (np.expm1(rate * i) / i)))
        logs.append(rate * u - blocks * mean)
    return np.logaddexp.reduce(logs, axis=0) - np.log(len(LAMBDAS))


def chance_lower(trials, alpha):
    """Clopper and Pearson's lower limit after 0, 1, ... `trials` successes."""
    k = np.arange(1, trials + 1)
    return np.concatenate([[0.0], betaincinv(k, trials - k + 1, alpha)])


def auc_lower(shadows, alpha):
    """By U, the least AUC whose divergence from the observed one is within the budget."""
    auc = np.arange(pairs(shadows) + 1) / pairs(shadows)
    budget = -np.log(alpha) / (shadows // 2)
    low, high = np.zeros_like(auc), auc.copy()
    rest = np.where(auc < 1, 1 - auc, 1)
    p = np.where(auc > 0, auc, 1)
    for _ in range(60):
        middle = 0.5 * (low + high)
        with np.errstate(divide="ignore", invalid="ignore"):
            divergence = auc * np.log(p / middle) + (1 - auc) * np.log(rest / (1 - middle))
        within = divergence <= budget
        high, low = np.where(within, middle, high), np.where(within, low, middle)
    return high


def epsilon_lower(values, inside, alpha):
    """Of patients' values [patient, shadow]: what thresholds prove that were chosen, for every block, on the others."""
    patients, shadows = values.shape
    half, others = shadows // 2, shadows - BLOCK
    least = chance_lower(others // 2, STEERING / 2)
    per_rest = 1 / (1 - least)
    caught, flagged = np.ogrid[: others // 2 + 1, : others // 2 + 1]
    cleared = others // 2 - flagged
    proves = np.maximum(least[caught] * per_rest[cleared], least[cleared] * per_rest[caught]).ravel()
    order = np.argsort(-values, axis=1)
    sorted_values = np.take_along_axis(values, order, axis=1)
    is_in = np.take_along_axis(inside, order, axis=1)
    block_of = (order // BLOCK).astype(np.int8)
    hits = np.zeros((2, patients), dtype=np.int64)
    for block in range(shadows // BLOCK):
        rest = block_of != block
        ranked = sorted_values[rest].reshape(patients, others)
        members = np.cumsum(is_in[rest].reshape(patients, others)[:, :-1], axis=1, dtype=np.int16)
        above = np.arange(1, others, dtype=np.int16)
        cut = proves.take(members * np.int16(others // 2 + 1) + (above - members)).argmax(axis=1)
        row = np.arange(patients)
        threshold = 0.5 * ranked[row, cut] + 0.5 * ranked[row, cut + 1]
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        over = values[:, here] > threshold[:, None]
        hits[0] += np.count_nonzero(over & inside[:, here], axis=1)
        hits[1] += np.count_nonzero(over & ~inside[:, here], axis=1)
    limit = chance_lower(half, alpha / 2)
    true, false = limit[hits[0]], 1 - limit[half - hits[1]]
    with np.errstate(divide="ignore"):
        ratios = np.maximum((true - DELTA) / false, (1 - false - DELTA) / (1 - true))
    return np.log(np.maximum(ratios, 1))


def benjamini_hochberg(p):
    order = np.argsort(p)
    q = p[order] * len(p) / np.arange(1, len(p) + 1)
    q = np.minimum.accumulate(q[::-1])[::-1]
    out = np.empty_like(q)
    out[order] = np.minimum(q, 1)
    return out


def patients(phi, keep, wins, null):
    """Of patients with one record: p values of both tails, q, e-values, lower bounds, the survival curve."""
    shadows, count = phi.shape
    u = (wins // 2).astype(np.int32)  # no two signals are equal
    upper = np.cumsum(null[::-1])[::-1]
    p, mirror = upper[u], np.cumsum(null)[u]
    q, ln_e = benjamini_hochberg(p), ln_e_table(shadows)[u]
    rejected = np.sum(benjamini_hochberg(mirror) <= FDR)
    # e-values by their own Benjamini-Hochberg: with k rejected all of them are count / (FDR k) or more.
    ranked = np.sort(ln_e)[::-1]
    anytime = np.flatnonzero(ranked >= np.log(count / FDR) - np.log(np.arange(1, count + 1))).max(initial=-1) + 1
    detected = np.flatnonzero(q <= FDR)
    alpha = FDR * max(len(detected), 1) / count
    lower = auc_lower(shadows, alpha)[u]
    epsilon = np.zeros(count)
    if len(detected):
        epsilon[detected] = epsilon_lower(
            np.ascontiguousarray(phi[:, detected].T), np.ascontiguousarray(keep[:, detected].T), alpha
        )
    reached = np.bincount((u * STEPS) // pairs(shadows), minlength=STEPS + 1)
    survival = np.cumsum(reached[::-1])[::-1] / count
    return p, mirror, q, np.exp(ln_e), lower, epsilon, survival, rejected, anytime
