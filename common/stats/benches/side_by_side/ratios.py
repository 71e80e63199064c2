"""Reads the lines of both sides, prints medians, spread and ratios; fails where the findings differ.

    python ratios.py LINES
"""

import statistics
import sys


class Lines:
    def __init__(self, path):
        self.values = {}
        for line in open(path):
            side, what, precision, records, shadows, value = line.split()
            self.values.setdefault((side, what, precision), []).append(float(value))
        self.size = f"{int(records):,} records x {shadows} shadows"

    def median(self, *key):
        return statistics.median(self.values[key]) if key in self.values else None

    def row(self, side, what, precision):
        values = self.values.get((side, what, precision))
        if values:
            spread = f"{statistics.median(values):9.4f} s ({min(values):.4f} to {max(values):.4f})"
            print(f"  {side:<6}{what:<16}{precision} {spread}")

    def ratio(self, of, to, words, bound):
        """How many times the median `to` is in `of`, if both are there."""
        if of and to:
            print(f"      {of / to:8.2f} {words} ({bound})")


def main():
    lines = Lines(sys.argv[1])
    print(f"{lines.size}, one core: median of the rounds (least to most)")
    alike = True
    for precision, passes in (("f32", "floor 30, goal 15"), ("f64", "floor 60")):

        def ours(what):
            return lines.median("umbra", what, precision)

        def theirs(what):
            return lines.median("numpy", what, precision)

        lines.row("umbra", "read", precision)
        for what in ("llr", "llr-whole", "tfp-llr", "roc", "patients", "utility", "stage"):
            lines.row("numpy", what, precision)
        for what in ("none", "curves"):
            lines.row("umbra", what, precision)
        lines.row("umbra", "sweep-mean", precision)
        lines.ratio(ours("sweep-mean"), ours("read"), "read passes", passes)
        lines.ratio(theirs("llr"), ours("sweep-mean"), "times as fast as numpy's llr", "floor 8, goal 15")
        whole = theirs("llr-whole")
        lines.ratio(whole, ours("sweep-mean"), "times as fast as it on the whole matrix", "no bound")
        lines.ratio(theirs("tfp-llr"), ours("sweep-mean"), "times as fast as tensorflow/privacy's loop", "two targets")
        lines.ratio(theirs("roc"), ours("curves"), "times as fast as numpy's roc, with per-target curves", "no bound")
        for what in ("median", "rmia", "shrunk", "offline", "base"):
            bound = "at most 4" if what in ("median", "rmia") else "no bound"
            lines.row("umbra", f"sweep-{what}", precision)
            lines.ratio(ours(f"sweep-{what}"), ours("sweep-mean"), "times the sweep with means", bound)
        lines.row("umbra", "stage-mean", precision)
        lines.ratio(theirs("stage"), ours("stage-mean"), "times as fast as numpy's stage", "floor 3, goal 5")
        close = 1e-5 if precision == "f32" else 1e-9
        tolerances = {"auc": close, "loss": close, "binormal": close, "epsilon": 1e-9}
        for what in ("auc", "loss", "binormal", "detected", "mirror", "anytime", "epsilon"):
            same = abs(ours(what) - theirs(what)) <= tolerances.get(what, 0)
            alike &= same
            print(f"  {what} {ours(what):.9g} and {theirs(what):.9g}: {'alike' if same else 'NOT ALIKE'}")
    return 0 if alike else 1


if __name__ == "__main__":
    sys.exit(main())
