#!/usr/bin/env bash
# Tests the chart in a whole cluster on this machine: control plane, scheduler, kubelet,
# containerd, kube-proxy and CoreDNS, with "VMs" outside of it, and monitored by Prometheus.
#
# It needs root, since everything runs in separate PID, mount and network namespaces. When the
# first process there ends, for any reason, the kernel ends all others and removes the mounts
# and the links.
#
# It uses the programs of the Debian packages below. It installs missing packages only with
# --install or E2E_INSTALL=1, with apt-get, and starts none of their daemons. systemd boots
# one of the VMs if it is installed.
#
# Other flags are passed to the program in test/e2e, such as --picture FILE and --hold.
#
# Environment:
#   E2E=auto   skip it with a message if the machine does not allow it
#   E2E_INSTALL=1  install Debian packages that are missing
#   E2E_TIMEOUT  maximum seconds for everything, including builds (default 2400)
#   E2E_LOGS   folder for the logs of a failure (default .cache/e2e-logs)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."

E2E_TIMEOUT=${E2E_TIMEOUT:-2400}
if [[ -z ${E2E_BOUNDED:-} ]]; then
    E2E_BOUNDED=1 exec timeout --foreground --kill-after=60 "$E2E_TIMEOUT" "$here/run.sh" "$@"
fi
if [[ ${1:-} == --install ]]; then
    E2E_INSTALL=1
    shift
fi
E2E_LOGS=${E2E_LOGS:-.cache/e2e-logs}
packages=(containerd crun containernetworking-plugins iproute2 nftables prometheus)

# leave_out ends the run on an unsuitable machine.
leave_out() {
    echo "e2e: left out: $1" >&2
    [[ ${E2E:-} == auto ]] && exit 0
    exit 3
}

# stage runs one step in its own process group, which finish can end.
stage() {
    local name=$1 begin=$SECONDS status=0
    shift
    set -m
    "$@" >"$work/stage.log" 2>&1 &
    current=$!
    set +m
    wait "$current" || status=$?
    current=
    if [[ $status != 0 ]]; then
        printf 'FAIL  %-56s %6ds\n' "$name" $((SECONDS - begin))
        tail -n 30 "$work/stage.log" >&2
        echo "0 passed, 1 failed"
        return 1
    fi
    printf 'ok    %-56s %6ds\n' "$name" $((SECONDS - begin))
}

# missing lists the programs that are not installed.
missing() {
    local program
    for program in containerd ctr crun ip nft nsenter prometheus unshare; do
        command -v "$program" >/dev/null || echo "$program"
    done
    [[ -x /usr/lib/cni/ptp ]] || echo /usr/lib/cni/ptp
}

# install_packages must not start the packages' daemons. Their scripts check whether systemd
# runs, and otherwise the run level. For apt-get, systemd is hidden and the run level is that
# of single-user mode.
install_packages() {
    command -v apt-get >/dev/null || return 1
    install_quietly && return 0
    apt-get update
    install_quietly
}
install_quietly() {
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 unshare --mount bash -c '
        [[ ! -d /run/systemd ]] || mount -t tmpfs tmpfs /run/systemd
        exec apt-get install -y --no-install-recommends "$@"' install "${packages[@]}"
}

build_kubernetes() { KUBEBUILDER_ASSETS='' go -C hack/kubernetes run . kube-scheduler kubelet kube-proxy; }
build_tools() { go -C hack/e2e tool -n coredns && go -C test/chart tool -n helm; }
build_image() { PLATFORMS=linux/$(go env GOARCH) OUT=$work/image VERSION=e2e hack/image/build.sh; }
build_programs() {
    export CGO_ENABLED=0
    go -C test build -trimpath -o "$work/bin/" ./e2e ./e2e/peer
    go build -trimpath -o "$work/bin/" ./cmd/kubectl-external_workload
}

# collect puts all programs into one folder.
collect() {
    local kubernetes
    kubernetes=$(KUBEBUILDER_ASSETS='' go -C hack/kubernetes run . kube-scheduler kubelet kube-proxy)
    ln -s "$kubernetes"/* "$work/bin/"
    ln -s "$(go -C hack/e2e tool -n coredns)" "$work/bin/coredns"
    ln -s "$(go -C test/chart tool -n helm)" "$work/bin/helm"
}

current= inside= work=
cgroup=external-workload-e2e-$$
finish() {
    local status=$?
    # Nothing may interrupt the cleanup: a terminal or make may send its signal twice.
    trap '' INT TERM HUP
    trap - EXIT
    [[ -z $current ]] || kill -TERM -- "-$current" 2>/dev/null || true
    if [[ -n $inside ]]; then
        # The end of unshare ends all its processes at once.
        kill -KILL "$inside" 2>/dev/null || true
        wait "$inside" 2>/dev/null || true
    fi
    [[ -n $work ]] || exit "$status"
    "$here/cgroups.sh" remove "$cgroup"
    if [[ $status != 0 && -n $(ls "$work/logs") ]]; then
        rm -rf "$E2E_LOGS"
        mkdir -p "$(dirname "$E2E_LOGS")"
        cp -r "$work/logs" "$E2E_LOGS"
        echo "e2e: the logs are in $E2E_LOGS" >&2
    fi
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

[[ $(id -u) == 0 ]] || leave_out "it needs root, to make network namespaces"
unshare --net --mount --pid --fork --kill-child --mount-proc true 2>/dev/null ||
    leave_out "this machine allows no new namespaces"
work=$(mktemp -d)
mkdir "$work/bin" "$work/logs"
if [[ -n $(missing) ]]; then
    [[ ${E2E_INSTALL:-} == 1 ]] ||
        leave_out "these programs are missing: $(missing | xargs); E2E_INSTALL=1 installs the Debian packages ${packages[*]}"
    echo "e2e: installing the Debian packages ${packages[*]}"
    install_packages >"$work/stage.log" 2>&1 || {
        tail -n 5 "$work/stage.log" >&2
        leave_out "these Debian packages cannot be installed: ${packages[*]}"
    }
fi

stage "build the Kubernetes components" build_kubernetes
stage "build CoreDNS and Helm" build_tools
stage "build the image" build_image
stage "build the test" build_programs
stage "collect the programs" collect

"$here/cgroups.sh" create "$cgroup"
# unshare also ends when this script is killed.
setpriv --pdeathsig KILL unshare --net --mount --pid --fork --kill-child --mount-proc \
    "$here/inside.sh" "$work" "$cgroup" "$@" &
inside=$!
wait "$inside"
