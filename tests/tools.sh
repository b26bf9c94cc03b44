#!/usr/bin/env bash
# Installs the programs that tests/tests/servers.rs drives, and says which. Usage: tests/tools.sh FOLDER
#
# Debian's packages where they exist; what Python's registry ships goes into FOLDER and stays out of the system.
set -euo pipefail

tools=$1
mkdir -p "$tools/bin"

packages=()
command -v strace >/dev/null || packages+=(strace)
command -v h2load >/dev/null || packages+=(nghttp2-client)
command -v python3 >/dev/null || packages+=(python3)
command -v buf >/dev/null || python3 -m pip --version >/dev/null 2>&1 || packages+=(python3-pip)

if ((${#packages[@]})); then
    if ! command -v apt-get >/dev/null; then
        echo "missing: ${packages[*]}; install them with the package manager of this system" >&2
        exit 1
    fi
    echo "installing with apt-get: ${packages[*]}"
    sudo=()
    ((EUID == 0)) || sudo=(sudo)
    "${sudo[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -qq --no-install-recommends -y "${packages[@]}" >/dev/null
fi

if ! command -v buf >/dev/null && ! [[ -x $tools/bin/buf ]]; then
    echo "installing with pip into $tools: buf-bin"
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target "$tools/python" 'buf-bin==1.75.0'
    ln -sf ../python/bin/buf "$tools/bin/buf"
fi

PATH="$tools/bin:$PATH"
strace --version | head -1
h2load --version
echo "buf $(buf --version)"
