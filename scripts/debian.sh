#!/usr/bin/env bash
# Some tests need programs and data of Debian: a SLURM of their own, strace, the files of Fashion-MNIST. Installs them
# where that is possible, as root on Debian; elsewhere those tests are skipped and say so.
set -euo pipefail
PATH=$PATH:/usr/sbin
if type sbatch slurmctld slurmd munged strace > /dev/null 2>&1 && [ -d /usr/share/datasets/fashion-mnist ]; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    packages=(slurm-wlm munge strace dataset-fashion-mnist)
    echo "Installing Debian's ${packages[*]} for the tests."
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y "${packages[@]}"; } > /dev/null ||
        echo "That failed: the tests that need them will be skipped." >&2
fi
