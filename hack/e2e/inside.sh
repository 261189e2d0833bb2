#!/usr/bin/env bash
# The first process in the test's namespaces. It creates the networks of the cluster and of
# the VMs, and runs the test in them.
#
#   inside.sh WORK CGROUP [flags of the test]
#
# The cluster is in the network namespace in which this script starts. The VMs are in the
# namespace "vm", behind a pair of virtual links.
set -euo pipefail
work=$1 cgroup=$2
shift 2

# Files that programs leave in these folders disappear with the mounts.
mount --make-rprivate /
for folder in /run /var/log /var/lib/cni /var/lib/kubelet; do
    mkdir -p "$folder"
    mount -t tmpfs tmpfs "$folder"
done

# crun refuses a hybrid setup of cgroups of version 1 and 2.
if [[ $(stat -fc %T /sys/fs/cgroup) == tmpfs ]] && mountpoint -q /sys/fs/cgroup/unified; then
    umount /sys/fs/cgroup/unified
fi

forward() {
    echo 1 >/proc/sys/net/ipv4/ip_forward
    echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
}

ip netns add vm
ip link set lo up
ip link add vms type veth peer name eth0 netns vm
ip address add 192.168.77.1/24 dev vms
ip address add fd00:77::1/64 dev vms nodad
ip link set vms up
vm=(nsenter --net=/run/netns/vm)
"${vm[@]}" ip link set lo up
"${vm[@]}" ip link set eth0 up
# The last one is the address of the documented example.
for address in 192.168.77.{11,12,13,14}/24 193.1.4.11/32; do
    "${vm[@]}" ip address add "$address" dev eth0
done
for address in fd00:77::{11,12,13,14}; do
    "${vm[@]}" ip address add "$address/64" dev eth0 nodad
done
"${vm[@]}" ip route add default via 192.168.77.1
"${vm[@]}" ip route add default via fd00:77::1
# A ClusterIP needs a route before kube-proxy translates it.
ip route add default via 192.168.77.11
ip route add default via fd00:77::11
forward

"$work/bin/e2e" --work "$work" --cgroup "/$cgroup" --node-ip 192.168.77.1 --node-ipv6 fd00:77::1 --vm-namespace /run/netns/vm "$@"
