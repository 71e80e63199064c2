"""Makes reference.json: plain answers to what the statistics compute, for the tests.

Everything is written out in loops and two passes, from the definitions and with no thought of speed, and
shares no code with the crate. Run it with numpy 2.4.6 and scipy 1.17.1:

    python make_reference.py > reference.json
"""

import itertools
import json
import math
import sys

import numpy as np
import scipy
from scipy import optimize, special, stats

EVALUATED_AT = (0.1, 0.01, 0.001, 0.0001)


def rounded(x):
    """JSON has no NaN: absent numbers are null."""
    if isinstance(x, (list, tuple, np.ndarray)):
        return [rounded(y) for y in x]
    x = float(x)
    return x if math.isfinite(x) else None


def columns(rng, shadows, units, block):
    """[shadows][units], every unit in exactly half of every block."""
    keep = np.zeros((shadows, units), dtype=bool)
    for unit in range(units):
        for start in range(0, shadows, block):
            chosen = rng.choice(block, block // 2, replace=False)
            keep[start + chosen, unit] = True
    return keep


# --- signals ---------------------------------------------------------------------------------------

def phi_of(logits, label):
    if not np.all(np.isfinite(logits)):
        return np.nan
    if len(logits) == 1:
        return (2 * label - 1) * logits[0]
    others = np.delete(logits, label)
    return logits[label] - special.logsumexp(others)


# --- references of a target ------------------------------------------------------------------------

def references(phi, keep, target, counts, block):
    """(IN values, OUT values) of the other shadows, for one record and query."""
    there = [s for s in range(len(phi)) if s != target and np.isfinite(phi[s])]
    inside = [s for s in there if keep[s]]
    outside = [s for s in there if not keep[s]]
    if counts == "equal":
        other = outside if keep[target] else inside
        mine = [s for s in other if s // block == target // block]
        if other:
            other.remove(mine[0] if mine else other[0])
    elif counts == "first":
        n = min(len(inside), len(outside))
        inside, outside = inside[:n], outside[:n]
    return np.array([phi[s] for s in inside]), np.array([phi[s] for s in outside])


# --- online LiRA -----------------------------------------------------------------------------------

def t_ln_density(x, mean, s2, n, d0, s02):
    if math.isinf(d0):
        return stats.norm.logpdf(x, mean, math.sqrt(s02 * (1 + 1 / n)))
    nu = n - 1
    shrunk = (d0 * s02 + nu * s2) / (d0 + nu)
    return stats.t.logpdf(x, d0 + nu, mean, math.sqrt(shrunk * (1 + 1 / n)))


def hyper_parameters(s2, nu):
    s2, nu = np.array(s2), np.array(nu, dtype=float)
    e = np.log(s2) - special.digamma(nu / 2) + np.log(nu / 2)
    excess = np.var(e, ddof=1) - np.mean(special.polygamma(1, nu / 2))
    if excess <= 0:
        return math.inf, math.exp(np.mean(e))
    half = optimize.brentq(
        lambda x: special.polygamma(1, x) - excess, 1e-8, 1e12, xtol=1e-300, rtol=9e-16, maxiter=1000
    )
    return 2 * half, math.exp(np.mean(e) + special.digamma(half) - math.log(half))


def lira(phi, keep, variance, counts, block):
    """Scores [shadows][records] of signals [shadows][records][queries]; and the floored scores."""
    shadows, records, queries = phi.shape
    scores = np.full((shadows, records), np.nan)
    floored = 0
    for target in range(shadows):
        sets = {}
        for r in range(records):
            for q in range(queries):
                if np.isfinite(phi[target, r, q]):
                    sets[r, q] = references(phi[:, r, q], keep[:, r], target, counts, block)
        squares, number = [0.0, 0.0], [0, 0]
        for sides in sets.values():
            for k in (0, 1):
                if len(sides[k]):
                    squares[k] += np.sum((sides[k] - np.mean(sides[k])) ** 2)
                    number[k] += len(sides[k])
        if not sets:
            continue
        pooled = [squares[k] / number[k] for k in (0, 1)]
        floor = [1e-6 * p for p in pooled]
        hyper = None
        if variance == "shrunk":
            hyper = []
            for k in (0, 1):
                usable = [sides[k] for sides in sets.values() if len(sides[k]) >= 2]
                hyper.append(
                    hyper_parameters(
                        [max(np.var(v, ddof=1), floor[k]) for v in usable], [len(v) - 1 for v in usable]
                    )
                )
        for r in range(records):
            ratios, acted = [], False
            for q in range(queries):
                sides = sets.get((r, q))
                least = 1 if variance == "pooled" else 2
                if sides is None or min(len(sides[0]), len(sides[1])) < least:
                    continue
                x, terms = phi[target, r, q], []
                for k in (0, 1):
                    values = sides[k]
                    if variance == "pooled":
                        terms.append(stats.norm.logpdf(x, np.mean(values), math.sqrt(pooled[k])))
                    elif variance == "per-record":
                        v = np.var(values)
                        acted |= v < floor[k]
                        terms.append(stats.norm.logpdf(x, np.mean(values), math.sqrt(max(v, floor[k]))))
                    else:
                        v = np.var(values, ddof=1)
                        acted |= v < floor[k]
                        terms.append(
                            t_ln_density(x, np.mean(values), max(v, floor[k]), len(values), *hyper[k])
                        )
                ratios.append(terms[0] - terms[1])
            if ratios:
                scores[target, r] = np.mean(ratios)
                floored += acted
    return scores, floored


# --- ROC -------------------------------------------------------------------------------------------

def figures(scores, keep):
    """Over all (shadow, record) pairs that have a score."""
    there = np.isfinite(scores)
    inside, outside = scores[there & keep], scores[there & ~keep]
    wins = sum(np.sum(x > outside) + 0.5 * np.sum(x == outside) for x in inside)
    vertices = [(0.0, 0)] + [
        (np.mean(inside >= t), int(np.sum(outside >= t))) for t in np.unique(np.concatenate([inside, outside]))
    ]
    n = len(outside)
    return {
        "auc": wins / (len(inside) * n),
        "balanced_accuracy": max((tpr + 1 - fp / n) / 2 for tpr, fp in vertices),
        "tpr_at_fpr": [
            max(tpr for tpr, fp in vertices if fp <= math.floor(x * n + 1e-9)) for x in EVALUATED_AT
        ],
        "scored": int(np.sum(there)),
    }


def lira_case(rng):
    shadows, records, queries, classes, block, lost = 16, 24, 2, 3, 8, [5]
    keep = columns(rng, shadows, records, block)
    labels = rng.integers(0, classes, records)
    logits = rng.normal(0, 1.5, (shadows, records, queries, classes)) * rng.gamma(2, 0.5, (1, records, 1, 1))
    for s, r in itertools.product(range(shadows), range(records)):
        logits[s, r, :, labels[r]] += 1.0 * keep[s, r] + rng.normal(0, 0.3)
    # One record with an offset, one nearly constant one (the floor), and some absent entries.
    logits[:, 3, :, labels[3]] += 5000.0
    logits[:, 4] = np.round(logits[:1, 4] * 8) / 8
    logits[7, 4, :, labels[4]] += 3.0
    logits[2, 6] = np.nan
    logits[9, 7, 1, 0] = np.inf
    logits[lost] = np.nan
    logits = logits.astype(np.float32).astype(np.float64)
    phi = np.array(
        [
            [[phi_of(logits[s, r, q], labels[r]) for q in range(queries)] for r in range(records)]
            for s in range(shadows)
        ]
    )
    variants = []
    for variance in ("per-record", "pooled", "shrunk"):
        for counts in ("equal", "first", "all"):
            scores, floored = lira(phi, keep, variance, counts, block)
            variants.append(
                {
                    "variance": variance,
                    "counts": counts,
                    "scores": rounded(scores),
                    "floored": floored,
                    "figures": figures(scores, keep),
                }
            )
    there = np.isfinite(phi).sum(axis=2)
    mean_phi = np.where(there > 0, np.nansum(phi, axis=2) / np.maximum(there, 1), np.nan)
    per_record = []
    for r in range(records):
        inside, outside = mean_phi[keep[:, r], r], mean_phi[~keep[:, r], r]
        inside, outside = inside[np.isfinite(inside)], outside[np.isfinite(outside)]
        wins = pairs = 0
        for start in range(0, shadows, block):
            rows = np.arange(start, start + block)
            a, b = mean_phi[rows[keep[rows, r]], r], mean_phi[rows[~keep[rows, r]], r]
            for x, y in itertools.product(a[np.isfinite(a)], b[np.isfinite(b)]):
                wins += (x > y) + 0.5 * (x == y)
                pairs += 1
        sd_in, sd_out = np.std(inside, ddof=1), np.std(outside, ddof=1)
        per_record.append(
            {
                "auc": wins / pairs,
                "binormal_auc": stats.norm.cdf(
                    (np.mean(inside) - np.mean(outside)) / math.sqrt(sd_in**2 + sd_out**2)
                ),
                "mean_in": np.mean(inside),
                "mean_out": np.mean(outside),
                "sd_in": sd_in,
                "sd_out": sd_out,
                "n_in": len(inside),
                "n_out": len(outside),
            }
        )
    utility = []
    for s in range(shadows):
        if s in lost:
            continue
        row = {"shadow": s}
        for name, side in (("inside", keep[s]), ("outside", ~keep[s])):
            hits, losses = [], []
            for r in np.flatnonzero(side):
                z = np.mean(logits[s, r], axis=0)
                if np.all(np.isfinite(z)):
                    best = np.flatnonzero(z == np.max(z))
                    hits.append((labels[r] in best) / len(best))
                    losses.append(special.logsumexp(z) - z[labels[r]])
            row[name] = {"records": len(hits), "accuracy": np.mean(hits), "log_loss": np.mean(losses)}
        utility.append(row)
    return {
        "shadows": shadows,
        "records": records,
        "queries": queries,
        "classes": classes,
        "block": block,
        "lost": lost,
        "labels": labels.tolist(),
        "keep": keep.astype(int).tolist(),
        "logits": rounded(logits),
        "infinite": [[9, 7, 1, 0]],
        "variants": variants,
        "per_record": per_record,
        "utility": utility,
    }


# --- the patient test ------------------------------------------------------------------------------

def van_elteren(values, keep, block):
    """U, pairs and both p values, by going through every assignment of IN to the values of a block."""
    parts = []
    for start in range(0, len(values), block):
        rows = [s for s in range(start, start + block) if np.isfinite(values[s])]
        v, inside = [values[s] for s in rows], [i for i, s in enumerate(rows) if keep[s]]
        m, n = len(inside), len(rows) - len(inside)
        if m == 0 or n == 0:
            continue

        def u_of(chosen):
            rest = [i for i in range(m + n) if i not in chosen]
            return sum((v[i] > v[j]) + 0.5 * (v[i] == v[j]) for i in chosen for j in rest)

        parts.append((u_of(inside), m * n, [u_of(c) for c in itertools.combinations(range(m + n), m)]))
    u = sum(p[0] for p in parts)
    null = {0.0: 1.0}
    for _, _, choices in parts:
        grown = {}
        for x, y in itertools.product(null, choices):
            grown[x + y] = grown.get(x + y, 0.0) + null[x] / len(choices)
        null = grown
    return {
        "auc": u / sum(p[1] for p in parts),
        "p": min(1.0, math.fsum(w for x, w in null.items() if x >= u)),
        "mirror_p": min(1.0, math.fsum(w for x, w in null.items() if x <= u)),
    }


def patient_case(rng):
    shadows, block, units, lost = 24, 8, 60, [3, 4, 17]
    keep = columns(rng, shadows, units, block)
    z = rng.normal(0, 1, (shadows, units)) + keep * rng.choice([0, 0, 2.0], units)
    # A third with ties of all sorts, some with absent entries.
    z[:, 20:40] = np.round(z[:, 20:40])
    z[:, 39] = 0.5
    for u in (5, 15, 25, 35):
        z[rng.choice(shadows, 3, replace=False), u] = np.nan
    z[lost] = np.nan
    z = z.astype(np.float32).astype(np.float64)
    results = [van_elteren(z[:, u], keep[:, u], block) for u in range(units)]
    p = [r["p"] for r in results]
    q = stats.false_discovery_control(p)
    detected = int(np.sum(q <= 0.05))
    alpha = 0.05 * max(detected, 1) / units
    n = [
        min(int(np.sum(np.isfinite(z[:, u]) & keep[:, u])), int(np.sum(np.isfinite(z[:, u]) & ~keep[:, u])))
        for u in range(units)
    ]
    return {
        "shadows": shadows,
        "block": block,
        "units": units,
        "lost": lost,
        "keep": keep.astype(int).tolist(),
        "z": rounded(z),
        "auc": [r["auc"] for r in results],
        "p": p,
        "q": q.tolist(),
        "detected": detected,
        "mirror": int(np.sum(stats.false_discovery_control([r["mirror_p"] for r in results]) <= 0.05)),
        "auc_lower": [kl_bound(r["auc"], n_u, alpha) for r, n_u in zip(results, n)],
    }


# --- bounds ----------------------------------------------------------------------------------------

def kl_bound(auc, n, alpha):
    def excess(a):
        return n * (special.rel_entr(auc, a) + special.rel_entr(1 - auc, 1 - a)) - math.log(1 / alpha)

    if auc == 0:
        return 0.0
    return optimize.brentq(excess, 1e-300, auc, xtol=1e-300, rtol=9e-16, maxiter=2000)


def main():
    rng = np.random.default_rng(20260101)
    p = np.round(rng.uniform(0, 1, 40) ** 3, 3)
    print(
        json.dumps(
            {
                "made_with": {"numpy": np.__version__, "scipy": scipy.__version__},
                "lira": lira_case(rng),
                "patients": patient_case(rng),
                "kl": [
                    {"auc": a, "n": n, "alpha": alpha, "lower": kl_bound(a, n, alpha)}
                    for a in (1.0, 0.97, 0.75, 0.5, 0.1)
                    for n in (8, 32, 256)
                    for alpha in (0.05, 0.05 / 9105)
                ],
                "bh": {"p": p.tolist(), "q": stats.false_discovery_control(p).tolist()},
                "wilson": [
                    {
                        "k": k,
                        "n": n,
                        "interval": list(stats.binomtest(k, n).proportion_ci(0.95, method="wilson")),
                    }
                    for k, n in ((0, 10), (3, 10), (10, 10), (57, 1234))
                ],
            },
            allow_nan=False,
            default=lambda x: x.item(),
        )
    )


if __name__ == "__main__":
    sys.exit(main())
