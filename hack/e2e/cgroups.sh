#!/usr/bin/env bash
# Creates and removes the parent cgroup of the test kubelet's Pods in every hierarchy of the
# machine.
#
#   cgroups.sh create|remove NAME
set -euo pipefail

# hierarchies are the mount points of cgroups, of version 1 or 2.
hierarchies() { awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/mounts; }

create() {
    local at
    for at in $(hierarchies); do
        mkdir -p "$at/$1" 2>/dev/null || continue
        # Without these a cpuset cgroup accepts no process.
        for file in cpuset.mems cpuset.cpus; do
            [[ -e $at/$1/$file && -z $(cat "$at/$1/$file") ]] || continue
            cat "$at/$file" >"$at/$1/$file" || true
        done
    done
}

# remove waits a little: a killed process leaves its cgroup some time later.
remove() {
    local at attempt
    for at in $(hierarchies); do
        for attempt in $(seq 50); do
            [[ -d $at/$1 ]] || break
            find "$at/$1" -depth -type d -exec rmdir {} + 2>/dev/null && break
            sleep 0.1
        done
        [[ ! -d $at/$1 ]] || echo "e2e: the cgroup $at/$1 could not be removed" >&2
    done
}

"$1" "$2"
