#!/bin/sh
# Makes a Debian sid tree with apptainer in it, for machines whose own release has none. About 35 s and 350 MB, once;
# does nothing when it is there. Needs root and debootstrap.
#
#   sh make-tree.sh FOLDER
set -eu
tree=$1
stage=$tree.new
mkdir -p "$(dirname "$tree")"
exec 9>"$tree.lock"
flock 9
[ ! -x "$tree/usr/bin/apptainer" ] || exit 0
command -v debootstrap >/dev/null || { echo 'debootstrap is not installed (apt-get install debootstrap)' >&2; exit 1; }
rm -rf "$stage" "$tree"
debootstrap --variant=minbase sid "$stage" >&2
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
# apptainer itself, and what it makes images with.
chroot "$stage" apt-get install -y -q --no-install-recommends apptainer squashfs-tools >&2
rm -rf "$stage"/var/cache/apt/archives/*.deb "$stage"/var/lib/apt/lists/*
# Root's limits are set through cgroup files then; there is no systemd to ask in the tree.
sed -i 's/^systemd cgroups = .*/systemd cgroups = no/' "$stage/etc/apptainer/apptainer.conf"
echo "127.0.0.1 localhost" >"$stage/etc/hosts"
mv "$stage" "$tree"
