"""Makes groups.json: exact answers to what the comparison of groups estimates, for the tests.

Permutation p values are found by going through all ways to deal the outcomes out within the strata, each
with its exact probability, from the definitions; intervals and residuals come from scipy and numpy. Run it
with numpy 2.4.6 and scipy 1.17.1:

    python make_groups.py > groups.json
"""

import itertools
import json
import math
import sys

import numpy as np
import scipy
from scipy import stats

TOP = 0.01
Z = stats.norm.ppf(0.975)


def simulate(rng, n=150):
    """Patients with one record or two; the missing level of b and the level y of a do worse."""
    patients = []
    for i in range(n):
        a, b = int(rng.integers(2)), int(rng.integers(3))
        patients.append({"records": 1 + int(rng.random() < 0.4), "a": a, "b": b})
    return patients


def ways(sizes, count):
    """All ways to draw `count` patients from cells of these sizes, with their probabilities."""
    total = math.comb(sum(sizes), count)

    def go(i, left):
        if i == len(sizes) - 1:
            if left <= sizes[i]:
                yield (left,), math.comb(sizes[i], left)
            return
        for x in range(min(left, sizes[i]) + 1):
            for rest, weight in go(i + 1, left - x):
                yield (x,) + rest, weight * math.comb(sizes[i], x)

    return [(np.array(x), weight / total) for x, weight in go(0, count)]


def stratum_ways(sizes, holds, tied, weight):
    """Amounts per cell of `holds` patients that count 1 and `tied` that count `weight`."""
    found = []
    for x, p in ways(sizes, holds):
        for y, q in ways(list(np.array(sizes) - x), tied):
            found.append((x + weight * y, p * q))
    return found


def compare(patients, partitions, value, weight):
    """p values of one outcome; `value` gives 1, "tied" or 0 of a patient."""
    cells = sorted({(p["a"], p["b"]) for p in patients})
    groups = [(i, g) for i, part in enumerate(partitions) for g in range(len(part["names"]))]
    member = np.array([[float(partitions[i]["of"](c) == g) for c in cells] for i, g in groups])
    n = len(patients)
    mean, variance, observed = np.zeros(len(groups)), np.zeros(len(groups)), np.zeros(len(groups))
    strata = []
    for records in sorted({p["records"] for p in patients}):
        here = [p for p in patients if p["records"] == records]
        sizes = [sum((p["a"], p["b"]) == c for p in here) for c in cells]
        amounts = np.array([{1: 1.0, "tied": weight, 0: 0.0}[value(p)] for p in here])
        inside = np.array([[m[cells.index((p["a"], p["b"]))] for p in here] for m in member])
        size = inside.sum(axis=1)
        observed += inside @ amounts
        mean += size * amounts.mean()
        # A sample of `size` from a finite population.
        variance += size * (len(here) - size) / (len(here) - 1) * amounts.var()
        holds, tied = sum(value(p) == 1 for p in here), sum(value(p) == "tied" for p in here)
        strata.append(stratum_ways(sizes, holds, tied, weight))
    share = np.array([sum(m[cells.index((p["a"], p["b"]))] for p in patients) / n for m in member])

    def statistics(amounts):
        deviates = (amounts - mean) / np.sqrt(variance)
        omnibus, comparable = [], []
        for i in range(len(partitions)):
            mine = [g for g, (j, _) in enumerate(groups) if j == i]
            q = sum((1 - share[g]) * deviates[g] ** 2 for g in mine)
            df = len(mine) - 1
            omnibus.append(q)
            comparable.append((np.cbrt(q / df) - 1 + 2 / (9 * df)) / math.sqrt(2 / (9 * df)))
        return deviates, np.array(omnibus), np.array(comparable)

    deviates, omnibus, comparable = statistics(observed)
    p_omnibus, p_adjusted, p_groups = np.zeros(len(omnibus)), np.zeros(len(omnibus)), np.zeros(len(groups))
    slack = 1e-9
    mass = 0.0
    for dealt in itertools.product(*strata):
        p = math.prod(q for _, q in dealt)
        d, o, c = statistics(member @ sum(x for x, _ in dealt))
        p_omnibus += p * (o >= omnibus - slack)
        p_adjusted += p * (c.max() >= comparable - slack)
        p_groups += p * (np.abs(d).max() >= np.abs(deviates) - slack)
        mass += p
    assert abs(mass - 1) < 1e-9
    for g, (i, _) in enumerate(groups):
        p_groups[g] = max(p_groups[g], p_omnibus[i])
    return {
        "omnibus": p_omnibus.tolist(),
        "omnibus_adjusted": p_adjusted.tolist(),
        "groups": p_groups.tolist(),
        "amounts": observed.tolist(),
        "mean": mean.tolist(),
        "deviates": deviates.tolist(),
    }


def matched(patients, inside, holds):
    """Mantel-Haenszel risk ratio with the interval of Greenland and Robins."""
    r = s = v = 0.0
    for records in sorted({p["records"] for p in patients}):
        here = [p for p in patients if p["records"] == records]
        n = len(here)
        a = sum(inside(p) and holds(p) for p in here)
        b = sum(not inside(p) and holds(p) for p in here)
        n1 = sum(inside(p) for p in here)
        n0 = n - n1
        r += a * n0 / n
        s += b * n1 / n
        v += ((a + b) * n1 * n0 - a * b * n) / n**2
    half = Z * math.sqrt(v / (r * s))
    return [r / s, math.exp(math.log(r / s) - half), math.exp(math.log(r / s) + half)]


def crude(patients, inside, holds):
    a = sum(inside(p) and holds(p) for p in patients)
    b = sum(not inside(p) and holds(p) for p in patients)
    n1 = sum(inside(p) for p in patients)
    n0 = len(patients) - n1
    found = stats.contingency.relative_risk(a, n1, b, n0)
    interval = found.confidence_interval(0.95)
    return [found.relative_risk, interval.low, interval.high]


def general_association():
    """The omnibus statistic is Pearson's chi-squared times (n - 1) / n in one stratum."""
    table = np.array([[7, 3, 9], [21, 30, 17]])
    n = table.sum()
    size, d = table.sum(axis=0), table[0].sum()
    mean = size * d / n
    variance = size * (n - size) * d * (n - d) / (n**2 * (n - 1))
    q = ((1 - size / n) * (table[0] - mean) ** 2 / variance).sum()
    assert abs(q - stats.contingency.chi2_contingency(table).statistic * (n - 1) / n) < 1e-12


def main():
    general_association()
    rng = np.random.default_rng(3)
    patients = simulate(rng)
    # Who is detected, chosen so that there is something to see: 5 of those with one record, 4 of the others.
    for records, count in ((1, 5), (2, 4)):
        here = [p for p in patients if p["records"] == records]
        risk = np.array([1 + 6 * p["a"] + 3 * (p["b"] == 2) for p in here], dtype=float)
        chosen = rng.choice(len(here), count, replace=False, p=risk / risk.sum())
        for i, p in enumerate(here):
            p["detected"] = bool(i in chosen)
            p["recognisable"] = bool(i in chosen[:3])
            p["auc"] = 0.875 if i in chosen else 0.5 + 0.001 * i
    # 1.5 patients are the top share: one above the cut, two tied there.
    top = [p for p in patients if p["detected"]]
    top[0]["auc"], top[1]["auc"], top[2]["auc"] = 0.96875, 0.9375, 0.9375
    # The b of 2 is missing in what the statistics are given.
    names_a, names_b = ["x", "y"], ["u", "v", "missing"]
    partitions = [
        {"name": "a", "names": names_a, "of": lambda c: c[0]},
        {"name": "b", "names": names_b, "of": lambda c: c[1]},
        {
            "name": "a x b",
            "names": [f"{a} x {b}" for a in names_a for b in names_b],
            "of": lambda c: 3 * c[0] + c[1],
        },
    ]
    above = sum(p["auc"] > 0.9375 for p in patients)
    tied = sum(p["auc"] == 0.9375 for p in patients)
    weight = (TOP * len(patients) - above) / tied
    outcomes = {
        "detected": compare(patients, partitions, lambda p: int(p["detected"]), 0.0),
        "recognisable": compare(patients, partitions, lambda p: int(p["recognisable"]), 0.0),
        "top": compare(
            patients,
            partitions,
            lambda p: 1 if p["auc"] > 0.9375 else "tied" if p["auc"] == 0.9375 else 0,
            weight,
        ),
    }
    groups = []
    for part in partitions:
        for g, name in enumerate(part["names"]):
            inside = lambda p: part["of"]((p["a"], p["b"])) == g  # noqa: E731
            size = sum(map(inside, patients))
            assert size >= 10
            found = {"partition": part["name"], "name": name, "patients": size}
            detected = lambda p: p["detected"]  # noqa: E731
            found["detected"] = sum(inside(p) and p["detected"] for p in patients)
            if 0 < found["detected"] < 9:
                found["risk_ratio"] = crude(patients, inside, detected)
                found["matched_risk_ratio"] = matched(patients, inside, detected)
            expected = TOP * size
            amount = outcomes["top"]["amounts"][len(groups)]
            found["residual"] = (amount - expected) / math.sqrt(expected)
            groups.append(found)
    document = {
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__},
        "patients": patients,
        "outcomes": outcomes,
        "groups": groups,
    }
    json.dump(document, sys.stdout, indent=1)
    print()


main()
