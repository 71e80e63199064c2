"""Every attack written out from its definition: plain loops, two passes, no thought of speed.

The right answers that tests/agreement holds the crate against; make_two_pass.py asks for them. No code is
shared with the crate nor with any public tool.

Notation. A case has logits [shadow, record, query, class]. A signal phi[s, r, q, l] is the log odds of label
l by shadow s; l has one value unless the model is multi-label. NaN is absent. keep[s, r]: shadow s was
trained on record r. Every shadow t is the target once, all others are its references; a score is higher for
a likelier member, and absent where it cannot be formed.
"""

import itertools
import math

import mpmath
import numpy as np
from scipy import optimize, special, stats

MISSING = 255  # a missing label
IN, OUT = 0, 1


# --- signals and probabilities ---------------------------------------------------------------------------


def log_odds(case, z, label):
    """[labels]: the log odds of a record's label(s) by one shadow's logits of one query."""
    if case["kind"] == "multi-label":
        return [(2.0 * y - 1.0) * v if y != MISSING and math.isfinite(v) else math.nan for y, v in zip(label, z)]
    if not np.all(np.isfinite(z)):
        return [math.nan]
    if case["kind"] == "single":
        return [(2.0 * label - 1.0) * z[0]]
    return [z[label] - special.logsumexp(np.delete(z, label))]


def log_probability(case, z, label, temperature=1.0):
    """Log of the probability of the record's label(s), at a temperature."""
    if case["kind"] == "multi-label":
        there = [y != MISSING for y in label]
        odds = [(2.0 * y - 1.0) * v for y, v, here in zip(label, z, there) if here]
        if not odds or not np.all(np.isfinite(odds)):
            return math.nan
        return sum(-np.logaddexp(0.0, -o / temperature) for o in odds)
    if not np.all(np.isfinite(z)):
        return math.nan
    if case["kind"] == "single":
        return -np.logaddexp(0.0, -(2.0 * label - 1.0) * z[0] / temperature)
    return z[label] / temperature - special.logsumexp(np.asarray(z) / temperature)


def signals(case):
    """[shadow, record, query, label]"""
    return np.array(
        [
            [[log_odds(case, z, label) for z in case["logits"][s, r]] for r, label in enumerate(case["labels"])]
            for s in range(len(case["logits"]))
        ]
    )


def probabilities(case, logits, labels):
    """[shadow, record, query]"""
    shadows, records, queries, _ = logits.shape
    return np.array(
        [
            [
                [np.exp(log_probability(case, logits[s, r, q], labels[r])) for q in range(queries)]
                for r in range(records)
            ]
            for s in range(shadows)
        ]
    )


def mean_of_present(values):
    there = [v for v in values if math.isfinite(v)]
    return sum(there) / len(there) if there else math.nan


# --- the references of a target --------------------------------------------------------------------------


def reference_sets(there, inside, target, counts, block, offline=False):
    """(IN shadows, OUT shadows): the references among the shadows `there`, in shadow order."""
    sides = [
        [s for s in there if s != target and inside[s]],
        [s for s in there if s != target and not inside[s]],
    ]
    if counts == "equal":
        # The side that does not hold the target gives up a shadow too: the first of the target's block.
        other = sides[OUT if inside[target] else IN]
        of_block = [s for s in other if s // block == target // block]
        if other:
            other.remove(of_block[0] if of_block else other[0])
    elif counts == "first":
        n = min(len(sides[IN]), len(sides[OUT]))
        if offline:
            # Without IN references: one fewer than there are OUT, whether the target is one of them or not.
            n = sum(not inside[s] for s in there) - 1
        sides = [sides[IN][:n], sides[OUT][:n]]
    return sides


# --- LiRA --------------------------------------------------------------------------------------------------


def center_of(values, center):
    return np.median(values, axis=0) if center == "median" else np.mean(values, axis=0)


def squares(values):
    return np.sum((values - np.mean(values)) ** 2)


def prior(variances, degrees):
    """d0 and s0^2 of Smyth 2004 (doi 10.2202/1544-6115.1027), section 6.2."""
    degrees = np.array(degrees, dtype=float)
    e = np.log(variances) - special.digamma(degrees / 2) + np.log(degrees / 2)
    excess = np.var(e, ddof=1) - np.mean(special.polygamma(1, degrees / 2)) if len(e) > 1 else 0.0
    if excess <= 0:
        return math.inf, math.exp(np.mean(e))
    half = optimize.brentq(
        lambda x: special.polygamma(1, x) - excess, 1e-8, 1e12, xtol=1e-300, rtol=9e-16, maxiter=1000
    )
    return 2 * half, math.exp(np.mean(e) + special.digamma(half) - math.log(half))


def one_dimensional_sets(phi, keep, target, counts, block, offline):
    """{(record, query, label): (IN values, OUT values)} wherever the target gives a signal."""
    _, records, queries, labels = phi.shape
    sets = {}
    for r, q, l in itertools.product(range(records), range(queries), range(labels)):
        if math.isfinite(phi[target, r, q, l]):
            there = [s for s in range(len(phi)) if math.isfinite(phi[s, r, q, l])]
            sides = reference_sets(there, keep[:, r], target, counts, block, offline)
            sets[r, q, l] = [np.array([phi[s, r, q, l] for s in side]) for side in sides]
    return sets


def spread_of_a_side(sets, side, variance):
    """What is learnt from all records: the pooled variance; the prior of `shrunk`; the `reference` one."""
    values = [sides[side] for sides in sets.values() if len(sides[side])]
    pooled = sum(squares(v) for v in values) / sum(len(v) for v in values)
    learnt = {"pooled": pooled, "floor": 1e-6 * pooled}
    if variance == "shrunk":
        usable = [v for v in values if len(v) >= 2]
        learnt["prior"] = prior(
            [max(np.var(v, ddof=1), learnt["floor"]) for v in usable], [len(v) - 1 for v in usable]
        )
    elif variance == "reference":
        learnt["all"] = np.var(np.concatenate(values))
    return learnt


def variance_of(values, learnt, variance):
    """(variance of a new value, degrees of freedom of its t distribution)."""
    n = len(values)
    if variance == "pooled":
        return learnt["pooled"], math.inf
    if variance == "reference":
        return learnt["all"], math.inf
    if variance == "per-record":
        return max(np.var(values), learnt["floor"]), math.inf
    d0, s02 = learnt["prior"]
    s2 = max(np.var(values, ddof=1), learnt["floor"])
    shrunk = s02 if math.isinf(d0) else (d0 * s02 + (n - 1) * s2) / (d0 + n - 1)
    return shrunk * (1 + 1 / n), d0 + n - 1


def log_density(x, middle, variance, degrees):
    if math.isinf(degrees):
        return stats.norm.logpdf(x, middle, math.sqrt(variance))
    return stats.t.logpdf(x, degrees, middle, math.sqrt(variance))


def combine(parts, queries, missing):
    """Sum over the known labels of the mean over the queries that gave a part; every label must have one."""
    means = [
        mean_of_present([parts.get((q, l), math.nan) for q in range(queries)])
        for l in range(len(missing))
        if not missing[l]
    ]
    return sum(means) if means else math.nan


def lira(case, offline, center, variance, counts):
    phi, keep = signals(case), case["keep"]
    shadows, records, queries, labels = phi.shape
    scores = np.full((shadows, records), np.nan)
    for target in range(shadows):
        sets = one_dimensional_sets(phi, keep, target, counts, case["block"], offline)
        if not sets:
            continue
        used = (OUT,) if offline else (IN, OUT)
        # The fixed standard deviation of the public code is that of the IN values, for both sides.
        origin = {OUT: OUT if offline or variance != "reference" else IN, IN: IN}
        learnt = {side: spread_of_a_side(sets, origin[side], variance) for side in used}
        # The pooled variance comes from all records: one reference is enough for a mean.
        least = 1 if variance == "pooled" else 2
        for r in range(records):
            parts = {}
            for q, l in itertools.product(range(queries), range(labels)):
                sides = sets.get((r, q, l))
                if sides is None or any(len(sides[side]) < least for side in used):
                    continue
                x = phi[target, r, q, l]
                middle = {side: center_of(sides[side], center) for side in used}
                spread = {side: variance_of(sides[side], learnt[side], variance) for side in used}
                if not offline:
                    ln = [log_density(x, middle[side], *spread[side]) for side in (IN, OUT)]
                    parts[q, l] = ln[IN] - ln[OUT]
                elif variance == "reference":
                    parts[q, l] = -log_density(x, middle[OUT], *spread[OUT])
                else:
                    parts[q, l] = (x - middle[OUT]) / math.sqrt(spread[OUT][0])
            scores[target, r] = combine(parts, queries, missing_labels(case, r))
    return scores


def missing_labels(case, r):
    return [y == MISSING for y in case["labels"][r]] if case["kind"] == "multi-label" else [False]


def multivariate(case, center, counts):
    """ln N(x; mu_in, S_in) - ln N(x; mu_out, S_out) of the vector over queries, covariances shrunk."""
    phi, keep = signals(case), case["keep"]
    shadows, records, queries, labels = phi.shape
    scores = np.full((shadows, records), np.nan)
    nu0 = queries + 1
    for target in range(shadows):
        sets = {}
        for r, l in itertools.product(range(records), range(labels)):
            if np.all(np.isfinite(phi[target, r, :, l])):
                there = [s for s in range(shadows) if np.all(np.isfinite(phi[s, r, :, l]))]
                sides = reference_sets(there, keep[:, r], target, counts, case["block"])
                sets[r, l] = [np.array([phi[s, r, :, l] for s in side]).reshape(-1, queries) for side in sides]
        if not sets:
            continue

        def scatter(values):
            d = values - np.mean(values, axis=0)
            return d.T @ d

        common = []
        for side in (IN, OUT):
            values = [sides[side] for sides in sets.values() if len(sides[side])]
            common.append(sum(scatter(v) for v in values) / sum(len(v) for v in values))
        for r in range(records):
            parts = {}
            for l in range(labels):
                sides = sets.get((r, l))
                if sides is None or min(len(sides[IN]), len(sides[OUT])) < 2:
                    continue
                ln = []
                for side in (IN, OUT):
                    n = len(sides[side])
                    covariance = (nu0 * common[side] + scatter(sides[side])) / (nu0 + n)
                    d = phi[target, r, :, l] - center_of(sides[side], center)
                    ln.append(-0.5 * (d @ np.linalg.solve(covariance, d) + np.linalg.slogdet(covariance)[1]))
                parts[0, l] = ln[IN] - ln[OUT]
            scores[target, r] = combine(parts, 1, missing_labels(case, r))
    return scores


# --- RMIA, BASE, global --------------------------------------------------------------------------------------


def mean_over(values, shadows):
    return mean_of_present([values[s] for s in shadows])


def rmia(case, offline, a, gamma):
    """Zarifzadeh et al. 2024 (arXiv 2312.03262), equations 8 and 10 to 12, and algorithm 1."""
    keep = case["keep"]
    shadows, records = keep.shape

    def over_queries(p):
        return np.array([[mean_of_present(q) for q in row] for row in p])

    px = over_queries(probabilities(case, case["logits"], case["labels"]))
    pz = over_queries(probabilities(case, case["population_logits"], case["population_labels"]))
    scores = np.full((shadows, records), np.nan)
    for target in range(shadows):
        references = [s for s in range(shadows) if s != target]
        ratio_z = []
        for z in range(pz.shape[1]):
            mean = mean_over(pz[:, z], references)
            ratio = pz[target, z] / (((1 + a) * mean + (1 - a)) / 2 if offline else mean)
            if math.isfinite(ratio):
                ratio_z.append(ratio)
        for r in range(records):
            mean_in = mean_over(px[:, r], [s for s in references if keep[s, r]])
            mean_out = mean_over(px[:, r], [s for s in references if not keep[s, r]])
            p = ((1 + a) * mean_out + (1 - a)) / 2 if offline else (mean_in + mean_out) / 2
            ratio = px[target, r] / p
            if math.isfinite(ratio) and ratio_z:
                scores[target, r] = sum(ratio / z > gamma for z in ratio_z) / len(ratio_z)
    return scores


def exact_probability(case, z, label, temperature):
    """The probability of the record's label(s), at a temperature, to as many digits as asked for."""
    if case["kind"] == "multi-label":
        odds = [(2 * int(y) - 1) * v for y, v in zip(label, z) if y != MISSING]
    elif case["kind"] == "single":
        odds = [(2 * int(label) - 1) * z[0]]
    elif np.all(np.isfinite(z)):
        powers = [mpmath.exp(mpmath.mpf(v) / temperature) for v in z]
        return powers[label] / sum(powers)
    else:
        return math.nan
    if not odds or not np.all(np.isfinite(odds)):
        return math.nan
    return mpmath.fprod([1 / (1 + mpmath.exp(-mpmath.mpf(o) / temperature)) for o in odds])


def base(case, offline, temperature):
    """Lassila et al. 2025 (arXiv 2505.24089): log p_t - log of the mean p over the references.

    With 400 digits: in f64, probabilities beyond 1 - 1e-16 are all the same, and so would their scores be.
    """
    keep, logits = case["keep"], case["logits"]
    shadows, records = keep.shape
    scores = np.full((shadows, records), np.nan)
    with mpmath.workdps(400):
        for r in range(records):
            values = [[] for _ in range(shadows)]
            for q in range(logits.shape[2]):
                p = [exact_probability(case, logits[s, r, q], case["labels"][r], temperature) for s in range(shadows)]
                there = [s for s in range(shadows) if not mpmath.isnan(p[s])]
                for target in there:
                    means = []
                    for side in (False,) if offline else (False, True):
                        of_side = [p[s] for s in there if s != target and keep[s, r] == side]
                        means.append(sum(of_side) / len(of_side) if of_side else math.nan)
                    mixture = sum(means) / len(means)
                    if not mpmath.isnan(mixture):
                        values[target].append(float(mpmath.log(p[target] / mixture)))
            scores[:, r] = [mean_of_present(v) for v in values]
    return scores


def global_threshold(case):
    phi = signals(case)
    shadows, records, queries, labels = phi.shape
    scores = np.full((shadows, records), np.nan)
    for target, r in itertools.product(range(shadows), range(records)):
        parts = {(q, l): phi[target, r, q, l] for q in range(queries) for l in range(labels)}
        scores[target, r] = combine(parts, queries, missing_labels(case, r))
    return scores


# --- figures ---------------------------------------------------------------------------------------------------


def figures(scores, keep):
    """Over all (target, record) pairs that have a score."""
    there = np.isfinite(scores)
    inside, outside = scores[there & keep], scores[there & ~keep]
    wins = sum(np.sum(x > outside) + 0.5 * np.sum(x == outside) for x in inside)
    n = len(outside)
    vertices = [(0.0, 0)] + [
        (np.mean(inside >= t), int(np.sum(outside >= t))) for t in np.unique(np.concatenate([inside, outside]))
    ]
    return {
        "auc": wins / (len(inside) * n),
        "balanced_accuracy": max((tpr + 1 - fp / n) / 2 for tpr, fp in vertices),
        "tpr_at_fpr": [
            max(tpr for tpr, fp in vertices if fp <= math.floor(x * n + 1e-9)) for x in (0.1, 0.01, 0.001, 0.0001)
        ],
        "scored": int(np.sum(there)),
    }
