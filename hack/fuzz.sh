#!/usr/bin/env bash
# Fuzzes every target of the main module and of test/validation for a time each. Go writes
# failing inputs to the testdata folder of the package, where they become tests. The folder
# also has some inputs with new coverage from runs of ten minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
time=${1:-1m}
grep -rl --include='*_test.go' '^func Fuzz' . | grep -v '^./test/' | xargs -n1 dirname | sort -u | while read -r package; do
    grep -hoE "^func Fuzz[A-Za-z0-9]+" "$package"/*_test.go | awk '{print $2}' | sort -u | while read -r target; do
        echo "=== $package $target for $time"
        go test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 1s
    done
done
echo "=== ./test/validation FuzzWhatAnOlderServerAccepted for $time"
go -C test/validation test . -run '^$' -fuzz '^FuzzWhatAnOlderServerAccepted$' -fuzztime "$time" -fuzzminimizetime 1s
