"""Makes two_pass.json and two_pass.bin: audits of our own making, and every attack's scores by two_pass.py.

Run it with mpmath 1.3.0, numpy 2.4.6 and scipy 1.17.1:

    python make_two_pass.py
"""

import itertools
import json
import pathlib

import mpmath
import numpy as np
import scipy

from two_pass import MISSING, base, figures, global_threshold, lira, multivariate, rmia

def blocked(rng, shadows, records, block):
    keep = np.zeros((shadows, records), dtype=bool)
    for r, start in itertools.product(range(records), range(0, shadows, block)):
        keep[start + rng.choice(block, block // 2, replace=False), r] = True
    return keep


def drawn(rng, kind, keep, queries, classes, population):
    """Logits of records that differ in level, spread and leakage, and of a population."""
    shadows, records = keep.shape
    keep = np.concatenate([keep, np.zeros((shadows, population), dtype=bool)], axis=1)
    all_records = records + population
    spread = rng.gamma(2, 0.5, (1, all_records, 1, 1))
    logits = rng.normal(0, 1, (1, all_records, 1, classes)) + spread * (
        rng.normal(0, 0.8, (shadows, all_records, 1, classes))
        + rng.normal(0, 0.6, (shadows, all_records, queries, classes))
    )
    gain = rng.choice([0.0, 0.7, 2.0], (1, all_records, 1, 1)) * spread * keep[:, :, None, None]
    if kind == "multi-label":
        labels = rng.integers(0, 2, (all_records, classes))
        logits = (logits + gain + 0.5) * (2 * labels - 1)[None, :, None, :]
    elif kind == "single":
        labels = rng.integers(0, 2, all_records)
        logits = (logits + gain + 0.5) * (2 * labels - 1)[None, :, None, None]
    else:
        labels = rng.integers(0, classes, all_records)
        of_label = (labels[:, None] == np.arange(classes))[None, :, None, :]
        logits = logits + of_label * (gain + 0.5)
    return logits, labels


def split(name, kind, design, block, keep, logits, labels, population, wide=False):
    records = keep.shape[1]
    logits = logits if wide else logits.astype(np.float32).astype(np.float64)
    return {
        "name": name,
        "kind": kind,
        "design": design,
        "block": block,
        "lost": [],
        "wide": wide,
        "keep": keep,
        "logits": logits[:, :records],
        "labels": labels[:records],
        "population_logits": logits[:, records:],
        "population_labels": labels[records:],
    }


def multi_class(rng):
    """Two queries, a lost shadow, entries that are not finite, a large offset, a nearly constant record."""
    keep = blocked(rng, 12, 26, 6)
    logits, labels = drawn(rng, "multi-class", keep, 2, 3, 20)
    logits[np.arange(12)[:, None], 3, :, labels[3]] += 5000.0
    logits[:, 4] = np.round(logits[:1, 4] * 8) / 8
    logits[7, 4, :, labels[4]] += 3.0
    logits[2, 6] = np.nan
    logits[9, 7, 1, 0] = np.inf
    logits[3, 26 + 5, 0] = np.nan
    logits[5] = np.nan
    return split("multi-class", "multi-class", "blocks", 6, keep, logits, labels, 20) | {"lost": [5]}


def single(rng):
    """Complementary pairs; double precision inputs; saturated logits."""
    keep = blocked(rng, 12, 20, 2)
    logits, labels = drawn(rng, "single", keep, 1, 1, 15)
    logits[:, 2] *= 20
    logits[:, 3] *= 500
    return split("single", "single", "pairs", 2, keep, logits, labels, 15, wide=True)


def multi_label(rng):
    """Three labels, some of them missing; exactly half of all shadows; four queries."""
    keep = blocked(rng, 12, 16, 12)
    logits, labels = drawn(rng, "multi-label", keep, 4, 3, 12)
    labels[1, 0] = labels[2, 1:] = labels[5] = labels[20, 2] = MISSING
    logits[4, 7, 1, 2] = np.nan
    logits[6, 2, 0, 2] = np.nan  # of a missing label: nothing is lost
    return split("multi-label", "multi-label", "exact", 12, keep, logits, labels, 12)


def unequal(rng):
    """A fair coin for each shadow and record: from no IN shadow at all to almost only."""
    keep = rng.random((11, 20)) < 0.5
    keep[:, 0] = False
    keep[:, 1] = np.arange(11) == 3
    keep[:, 2] = np.arange(11) < 2
    keep[:, 3] = np.arange(11) != 6
    logits, labels = drawn(rng, "multi-class", keep, 1, 4, 15)
    logits[8, 9] = np.nan
    return split("unequal", "multi-class", "bernoulli", 11, keep, logits, labels, 15)


def variants(case):
    """(attack, settings, scores)"""
    for offline in (False, True):
        attack = "lira-offline" if offline else "lira-online"
        for center, variance, counts in itertools.product(
            ("mean", "median"), ("per-record", "pooled", "shrunk", "reference"), ("equal", "first", "all")
        ):
            settings = {"center": center, "variance": variance, "counts": counts}
            yield attack, settings, lira(case, offline, center, variance, counts)
    if case["logits"].shape[2] > 1:
        for center, counts in itertools.product(("mean", "median"), ("equal", "first", "all")):
            settings = {"center": center, "counts": counts, "multivariate": True}
            yield "lira-online", settings, multivariate(case, center, counts)
    for gamma in (1.0, 1.5):
        yield "rmia", {"offline": False, "gamma": gamma}, rmia(case, False, 0.0, gamma)
        for a in (0.0, 0.3, 1.0):
            yield "rmia", {"offline": True, "rmia_a": a, "gamma": gamma}, rmia(case, True, a, gamma)
    for offline, temperature in itertools.product((False, True), (1.0, 2.0)):
        yield "base", {"offline": offline, "temperature": temperature}, base(case, offline, temperature)
    yield "global", {}, global_threshold(case)


class Store:
    """Arrays one after the other in a file of little-endian numbers, and where each of them is."""

    TYPES = {"f32": "<f4", "f64": "<f8", "u8": "u1"}

    def __init__(self):
        self.bytes, self.index = bytearray(), {}

    def put(self, name, values, kind):
        values = np.ascontiguousarray(values, dtype=self.TYPES[kind])
        self.index[name] = {"type": kind, "shape": list(values.shape), "offset": len(self.bytes)}
        self.bytes += values.tobytes()
        return name


def main():
    rng = np.random.default_rng(20260611)
    store, cases = Store(), []
    for case in (multi_class(rng), single(rng), multi_label(rng), unequal(rng)):
        name = case["name"]
        floats = "f64" if case["wide"] else "f32"
        store.put(f"{name}/logits", case["logits"], floats)
        store.put(f"{name}/labels", case["labels"], "u8")
        store.put(f"{name}/membership", case["keep"], "u8")
        store.put(f"{name}/population-logits", case["population_logits"], floats)
        store.put(f"{name}/population-labels", case["population_labels"], "u8")
        found = []
        for number, (attack, settings, scores) in enumerate(variants(case)):
            where = store.put(f"{name}/{number}", scores, "f64")
            right = figures(scores, case["keep"])
            found.append({"attack": attack, "settings": settings, "scores": where, "figures": right})
        cases.append({key: case[key] for key in ("name", "kind", "design", "block", "lost")} | {"variants": found})
        print(name, len(found))
    folder = pathlib.Path(__file__).parent
    folder.joinpath("two_pass.bin").write_bytes(store.bytes)
    made_with = {"mpmath": mpmath.__version__, "numpy": np.__version__, "scipy": scipy.__version__}
    text = json.dumps({"made_with": made_with, "cases": cases, "arrays": store.index}, allow_nan=False)
    folder.joinpath("two_pass.json").write_text(text.replace(', {"attack"', ',\n{"attack"') + "\n")


if __name__ == "__main__":
    main()
