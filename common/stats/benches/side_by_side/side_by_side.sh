#!/usr/bin/env bash
# The statistics stage beside numpy and one read pass: rounds in turns on one pinned core, medians, ratios.
# Usage: benches/side_by_side/side_by_side.sh [ROUNDS]; PYTHON names a Python with numpy and scipy, CORE the core.
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-5}
python=${PYTHON:-python3}
core=${CORE:-0}
"$python" -c 'import numpy, scipy' || { echo "PYTHON must name a Python with numpy and scipy" >&2; exit 2; }
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
bench() {
    local path
    path=$(cargo bench -p umbra-stats --bench "$1" --no-run --locked 2>&1 | sed -n 's/.*Executable.*(\(.*\)).*/\1/p')
    [[ -x $path ]] || path=../../$path
    echo "$path"
}
stage=$(bench stage)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" benches/side_by_side/numpy_side.py --data "$folder" --write
# tensorflow/privacy's loop is too slow for every round.
taskset -c "$core" "$python" benches/side_by_side/numpy_side.py --data "$folder" --rounds 1 --tfp >>"$folder/lines"
for ((round = 0; round < rounds; round++)); do
    taskset -c "$core" "$stage" --plain --rounds 1 --data "$folder" >>"$folder/lines"
    taskset -c "$core" "$python" benches/side_by_side/numpy_side.py --data "$folder" --rounds 1 >>"$folder/lines"
done
"$python" benches/side_by_side/ratios.py "$folder/lines"
