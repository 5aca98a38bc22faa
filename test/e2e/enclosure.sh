#!/bin/bash
# usage: enclosure.sh REPOSITORY — inside the host's new network and mount namespaces.
# Gives them a copy of /etc (accounts, resolv.conf, policies may be changed at will), an empty /run, and a /var/lib whose
# changes are forgotten; prints its pid and stays, so that others can enter.
set -euo pipefail
repository=$1

exec 3>&1 >&2
# Bound before /run is covered, and again under a path every user may traverse: a checkout in /root (0700) must work too.
# The tmpfs is mounted elsewhere first, because the repository itself may be below /run.
mount -t tmpfs -o mode=0755 netwall-world /mnt
mkdir -p /mnt/repository /mnt/world/etc /mnt/world/lib /mnt/world/work /mnt/netwall /mnt/lock
mount --bind "$repository" /mnt/repository
cp -a --one-file-system /etc/. /mnt/world/etc/
mount --no-mtab --move /mnt /run

mount --bind /run/world/etc /etc
rm -rf /etc/netwall /etc/netwall.d /etc/resolv.conf
mkdir -m 0755 /etc/netwall /etc/netwall.d

mount -t overlay overlay -o lowerdir=/var/lib,upperdir=/run/world/lib,workdir=/run/world/work /var/lib
mkdir -p -m 0700 /var/lib/netwall
mount -t tmpfs -o mode=0700 netwall-state /var/lib/netwall
mount -t tmpfs -o mode=0755 netwall-run /run/netwall
# Policies of an installed netwalld are not this world's.
[ ! -d /usr/lib/netwall.d ] || mount -t tmpfs -o mode=0755 netwall-empty /usr/lib/netwall.d

echo $$ >&3
exec 3>&- sleep infinity
