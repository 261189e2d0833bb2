#!/usr/bin/env bash
# Builds the controller's image for amd64 and arm64, without a container engine and without a
# registry. The base image is empty, since the binary is static. The same tree gives the same
# digest.
#
# It writes to dist/:
#   image/                 both platforms, as an OCI layout
#   image-linux-ARCH.tar   one platform, for ctr -n k8s.io images import
#   sbom/                  the contents, as SPDX
#   image.digest           the digest of the image index
#
# Environment:
#   VERSION    of the program and of the tag (default: from git)
#   IMAGE      name of the image
#   PUSH=1     push the image and its SBOMs to IMAGE, with the same digest
#   PLATFORMS  which to build (default linux/amd64,linux/arm64)
#   OUT        where to write (default dist)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

PLATFORMS=${PLATFORMS:-linux/amd64,linux/arm64}
IMAGE=${IMAGE:-ghcr.io/external-workload/controller}
VERSION=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo devel)}
OUT=${OUT:-dist}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)
export VERSION REVISION SOURCE_DATE_EPOCH

scratch=$(mktemp -d)
registry_pid=
finish() {
    local status=$?
    if [[ -n $registry_pid ]]; then
        kill "$registry_pid" 2>/dev/null || true
        wait "$registry_pid" 2>/dev/null || true
    fi
    # The output of the tools is shown only if one of them fails.
    [[ $status == 0 ]] || tail -n 20 "$scratch"/*.log >&2 || true
    rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT TERM

# The tools are built on first use and kept in Go's cache.
crane=$(go -C hack/image tool -n crane)
ko=$(go -C hack/image tool -n ko)

# start_registry serves an empty registry on loopback. Its port is fixed, because ko writes
# the name of the base image into the image, and so into the digest.
registry=127.0.0.1:${REGISTRY_PORT:-51737}
start_registry() {
    "$crane" registry serve --address "$registry" 2>"$scratch/registry.out" &
    registry_pid=$!
    for _ in $(seq 100); do
        grep -q 'serving on port' "$scratch/registry.out" && return 0
        kill -0 "$registry_pid" 2>/dev/null || break
        sleep 0.1
    done
    echo "the registry on $registry did not start; REGISTRY_PORT sets another port:" >&2
    cat "$scratch/registry.out" >&2
    return 1
}

# push_base pushes an empty base image for each platform to the registry.
push_base() {
    local platform members=()
    head -c 1024 /dev/zero >"$scratch/empty.tar"
    for platform in ${PLATFORMS//,/ }; do
        local name=$registry/scratch-${platform//\//-}
        "$crane" append --oci-empty-base --new_layer "$scratch/empty.tar" --new_tag "$name"
        "$crane" mutate "$name" --set-platform "$platform" --tag "$name"
        members+=(--manifest "$name")
    done
    "$crane" index append "${members[@]}" --tag "$registry/scratch"
}

build() {
    local created title="external-workload-controller"
    created=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
    KO_DEFAULTBASEIMAGE=$registry/scratch KO_DOCKER_REPO=$registry/controller \
        "$ko" build ./cmd/external-workload-controller \
        --bare --tags "$VERSION" --platform "$PLATFORMS" \
        --image-user 65532:65532 \
        --sbom spdx --sbom-dir "$OUT/sbom" \
        --image-label "org.opencontainers.image.title=$title" \
        --image-label "org.opencontainers.image.description=Publishes Linkerd ExternalWorkloads as EndpointSlices" \
        --image-label "org.opencontainers.image.source=https://github.com/external-workload/controller" \
        --image-label "org.opencontainers.image.licenses=Apache-2.0" \
        --image-label "org.opencontainers.image.version=$VERSION" \
        --image-label "org.opencontainers.image.revision=$REVISION" \
        --image-label "org.opencontainers.image.created=$created"
}

# save writes the layout, and for each platform a tarball that containerd and docker import
# with the image's real name.
save() {
    local built=$registry/controller:$VERSION platform
    "$crane" pull --format oci "$built" "$OUT/image"
    for platform in ${PLATFORMS//,/ }; do
        "$crane" pull --platform "$platform" "$built" "$scratch/one.tar"
        name_tarball "$scratch/one.tar" "$OUT/image-${platform//\//-}.tar"
    done
    "$crane" digest "$built" >"$OUT/image.digest"
}

# name_tarball copies a tarball of an image and replaces its name in the registry on loopback
# with its real name.
name_tarball() {
    local unpacked
    unpacked=$(mktemp -d -p "$scratch")
    tar -xf "$1" -C "$unpacked"
    sed -i "s|$registry/controller:|$IMAGE:|" "$unpacked/manifest.json"
    (cd "$unpacked" && tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - -- *) >"$2"
}

rm -rf "$OUT/image" "$OUT/sbom" "$OUT"/image-linux-*.tar "$OUT/image.digest"
mkdir -p "$OUT/sbom"
start_registry
push_base >"$scratch/base.log" 2>&1
build >"$scratch/ko.log" 2>&1
save
if [[ ${PUSH:-} == 1 ]]; then
    # The other tags belong to the SBOMs, one for each digest.
    for tag in $("$crane" ls "$registry/controller"); do
        "$crane" copy "$registry/controller:$tag" "$IMAGE:$tag"
    done
fi
echo "$IMAGE:$VERSION@$(cat "$OUT/image.digest")"
du -h "$OUT"/image-linux-*.tar
