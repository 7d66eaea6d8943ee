#!/bin/sh
# Makes a small Debian bookworm tree to build test images from (apptainer: the folder itself; docker: a tar of it).
# Its /bin/busybox needs nothing else, for images that are smaller still.
# About 15 s and 200 MB, once; does nothing when it is there. Needs root and debootstrap.
#
#   sh make-rootfs.sh FOLDER
set -eu
tree=$1
stage=$tree.new
mkdir -p "$(dirname "$tree")"
exec 9>"$tree.lock"
flock 9
[ ! -x "$tree/bin/busybox" ] || exit 0
command -v debootstrap >/dev/null || { echo 'debootstrap is not installed (apt-get install debootstrap)' >&2; exit 1; }
rm -rf "$stage"
debootstrap --variant=minbase --include=procps,busybox-static bookworm "$stage" >&2
rm -rf "$stage"/var/cache/apt/archives/*.deb "$stage"/var/lib/apt/lists/* "$stage"/usr/share/doc "$stage"/usr/share/locale
# Others may look at an older one until the last moment.
rm -rf "$tree"
mv "$stage" "$tree"
