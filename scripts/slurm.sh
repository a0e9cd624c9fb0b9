#!/usr/bin/env bash
# The tests of `ediffuser submit` start a SLURM of their own. Installs the programs where that is possible, as root on
# Debian; elsewhere those tests are skipped and say so.
set -euo pipefail
if command -v sbatch > /dev/null && PATH=$PATH:/usr/sbin command -v slurmctld slurmd munged > /dev/null; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    echo "Installing Debian's slurm-wlm and munge for the tests of training on SLURM."
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y slurm-wlm munge; } > /dev/null ||
        echo "That failed: the tests of training on SLURM will be skipped." >&2
fi
