#!/usr/bin/env bash
# The browser tests use the system's Chromium. Installs it where that is possible, else says what is missing.
set -euo pipefail
chromium=${CHROMIUM:-/usr/bin/chromium}
if [ -x "$chromium" ]; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    echo "Installing Debian's chromium for the browser tests."
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y chromium; } > /dev/null
    exit 0
fi
echo "The browser tests need Chromium at $chromium: install it (Debian: apt install chromium), or set CHROMIUM to its path." >&2
exit 1
