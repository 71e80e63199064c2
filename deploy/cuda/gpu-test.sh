#!/usr/bin/env bash
# gpu-test.sh [DEVICE]: everything that is to be shown on a machine with a CUDA device, the first by default. Needs what
# a build needs (README.md beside this file) and NVIDIA's driver. Leaves a page of results in target/gpu-test.md; ends
# with an error at the first thing that does not hold.
set -euo pipefail
cd "$(dirname "$0")/../.."
device=${1:-0}
page=target/gpu-test.md
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ -z "${NVCC:-}" ] && [ -z "${CUDA_HOME:-}" ] && ! command -v nvcc >/dev/null 2>&1; then
    eval "$(bash deploy/cuda/setup.sh target/tools/cuda)"
fi
umbra() { target/release/umbra "$@"; }

cargo build --release --locked -p umbra --features cuda
umbra doctor
umbra doctor --format json | grep -q "\"ordinal\":$device[,}]" || { echo "there is no CUDA device $device: see above" >&2; exit 1; }

# Every architecture, recipe, variation and kind of data, and whole packs: the bits of the CPU, twice, so those of the
# device's own runs, too.
for run in 1 2; do
    echo "agreement with the CPU, run $run"
    UMBRA_CUDA_DEVICE=$device cargo test --release --locked -p umbra-train --features cuda --test cuda -- \
        agreement packs --test-threads 1
done

# One audit end to end: the findings of a device are those of the CPU.
umbra run deploy/examples/support2.toml --device cpu --out "$work/cpu" >/dev/null
begin=$(date +%s.%N)
umbra run deploy/examples/support2.toml --device "cuda:$device" --out "$work/cuda" >/dev/null
took=$(echo "$(date +%s.%N) - $begin" | bc)
for file in summary.json records.parquet patients.parquet; do
    cmp "$work/cpu/$file" "$work/cuda/$file"
done

cargo bench --locked -p umbra-train --features cuda --bench devices -- --device "$device" | tee "$work/devices"
cargo bench --locked -p umbra-train --bench launches | tee "$work/launches"
if python3 -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
    CUDA_VISIBLE_DEVICES=$device python3 worker/train/benches/gpu.py | tee "$work/pytorch"
else
    echo "PyTorch with CUDA is not installed here: no comparison" | tee "$work/pytorch"
fi

{
    echo "# On a CUDA device, $(date +%F)"
    echo
    umbra doctor
    nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader || true
    echo
    echo "All architectures, recipes and packs: the bits of the CPU, twice. The SUPPORT2 audit: the CPU's findings," \
        "byte for byte, in $took s."
    printf '\n## Samples per second\n\n'
    grep '^|' "$work/devices"
    printf '\n## Expected from data sheets\n\n'
    grep '^|' "$work/launches"
    printf '\n## PyTorch\n\n'
    cat "$work/pytorch"
} >"$page"
echo "the results are in $page"
