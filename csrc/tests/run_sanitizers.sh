#!/bin/sh
# Builds and runs the C++ tests under address + undefined-behaviour and thread sanitizers.
# Usage: csrc/tests/run_sanitizers.sh [address,undefined | thread]...
set -eu
cd "$(dirname "$0")/.."
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
[ $# -gt 0 ] || set -- address,undefined thread

compile() { "${CXX:-g++}" -std=c++17 -O1 -g -fno-omit-frame-pointer -w "$@"; }

for sanitizer; do
  flags="-fsanitize=$sanitizer -fno-sanitize-recover=all"
  objects=""
  case $(uname -m) in
    x86_64) isas="v2:16:16 v3:32:16 v4:64:32" ;;
    *) isas="generic:16:32" ;;
  esac
  for isa in $isas; do
    name=${isa%%:*} rest=${isa#*:}
    macros="-DSE_HPO_VECTOR_BYTES=${rest%%:*} -DSE_HPO_VECTOR_REGISTERS=${rest##*:}"
    case $name in
      generic) macros="$macros -DSE_HPO_ISA=generic" ;;
      *) macros="$macros -DSE_HPO_ISA=x86_64_$name -march=x86-64-$name" ;;
    esac
    # shellcheck disable=SC2086
    compile $flags $macros -c kernels/isa.cpp -o "$build/$name.o"
    objects="$objects $build/$name.o"
  done
  # shellcheck disable=SC2086
  compile $flags -pthread tests/test_engine.cpp kernels/dispatch.cpp agents/*.cpp \
    envs/*.cpp fields.cpp mlp.cpp pool.cpp replay.cpp training.cpp $objects -o "$build/test"
  echo "== $sanitizer"
  "$build/test"
done
