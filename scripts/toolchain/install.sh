#!/bin/sh
# Installs the Node of package-lock.json, beside this script, in .toolchain/. With an argument, such as linux-arm64,
# installs the Node of another platform and prints the path of its binary.
set -eu
cd "$(dirname "$0")/../.."
# Node trusts the certificates of the system, such as the certificate of a TLS-inspecting proxy.
export NODE_USE_SYSTEM_CA=1
wanted=$(cat .nvmrc)

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

command -v npm >/dev/null 2>&1 || fail "npm is required but is not on the PATH.
Install Node.js 20 or later with npm, from https://nodejs.org/ or with your system's package manager
(apt-get install npm, dnf install npm, brew install node), and run make again.
make then fetches Node $wanted for this project."

# fetch DIRECTORY [npm options]: installs the package of one platform into .toolchain/DIRECTORY
fetch() {
  directory=.toolchain/$1
  shift
  # npm writes .package-lock.json last.
  if [ -f "$directory/node_modules/.package-lock.json" ] && cmp -s scripts/toolchain/package-lock.json "$directory/package-lock.json"; then return; fi
  mkdir -p "$directory"
  cp scripts/toolchain/package.json scripts/toolchain/package-lock.json .npmrc "$directory/"
  (cd "$directory" && npm ci --include=optional --loglevel=error "$@" >/dev/null) || fail "Node $wanted could not be fetched from the npm registry."
}

case ${1:-host} in
  host) ;;
  linux-x64 | linux-arm64 | darwin-x64 | darwin-arm64)
    fetch "$1" --os="${1%-*}" --cpu="${1#*-}"
    echo ".toolchain/$1/node_modules"/node-*/bin/node
    exit ;;
  win-x64)
    fetch "$1" --os=win32 --cpu=x64
    echo ".toolchain/$1/node_modules"/node-*/bin/node.exe
    exit ;;
  *) fail "unknown target $1: linux-x64, linux-arm64, darwin-x64, darwin-arm64 or win-x64" ;;
esac

mkdir -p .toolchain/bin
# The link of an earlier run would hide the Node of the machine.
rm -f .toolchain/bin/node
own=$(node -p process.execPath 2>/dev/null || true)
# The Node of another checkout may be deleted with that checkout.
case $own in */.toolchain/*) own= ;; esac
version=$([ -z "$own" ] || "$own" --version | sed 's/^v//')
if [ -n "$version" ] && [ "$(printf '%s\n%s\n' "$wanted" "$version" | sort -V | head -n 1)" = "$wanted" ]; then
  ln -sf "$own" .toolchain/bin/node
else
  printf 'fetching Node %s (this machine has %s)\n' "$wanted" "${version:-none}" >&2
  fetch host
  binary=$(ls .toolchain/host/node_modules/node-*/bin/node 2>/dev/null) || fail "There is no Node $wanted package for this platform ($(uname -sm)): install Node $wanted by hand."
  ln -sf "../../$binary" .toolchain/bin/node
fi
.toolchain/bin/node --version >/dev/null || fail "Node $wanted does not start here. On Debian and Ubuntu it needs: apt-get install libatomic1"
