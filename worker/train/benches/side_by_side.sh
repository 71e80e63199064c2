#!/usr/bin/env bash
# Training speed beside PyTorch and JAX: rounds in turns on one pinned core, by the seconds each thread was on it; medians,
# ratios.
# Usage: benches/side_by_side.sh [ROUNDS] [ONLY]; ONLY is a part of the models' names, PYTHON names a Python that has
# torch, and jax if perceptrons are to be held against it, too; CORE the core to use.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-5}
only=${2:-}
python=${PYTHON:-python3}
core=${CORE:-0}
"$python" -c 'import torch' || { echo "PYTHON must name a Python with torch" >&2; exit 2; }
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
bench=$(cargo bench -p umbra-train --bench training --no-run 2>&1 | sed -n 's/.*Executable.*(\(.*\)).*/\1/p')
[[ -x $bench ]] || bench=../../$bench
ours=$(mktemp) theirs=$(mktemp)
trap 'rm -f "$ours" "$theirs" "$theirs".*' EXIT
ensembles=(torch)
"$python" -c 'import jax' 2>/dev/null && ensembles+=(jax) || echo "no jax: left out"
# Losses first: one run of equal length on their side.
taskset -c "$core" "$python" benches/pytorch.py 1 "$only" loss >"$theirs.loss"
echo "load before: $(cut -d' ' -f1-3 /proc/loadavg)"
for ((round = 0; round < rounds; round++)); do
    taskset -c "$core" "$bench" --plain --rounds 1 --only "$only" >>"$ours"
    taskset -c "$core" "$python" benches/pytorch.py 1 "$only" >>"$theirs"
    for ensemble in "${ensembles[@]}"; do
        taskset -c "$core" "$python" benches/ensembles.py "$ensemble" 1 "$only" >>"$theirs.$ensemble"
    done
done
echo "load after: $(cut -d' ' -f1-3 /proc/loadavg)"
"$python" - "$ours" "$theirs" "$theirs.loss" "$theirs.torch" "$theirs.jax" <<'PY'
import os, statistics, sys

def read(path):
    rows = {}
    for line in open(path):
        name, *values = line.split()
        rows.setdefault(name, []).append([float(v) for v in values])
    return rows

ours, theirs, losses = map(read, sys.argv[1:4])
ensembles = [(name, read(path)) for name, path in zip(("pytorch compiled", "jax vmap"), sys.argv[4:]) if os.path.exists(path)]
ok = True
for name in ours:
    column = lambda rows, k: [row[k] for row in rows[name]]
    spread = lambda v: f"{statistics.median(v):,.0f} ({min(v):,.0f} to {max(v):,.0f})"
    us, eager, stacked = column(ours, 0), column(theirs, 0), column(theirs, 2)
    loss, reference = statistics.median(column(ours, 1)), column(losses, 1)[0]
    same = abs(loss - reference) < 0.05 + 0.25 * reference
    ok &= same
    median = statistics.median
    print(f"{name}, samples/s on one thread: median (least to most)")
    print(f"  umbra            {spread(us)}; {100 * median(column(ours, 2)):.0f} % of the product's speed")
    print(f"  pytorch eager    {spread(eager)}; umbra is {median(us) / median(eager):.2f} times as fast")
    if median(stacked) > 0:
        print(f"  pytorch stacked  {spread(stacked)}; umbra is {median(us) / median(stacked):.2f} times as fast")
    for what, rows in ensembles:
        if name in rows:
            other = column(rows, 0)
            print(f"  {what:<16} {spread(other)}; umbra is {median(us) / median(other):.2f} times as fast")
    print(f"  final loss {loss:.4f} and {reference:.4f}: {'alike' if same else 'NOT ALIKE'}")
sys.exit(0 if ok else 1)
PY
