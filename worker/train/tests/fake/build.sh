#!/usr/bin/env bash
# build.sh DIR: a stand-in for NVIDIA's driver in DIR, libcuda.so.1 and the kernels it runs, with g++ and no device.
# Needs NVIDIA's cuda.h, which comes with nvcc (deploy/cuda/setup.sh). Done before, it does nothing.
#
# A program finds it with LD_LIBRARY_PATH=DIR. How it behaves is said in settings.h.
set -euo pipefail

if [ $# -ne 1 ]; then
  echo "usage: $0 DIR" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
kernels=$here/../../kernels
emulator=$here/../emu
mkdir -p "$1"
dir=$(cd "$1" && pwd)

# Where cuda.h is, beside the nvcc that compiles the kernels.
headers() {
  local nvcc=${NVCC:-${CUDA_HOME:+$CUDA_HOME/bin/nvcc}}
  nvcc=$(command -v "${nvcc:-nvcc}") || { echo "no nvcc, and so no cuda.h: see deploy/cuda/setup.sh" >&2; return 1; }
  local include
  for include in "${CUDA_HOME:+$CUDA_HOME/include}" "$(dirname "$(readlink -f "$nvcc")")/../include" /usr/include; do
    if [ -n "$include" ] && [ -f "$include/cuda.h" ]; then
      echo "$include"
      return
    fi
  done
  echo "no cuda.h beside $nvcc" >&2
  return 1
}

include=$(headers)
flags=(-std=c++17 -O2 -fPIC -shared -fvisibility=hidden -fno-gnu-unique)
# As tests/emu/compile.rs has them.
arithmetic=(-ffp-contract=off -fno-math-errno -Wno-unknown-pragmas)
if grep -qw fma /proc/cpuinfo 2>/dev/null && [ "$(uname -m)" = x86_64 ]; then
  arithmetic+=(-mfma)
fi

# Everything that the result depends on.
inputs() {
  echo "${flags[*]} ${arithmetic[*]} $include"
  g++ --version
  cat "$here"/build.sh "$here"/*.h "$here"/*.c* "$emulator"/*.h "$kernels"/*.cu*
}

# One library of a source's kernels: the emulator's poison for shared memory is for one source at a time.
compile_kernels() {
  local source=$1 to=$2 name text
  name=$(basename "$source" .cu)
  text=$(g++ -std=c++17 -E -P -x c++ -include "$emulator/cuda_cpu.h" "$source" | tr '\n' ' ')
  grep -oE '__global__ +void +(__launch_bounds__ *\([^()]*\) *)?[A-Za-z0-9_]+ *\(' <<<"$text" |
    sed -E 's/^__global__ +void +(__launch_bounds__ *\(([^(),]*)[^()]*\) *)?([A-Za-z0-9_]+) *\($/KERNEL(\3, \2)/;
      s/, \)/, 1024)/' >"$to/$name.kernels"
  if [ "$(grep -o __global__ <<<"$text" | wc -l)" != "$(grep -c '^KERNEL(.*)$' "$to/$name.kernels")" ]; then
    echo "kernels are written as extern \"C\" __global__ void __launch_bounds__(N) NAME(...): $source" >&2
    return 1
  fi
  g++ "${flags[@]}" "${arithmetic[@]}" -I "$emulator" -DSOURCE="\"$source\"" -DKERNELS="\"$to/$name.kernels\"" \
    -o "$to/kernels-$name.so" "$here/kernels.cpp"
}

stamp=$(inputs | sha256sum)
if [ "$(cat "$dir/stamp" 2>/dev/null)" = "$stamp" ]; then
  exit 0
fi
# Others may load the old one meanwhile, or build the same.
made=$(mktemp -d "$dir/XXXXXX")
trap 'rm -rf "$made"' EXIT
jobs=()
for source in "$kernels"/*.cu "$here"/probe.cu; do
  compile_kernels "$source" "$made" &
  jobs+=($!)
done
g++ "${flags[@]}" -Wall -Wextra -Werror -I "$include" -o "$made/libcuda.so.1" "$here/fake_cuda.cpp" -ldl -lpthread
for job in "${jobs[@]}"; do
  wait "$job"
done
# What looks for libcuda.so first, as cudarc does, should not find another one.
ln -s libcuda.so.1 "$made/libcuda.so"
rm -f "$dir/stamp" "$dir"/kernels-*.so
mv -f "$made"/*.so "$made"/libcuda.so.1 "$dir/"
echo "$stamp" >"$dir/stamp"
