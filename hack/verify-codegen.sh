#!/usr/bin/env bash
# Fails if the generated code differs from what the generators make of the
# types now. It generates in a copy and leaves the working tree alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir -p "$copy/charts/external-workload-controller/files"
cp -r go.mod go.sum hack pkg "$copy/"
cp -r charts/external-workload-controller/files/crds "$copy/charts/external-workload-controller/files/"

"$copy/hack/update-codegen.sh" >"$copy/log" 2>&1 || { cat "$copy/log" >&2; exit 1; }

stale=0
for path in pkg/apis pkg/generated charts/external-workload-controller/files/crds; do
    diff -Naupr "$path" "$copy/$path" || stale=1
done
if [ "$stale" != 0 ]; then
    echo "generated code is stale: run hack/update-codegen.sh and commit what it changes" >&2
    exit 1
fi
echo "generated code is current"
