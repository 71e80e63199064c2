#!/bin/bash
# setup.sh DIR: the CUDA 13.0 compiler in DIR, from PyPI's wheels of NVIDIA; no root, no device, about 105 MB to
# download. Prints what to export. Done before, it only prints.
set -euo pipefail

if [ $# -ne 1 ]; then
  echo "usage: $0 DIR" >&2
  exit 2
fi
mkdir -p "$1"
dir=$(cd "$1" && pwd)
home=$dir/nvidia/cu13

wheels=(
  nvidia-cuda-nvcc==13.0.88
  nvidia-nvvm==13.0.88
  nvidia-cuda-crt==13.0.88
  nvidia-cuda-runtime==13.0.96
  nvidia-cuda-cccl==13.0.85
)

# The last thing written, so that a run that was cut off starts again.
stamp=$dir/installed
if [ "$(cat "$stamp" 2>/dev/null)" != "${wheels[*]}" ]; then
  python=$(command -v python3) || { echo "python3 with pip is needed" >&2; exit 1; }
  rm -rf "$dir/nvidia" "$stamp"
  "$python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --upgrade \
    --target "$dir" "${wheels[@]}" >&2
  ln -sfn lib "$home/lib64"
  "$home/bin/nvcc" --version >&2
  echo "${wheels[*]}" > "$stamp"
fi

echo "export CUDA_HOME='$home'"
