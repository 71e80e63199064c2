"""Makes roc.json: ROC figures by scikit-learn of scores with and without ties.

    python make_roc.py > roc.json

The rates are counted with integers: the false positives at a rate x are at most floor(x n + 1e-9).
"""

import json

import numpy
import sklearn
from sklearn.metrics import roc_auc_score, roc_curve

random = numpy.random.default_rng(7)


def figures(name, members, nonmembers):
    scores = numpy.concatenate([members, nonmembers])
    label = numpy.r_[numpy.ones(len(members)), numpy.zeros(len(nonmembers))]
    fpr, tpr, _ = roc_curve(label, scores, drop_intermediate=False)
    false_positives = numpy.rint(fpr * len(nonmembers))
    within = lambda rate: tpr[false_positives <= numpy.floor(rate * len(nonmembers) + 1e-9)].max()
    return {
        "name": name,
        "members": members.tolist(),
        "nonmembers": nonmembers.tolist(),
        "auc": roc_auc_score(label, scores),
        "balanced_accuracy": float(((tpr + 1 - fpr) / 2).max()),
        "tpr_at_fpr": [float(within(rate)) for rate in (0.1, 0.01, 0.001, 0.0001)],
    }


cases = [
    figures("continuous", random.normal(0.7, 1.3, 160), random.normal(size=230)),
    figures("rounded", random.normal(0.5, 1, 150).round(1), random.normal(size=130).round(1)),
    figures("heavy tails", random.standard_cauchy(120) ** 5, random.standard_cauchy(100) ** 5),
    figures("few non-members", random.normal(size=90), random.normal(size=3)),
]
print(json.dumps({"made with": f"scikit-learn {sklearn.__version__}, numpy {numpy.__version__}", "cases": cases}))
