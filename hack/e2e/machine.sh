#!/usr/bin/env bash
# Boots a machine: systemd as the first process of namespaces of its own, in the
# network namespace where this is called.
#
#   machine.sh ROOT LOGS CGROUP
#
# ROOT is the machine's disk, which it keeps over boots. It has the machine's units
# in etc/systemd/system and its programs in local/bin; of this machine's systemd it
# has only the targets. LOGS is its /var/log. CGROUP is the path of its cgroup, which
# must be in a hierarchy of version 2.
#
# The process that calls this becomes unshare, and the machine ends with it. Nothing
# is mounted outside of the machine's namespaces.
set -euo pipefail

main() {
    case $1 in
    join) join_cgroup "${@:2}" ;;
    boot) boot "${@:2}" ;;
    *) exec unshare --mount --propagation private "$0" join "$@" ;;
    esac
}

# join_cgroup comes before the cgroup namespace, whose root is the cgroup of the
# process that makes it.
join_cgroup() {
    local root=$1 cgroup=$3
    mkdir -p "$root"/{dev,proc,sys,run,tmp,usr,units,local/bin,etc/systemd/system,var/log}
    mount -t cgroup2 cgroup2 "$root/sys"
    mkdir -p "$root/sys$cgroup"
    echo $$ >"$root/sys$cgroup/cgroup.procs"
    umount "$root/sys"
    exec unshare --pid --fork --kill-child --mount --uts --ipc --cgroup "$0" boot "$@"
}

boot() {
    local root=$1 logs=$2
    mount --bind "$root" "$root"
    mount_system "$root"
    mount_programs "$root"
    mount --bind "$logs" "$root/var/log"
    # With no id systemd would take this for a first boot, and enable every unit.
    [[ -e $root/etc/machine-id ]] || tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
    hostname machine
    cd "$root"
    mkdir -p run/old
    pivot_root . run/old
    umount --lazy run/old
    exec env -i PATH=/usr/sbin:/usr/bin container=e2e \
        /usr/lib/systemd/systemd --system --unit=multi-user.target
}

# mount_system makes what systemd expects of a container manager. What it would set in
# the kernel for all of this machine it cannot write.
mount_system() {
    local root=$1 device
    mount -t proc proc "$root/proc"
    mount --bind -o ro "$root/proc/sys" "$root/proc/sys"
    mount -t sysfs -o ro sysfs "$root/sys"
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
    mount -t tmpfs -o mode=755 tmpfs "$root/run"
    mount -t tmpfs tmpfs "$root/tmp"
    mount -t tmpfs -o mode=755 tmpfs "$root/dev"
    for device in null zero full random urandom; do
        touch "$root/dev/$device"
        mount --bind "/dev/$device" "$root/dev/$device"
    done
    ln -s /proc/self/fd "$root/dev/fd"
}

# mount_programs shows the machine the programs that are installed here, but none of
# their units.
mount_programs() {
    local root=$1 name units=/usr/lib/systemd/system
    for name in bin sbin lib lib32 lib64 libx32; do
        if [[ -L /$name ]]; then
            ln -sfn "$(readlink "/$name")" "$root/$name"
        elif [[ -d /$name ]]; then
            mkdir -p "$root/$name"
            mount --bind -o ro "/$name" "$root/$name"
        fi
    done
    cp --dereference "$units"/*.target "$units/systemd-poweroff.service" "$root/units/"
    mount --bind -o ro /usr "$root/usr"
    mount --bind "$root/local" "$root/usr/local"
    mount --bind "$root/units" "$root$units"
    mount -t tmpfs tmpfs "$root/usr/lib/systemd/system-generators"
}

main "$@"
