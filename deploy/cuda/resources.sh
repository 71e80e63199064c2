#!/bin/bash
# resources.sh: what every kernel takes of a multiprocessor, as a table in Markdown: registers of a thread, bytes that
# spilled of them, bytes of shared memory of a block. Builds the kernels first, with the nvcc of NVCC, CUDA_HOME or PATH.
set -euo pipefail
cd "$(dirname "$0")/../.."

out=$(cargo build --locked -p umbra-train --features cuda --message-format json-render-diagnostics |
  grep '"reason":"build-script-executed"' | grep 'umbra-train' | sed 's/.*"out_dir":"\([^"]*\)".*/\1/')

awk -F '\t' '
  NR == 1 { next }
  !($1 in seen) { seen[$1] = 1; kernels[++count] = $1 }
  !($2 in known) { known[$2] = 1; generations[++columns] = $2 }
  { cell[$1, $2] = $3 " / " $6 " / " $4 }
  END {
    line = "| kernel |"; rule = "|---|"
    for (c = 1; c <= columns; ++c) { line = line " " generations[c] " |"; rule = rule "---|" }
    print line; print rule
    for (k = 1; k <= count; ++k) {
      line = "| " kernels[k] " |"
      for (c = 1; c <= columns; ++c) line = line " " cell[kernels[k], generations[c]] " |"
      print line
    }
    print ""
    print "registers / spilled bytes / bytes of shared memory"
  }' "$out/kernels.txt"
