#!/bin/sh
# Builds the container image.
#   IMAGE          name:tag of the image (default: name and version in package.json)
#   BUILD_IMAGE    base of the build stage (default: in the Dockerfile)
#   RUNTIME_IMAGE  base of the image (default: in the Dockerfile)
#   ALLOW_UNPINNED_BASE=1  accepts a base without a digest, whose content may change
#   ENGINE         docker, podman or buildah (default: the first that works on this machine)
#   BUILD_OPTIONS  further options of the engine's build command, such as --platform linux/arm64
set -eu
cd "$(dirname "$0")/.."

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

for name in BUILD_IMAGE RUNTIME_IMAGE; do
  eval "base=\${$name:-$(sed -n "s/^ARG $name=//p" Dockerfile)}"
  # shellcheck disable=SC2154 # Set by eval.
  if [ -n "${ALLOW_UNPINNED_BASE:-}" ] || printf '%s\n' "$base" | grep -qE '@sha256:[0-9a-f]{64}$'; then continue; fi
  fail "$name is $base, which has no digest: the next build may use another image.
Pin it. This command prints the name with its digest (docker and podman):
  docker pull $base && docker image inspect --format '{{index .RepoDigests 0}}' $base
Write it into the line ARG $name= of the Dockerfile, or set $name. To build without a digest once, set ALLOW_UNPINNED_BASE=1."
done

if [ -z "${ENGINE:-}" ]; then
  # The client of docker or podman may be installed without a running engine.
  if docker info >/dev/null 2>&1; then ENGINE=docker
  elif podman info >/dev/null 2>&1; then ENGINE=podman
  elif command -v buildah >/dev/null 2>&1; then ENGINE=buildah
  else fail "An image needs Docker (with its engine running), Podman or Buildah, and none of them works here.
Install one of them: https://docs.docker.com/engine/install/ or https://podman.io/docs/installation"
  fi
fi
# The OCI format, the default of Podman and Buildah, has no HEALTHCHECK.
case $ENGINE in
  docker) set -- docker build ;;
  podman) set -- podman build --format docker ;;
  buildah) set -- buildah build --format docker --layers ;;
  *) fail "ENGINE: got $ENGINE, expected docker, podman or buildah" ;;
esac

if git rev-parse HEAD >/dev/null 2>&1; then
  dirty=$(git status --porcelain)
  : "${COMMIT:=$(git rev-parse --short=12 HEAD)${dirty:+-dirty}}"
  : "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
  # The address for a browser, without credentials.
  : "${SOURCE:=$(git config --get remote.origin.url | sed -nE 's#\.git$##; s#^git@([^:/]+):#https://\1/#; s#^https://[^@/]*@#https://#; /^https:/p')}"
fi
# GNU date reads seconds with -d @, BSD date with -r.
format=+%Y-%m-%dT%H:%M:%SZ
# shellcheck disable=SC2034 # Read by eval.
CREATED=$(date -u ${SOURCE_DATE_EPOCH:+-d "@$SOURCE_DATE_EPOCH"} $format 2>/dev/null || date -u -r "$SOURCE_DATE_EPOCH" $format)

# The script reads package.json without Node, because a machine with a container engine may not have Node.
field() { sed -n 's/^  "'"$1"'": "\(.*\)",*$/\1/p' package.json; }
# shellcheck disable=SC2034 # Read by eval.
NAME=$(field name) VERSION=$(field version) LICENSES=$(field license)
image=${IMAGE:-$NAME:$VERSION}
for name in BUILD_IMAGE RUNTIME_IMAGE COMMIT SOURCE_DATE_EPOCH NAME VERSION CREATED SOURCE LICENSES; do
  eval "value=\${$name:-}"
  # Unknown values keep the defaults of the Dockerfile.
  if [ -n "$value" ]; then set -- "$@" --build-arg "$name=$value"; fi
done

# shellcheck disable=SC2086 # BUILD_OPTIONS is a list of words.
"$@" ${BUILD_OPTIONS:-} --tag "$image" .
printf 'built %s with %s\n' "$image" "$ENGINE" >&2
