#!/usr/bin/env bash
# Start a Slurm of one node by hand: start-slurm.sh FOLDER, where its state is to lie. Needs root
# and Debian's slurmctld, slurmd, slurm-client and munge. Started again it goes on from its state.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"/{saved,spool}
state=$(cd "$1" && pwd)
host=$(hostname -s)

# Slurm's own step drops SLURM_CONF from the environment: the configuration must lie in its place.
mkdir -p /etc/slurm
for name in slurm.conf gres.conf; do
    if [ -e "/etc/slurm/$name" ] && [ "$(readlink "/etc/slurm/$name")" != "$state/$name" ]; then
        echo "/etc/slurm/$name is somebody else's; a Slurm for tests wants a machine without one" >&2
        exit 1
    fi
    sed -e "s#@HOST@#$host#g; s#@STATE@#$state#g; s#@USER@#$(id -un)#g" \
        "$here/etc/$name.in" >"$state/$name"
    ln -sfn "$state/$name" "/etc/slurm/$name"
done
touch "$state/gpu0"

alive() { [ -s "$state/$1.pid" ] && kill -0 "$(cat "$state/$1.pid")" 2>/dev/null; }
if ! alive munged; then
    [ -s "$state/munge.key" ] || (umask 077 && head -c 128 /dev/urandom >"$state/munge.key")
    munged --force --key-file="$state/munge.key" --socket="$state/munge.socket" \
        --pid-file="$state/munged.pid" --log-file="$state/munged.log" --seed-file="$state/munged.seed"
fi
alive slurmctld || slurmctld
alive slurmd || slurmd -N "$host"
for _ in $(seq 60); do
    if sinfo --noheader --format=%t 2>/dev/null | grep -q -E 'idle|mix|alloc'; then exit 0; fi
    sleep 0.5
done
echo "Slurm did not come up; see $state/slurmctld.log and $state/slurmd.log" >&2
exit 1
