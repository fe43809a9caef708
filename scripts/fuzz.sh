#!/usr/bin/env bash
# Builds the native fuzzers with clang under the address and undefined-behaviour sanitizers, and runs each for a bounded
# time, starting from the saved corpus. A finding fails the run and leaves its input in build-sanitized/findings.
#   scripts/fuzz.sh [seconds for each fuzzer, default 10, or inputs: 1000000x] [name of one fuzzer]
#   scripts/fuzz.sh --configure     only the build folder: the native tests are built there too, under the same sanitizers
set -euo pipefail
cd "$(dirname "$0")/.."
folder=build-sanitized
if ! command -v clang++ >/dev/null; then
  echo "clang++ not found; install with: apt-get install clang (Debian), dnf install clang compiler-rt (Fedora)" >&2
  exit 5
fi
# A folder of before there was C to fuzz has another compiler for it.
grep -q '^CMAKE_C_COMPILER:.*clang' "$folder/CMakeCache.txt" 2>/dev/null || rm -f "$folder/CMakeCache.txt"
# -O1: compiled sooner, and what a finding says stays near the source.
cmake -S . -B "$folder" -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  "-DCMAKE_C_FLAGS_RELWITHDEBINFO=-O1 -g1" "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1 -g1" -DQEMU_CBT_TESTS=ON -DQEMU_CBT_FUZZ=ON \
  -DQEMU_CBT_SANITIZE=address,undefined >/dev/null
[ "${1:-}" != --configure ] || exit 0

budget=${1:-10}
only=${2:-}
case ${budget%x} in '' | *[!0-9]*) echo "usage: scripts/fuzz.sh [seconds | <inputs>x] [fuzzer]" >&2; exit 2 ;; esac
case $budget in *x) limit=-runs=${budget%x} ;; *) limit=-max_total_time=$budget ;; esac
cmake --build "$folder" -j "$(nproc)" --target fuzzers >/dev/null

findings=$folder/findings
mkdir -p "$findings"
failed=0
ran=0
while read -r fuzzer; do
  name=$(basename "$fuzzer")
  [ -z "$only" ] || [ "$only" = "$name" ] || continue
  corpus=$folder/corpus/$name
  saved=$(find native -type d -path "*/fuzz/corpus/$name" -print -quit)
  mkdir -p "$corpus"
  ran=$((ran + 1))
  if "$fuzzer" "$limit" -timeout=20 -rss_limit_mb=1024 -print_final_stats=1 \
    -artifact_prefix="$findings/$name-" "$corpus" ${saved:+"$saved"} >"$findings/$name.log" 2>&1; then
    echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$findings/$name.log") inputs, nothing found"
  else
    tail -n 40 "$findings/$name.log" >&2
    echo "$name: FOUND SOMETHING, see $findings" >&2
    failed=1
  fi
done < <(find "$folder" -name '*_fuzzer' -type f -perm -u+x | sort)
[ "$ran" -gt 0 ] || { echo "no fuzzer ran" >&2; exit 1; }
exit "$failed"
