#!/usr/bin/env bash
# Fails if the generated code is stale. It generates in a copy and does not change the
# working tree.
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
    echo "generated code is stale: run make generate and commit the changes" >&2
    exit 1
fi
echo "generated code is current"
