#!/bin/sh
# Installs the packages of package-lock.json. Another make that needs them at the same time waits, because two
# installations break each other. Installs nothing when only the name or the version of the project has changed.
set -eu
cd "$(dirname "$0")/.."
lock=.toolchain/installing
record=node_modules/.installed

# Prints the packages to install, and the packages that npm has installed.
state() {
  node -p 'const { name, version, ...lock } = JSON.parse(fs.readFileSync("package-lock.json", "utf8"))
    Object.assign(lock.packages[""], { name: "", version: "" })
    JSON.stringify(lock)'
  cat .npmrc node_modules/.package-lock.json
}

# The link has the number of the process, so the lock of a process that has died is not kept.
free=0
until ln -s "$$" "$lock" 2>/dev/null; do
  owner=$(readlink "$lock") || owner=
  # Without an owner, a process has just released the lock, and another process may have taken it since.
  if [ -n "$owner" ]; then free=0; else free=$((free + 1)); fi
  # The folder is read-only, or the disk is full: this `ln` prints the reason, and the script fails.
  if [ "$free" -gt 10 ]; then ln -s "$$" "$lock"; break; fi
  if [ -z "$owner" ] || kill -0 "$owner" 2>/dev/null; then sleep 0.2; else rm -f "$lock"; fi
done
trap 'rm -f "$lock"' EXIT
trap 'exit 1' INT TERM

if [ -f "$record" ] && state 2>/dev/null | cmp -s - "$record"; then exit; fi
echo 'installing the packages of package-lock.json' >&2
npm ci --include=dev --include=optional --loglevel=error
state >"$record"
