#!/bin/sh
# First process of a small machine of its own: mount and process namespaces in which the tree is the root folder, with
# this machine's kernel, network and the named folders at their usual paths. Says `ready`, lives until its standard
# input ends, and takes every process of the machine with it.
#
#   unshare --mount --pid --fork --kill-child --propagation private sh hold-tree.sh TREE FIRST_PID HOME FOLDER...
set -eu
tree=$1 first=$2 home=$3
shift 3
mount --bind "$tree" "$tree"
mount -t proc proc "$tree/proc"
mount --rbind /sys "$tree/sys"
mount --rbind /dev "$tree/dev"
mount -t tmpfs tmpfs "$tree/tmp"
for folder; do
  mkdir -p "$tree$folder"
  mount --rbind "$folder" "$tree$folder"
done
mount --bind "$home" "$tree/root"
mkdir -p "$tree/old"
# Cgroups are named by process id: two machines must not use the same numbers.
echo "$first" >/proc/sys/kernel/ns_last_pid
cd "$tree"
pivot_root . old
umount -l /old
echo ready
# A shell that waits also collects the processes that lost their parent.
exec 3<&0
cat <&3 >/dev/null &
wait $!
