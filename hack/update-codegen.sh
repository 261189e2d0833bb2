#!/usr/bin/env bash
# Generates code from the types in pkg/apis: deep copies, registration, OpenAPI, apply
# configurations, clientset, listers, informers and the CustomResourceDefinition. Run it
# after changing a type or a marker.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

module=github.com/external-workload/controller
boilerplate=hack/boilerplate.go.txt
# Download the module, or it has no folder.
go -C hack/tools mod download k8s.io/code-generator
generators=$(go -C hack/tools list -m -f '{{.Dir}}' k8s.io/code-generator)
crd=charts/external-workload-controller/files/crds

# The generators are installed into a temporary folder.
GOBIN=$(mktemp -d)
export GOBIN
trap 'rm -rf "$GOBIN"' EXIT

# shellcheck source=/dev/null
source "$generators/kube_codegen.sh"

kube::codegen::gen_helpers --boilerplate "$boilerplate" pkg/apis
kube::codegen::gen_register --boilerplate "$boilerplate" pkg/apis
kube::codegen::gen_openapi \
    --output-dir pkg/generated/openapi \
    --output-pkg "$module/pkg/generated/openapi" \
    --report-filename "$GOBIN/violations" --update-report \
    --boilerplate "$boilerplate" pkg/apis

# The apply configurations use the schema of the new OpenAPI.
go run ./hack/openapi >"$GOBIN/openapi.json"
kube::codegen::gen_client \
    --with-watch --with-applyconfig \
    --applyconfig-openapi-schema "$GOBIN/openapi.json" \
    --output-dir pkg/generated \
    --output-pkg "$module/pkg/generated" \
    --boilerplate "$boilerplate" pkg/apis

mkdir -p "$crd"
go -C hack/tools tool controller-gen crd \
    "paths=$PWD/pkg/apis/..." "output:crd:dir=$PWD/$crd"
