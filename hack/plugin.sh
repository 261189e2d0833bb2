#!/usr/bin/env bash
# Builds the kubectl plugin for every platform, packs each with the license, and writes the
# krew manifest.
#
#   hack/plugin.sh VERSION COMMIT [BASE_URL]
#
# PLATFORMS selects other platforms, and DIST another folder, which is replaced.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=$1
commit=$2
base=${3:-https://github.com/external-workload/controller/releases/download/$version}
if [[ ! $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+ ]]; then
    echo "krew would refuse the version $version; it accepts versions like v1.2.3 (make plugin VERSION=v1.2.3)" >&2
fi
dist=${DIST:-dist/plugin}
rm -rf "$dist"
mkdir -p "$dist"
manifest=$dist/external-workload.yaml

cat >"$manifest" <<EOF
apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: external-workload
spec:
  version: ${version}
  homepage: https://github.com/external-workload/controller
  shortDescription: Explain why a machine outside the cluster gets traffic or not
  description: |
    Explains for each Service whether it sends traffic to a machine outside the
    cluster (an ExternalWorkload), with every check in order and a fix. Also lists,
    watches, drains, invites and registers machines.
  platforms:
EOF

for platform in ${PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64}; do
    os=${platform%/*} arch=${platform#*/}
    program=kubectl-external_workload
    [ "$os" = windows ] && program=$program.exe
    work=$(mktemp -d)
    CGO_ENABLED=0 GOOS=$os GOARCH=$arch go build -trimpath \
        -ldflags "-s -w -X main.release=$version -X main.commit=$commit" \
        -o "$work/$program" ./cmd/kubectl-external_workload
    cp LICENSE "$work/"
    archive=$dist/kubectl-external_workload_${os}_${arch}.tar.gz
    # Equal content gives an equal archive.
    tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$work" -c "$program" LICENSE | gzip -n >"$archive"
    rm -rf "$work"
    cat >>"$manifest" <<EOF
  - selector:
      matchLabels: {os: ${os}, arch: ${arch}}
    uri: ${base}/$(basename "$archive")
    sha256: $(sha256sum "$archive" | cut -d' ' -f1)
    bin: ${program}
EOF
    echo "built $archive"
done
echo "wrote $manifest"
