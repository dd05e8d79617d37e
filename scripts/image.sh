#!/bin/sh
# Builds the container image.
#   IMAGE          name:tag of the result (default: name and version in package.json)
#   BUILD_IMAGE    base of the build stage, RUNTIME_IMAGE: base of the result (defaults: in the Dockerfile)
#   ALLOW_UNPINNED_BASE=1  accepts a base without a digest, which may be another image tomorrow
#   ENGINE         docker, podman or buildah (default: the first of them that works here)
#   BUILD_OPTIONS  goes to the engine's build command as it is: --platform linux/arm64 --network host
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
Pin it. This prints the name with its digest (docker and podman alike):
  docker pull $base && docker image inspect --format '{{index .RepoDigests 0}}' $base
Write it into the line ARG $name= of the Dockerfile, or set $name. To build without it once, set ALLOW_UNPINNED_BASE=1."
done

# Of package.json, read without Node: a container engine is all that is needed here.
field() { sed -n 's/^  "'"$1"'": "\(.*\)",*$/\1/p' package.json; }

works() {
  case $1 in
    # The client may be there without its engine.
    docker | podman) "$1" info >/dev/null 2>&1 ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
  esac
}

if [ -z "${ENGINE:-}" ]; then
  for ENGINE in docker podman buildah none; do
    if works "$ENGINE"; then break; fi
  done
fi
case $ENGINE in
  docker) set -- docker build ;;
  # The OCI format has no place for HEALTHCHECK.
  podman) set -- podman build --format docker ;;
  buildah) set -- buildah build --format docker --layers ;;
  none) fail "An image needs Docker (with its engine running), Podman or Buildah, and none of them works here.
Install one of them: https://docs.docker.com/engine/install/ or https://podman.io/docs/installation" ;;
  *) fail "ENGINE: got $ENGINE, expected docker, podman or buildah" ;;
esac

if git rev-parse HEAD >/dev/null 2>&1; then
  dirty=$(git status --porcelain)
  : "${COMMIT:=$(git rev-parse --short=12 HEAD)${dirty:+-dirty}}"
  : "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
  # As a browser opens it, and without the credentials that may stand in it.
  : "${SOURCE:=$(git config --get remote.origin.url | sed -nE 's#\.git$##; s#^git@([^:/]+):#https://\1/#; s#^https://[^@/]*@#https://#; /^https:/p')}"
fi
# GNU and BSD write «at this second» in their own ways.
created() { date -u "$@" +%Y-%m-%dT%H:%M:%SZ 2>/dev/null; }
# shellcheck disable=SC2034 # By way of eval, below.
if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
  CREATED=$(created)
else
  CREATED=$(created -d "@$SOURCE_DATE_EPOCH" || created -r "$SOURCE_DATE_EPOCH")
fi

# shellcheck disable=SC2034
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
