#!/usr/bin/env bash
# Stop what start-slurm.sh started: stop-slurm.sh FOLDER [SIGNAL]. One daemon after the other, since
# a slurmd that ends late takes away the pid file of its successor.
set -euo pipefail
state=$(cd "$1" && pwd)
for name in slurmd slurmctld munged; do
    pid=$(cat "$state/$name.pid" 2>/dev/null) || continue
    kill -s "${2:-TERM}" "$pid" 2>/dev/null || continue
    for _ in $(seq 80); do kill -0 "$pid" 2>/dev/null || break; sleep 0.25; done
done
for name in slurm.conf gres.conf; do
    if [ "$(readlink "/etc/slurm/$name")" = "$state/$name" ]; then rm "/etc/slurm/$name"; fi
done
