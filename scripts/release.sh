#!/bin/sh
# The steps of a release, for .github/workflows/release.yml.
#   check TAG   fails unless the tag is v and the version in package.json, and CHANGELOG.md has a section for it
#   tags TAG    prints the tags of the image: 1.4.0 gets 1.4.0, 1.4 and 1, and a version below 1.0.0 gets no major tag.
#               1.3.9 after 1.4.0 gets 1.3.9 and 1.3
#   notes TAG   prints the section of CHANGELOG.md
#   image TAG   builds and pushes IMAGE with these tags, an SBOM and provenance, and writes .local/image-digest
set -eu
cd "$(dirname "$0")/.."
command=${1:-} tag=${2:-}
version=${tag#v}

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

printf '%s\n' "$tag" | grep -qE '^v[0-9]+\.[0-9]+\.[0-9]+$' || fail "the tag is '$tag', expected a version such as v1.4.0"

print_notes() {
  # Compares the first words of headings as text, because a dot in a pattern matches every character.
  awk -v version="$version" '/^## / { found = $2 == version; next } found' CHANGELOG.md | sed -e '/./,$!d'
}

# Succeeds unless the repository has a tag of a later version that begins with $1.
is_newest() {
  newest=$({ git tag --list "v$1.*"; echo "$tag"; } | grep -E '^v[0-9]+\.[0-9]+\.[0-9]+$' | sort -V | tail -n 1)
  [ "$newest" = "$tag" ]
}

print_tags() {
  echo "$version"
  if is_newest "${version%.*}"; then echo "${version%.*}"; fi
  if [ "${version%%.*}" != 0 ] && is_newest "${version%%.*}"; then echo "${version%%.*}"; fi
}

case $command in
  check)
    found=$(sed -n 's/^  "version": "\(.*\)",*$/\1/p' package.json)
    [ "$found" = "$version" ] || fail "the version in package.json is $found, and the tag is $tag"
    [ -n "$(print_notes)" ] || fail "CHANGELOG.md has no section '## $version'"
    ;;
  tags) print_tags ;;
  notes) print_notes ;;
  image)
    # The names of images have no capital letters.
    image=$(printf '%s\n' "$IMAGE" | tr '[:upper:]' '[:lower:]')
    mkdir -p .local
    # The default builder cannot attach an SBOM.
    docker buildx create --name release --driver docker-container >/dev/null
    options="--builder release --push --sbom=true --provenance=mode=max --metadata-file .local/image.json"
    for each in $(print_tags); do options="$options --tag $image:$each"; done
    ENGINE=docker IMAGE=$image:$version BUILD_OPTIONS=$options sh scripts/image.sh
    sed -n 's/.*"containerimage.digest": *"\(sha256:[0-9a-f]*\)".*/\1/p' .local/image.json >.local/image-digest
    [ -s .local/image-digest ] || fail 'the build has no digest'
    ;;
  *) fail "usage: sh scripts/release.sh check|tags|notes|image TAG" ;;
esac
