#!/bin/bash
# build-root.sh DIRECTORY: leaves root.img, vmlinuz and initrd of a Debian 12 there that runs /job/inside.sh from its second disk and ends.
# Made anew only when this file changes.
set -euo pipefail
into=$1
made=$(sha256sum "$0" | cut -d' ' -f1)
if [ "$(cat "$into/made" 2>/dev/null)" = "$made" ]; then
  echo "setup: virtual machine: there"
  exit 0
fi
echo "setup: virtual machine: making a Debian 12 in $into (some minutes)"
rm -rf "$into" && mkdir -p "$into"
tree=$into/tree

packages=(
  systemd-sysv udev kmod linux-image-cloud-amd64 initramfs-tools zstd netbase
  nftables iproute2 conntrack procps perl-base libcap2-bin openssl iputils-ping bind9-dnsutils curl faketime
)
debootstrap --variant=minbase --include="$(IFS=,; echo "${packages[*]}")" bookworm "$tree" http://deb.debian.org/debian >"$into/debootstrap.log" 2>&1 \
  || { tail -n 5 "$into/debootstrap.log" >&2; exit 1; }

cp "$tree"/boot/vmlinuz-* "$into/vmlinuz"
cp "$tree"/boot/initrd.img-* "$into/initrd"
rm -rf "$tree"/var/cache/apt/archives/*.deb "$tree"/usr/share/{doc,man,locale}/* "$tree"/boot/initrd.img-*
mkdir "$tree/job"
echo '/dev/vdb /job ext4 defaults 0 0' >"$tree/etc/fstab"
cat >"$tree/etc/systemd/system/job.service" <<'UNIT'
[Unit]
After=multi-user.target
RequiresMountsFor=/job
[Service]
Type=oneshot
ExecStart=/bin/bash /job/inside.sh
ExecStopPost=/bin/systemctl poweroff -ff
[Install]
WantedBy=graphical.target
UNIT
mkdir -p "$tree/etc/systemd/system/graphical.target.wants"
ln -s ../job.service "$tree/etc/systemd/system/graphical.target.wants/"
# Nothing that would wake up in the middle of a test.
rm -f "$tree"/etc/systemd/system/timers.target.wants/* "$tree"/etc/systemd/system/*/*.timer
systemctl --root="$tree" mask --quiet systemd-timesyncd.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
  serial-getty@ttyS0.service getty@tty1.service

truncate -s 2G "$into/root.img"
mkfs.ext4 -q -F -d "$tree" -L root "$into/root.img"
rm -rf "$tree"
echo "$made" >"$into/made"
