#!/bin/sh
# Builds the root file system that all hosts of the lab share.
#
#   build.sh KIND SUITE OUT     KIND is full or bare; beside this script lie
#                               the package lists, sources and apt.conf
#
# OUT/rootfs is the root; a full build also leaves OUT/kernel (what the stand-in's
# guests boot), a bare one OUT/repo (what a host may still install).
set -eu
kind=$1 suite=$2 out=$3
here=$(cd "$(dirname "$0")" && pwd)
root=$out/rootfs

# list SEPARATOR FILE...
list() {
    separator=$1
    shift
    sed -e '/^#/d' "$@" | paste -s -d"$separator" -
}

packages=$(list , "$here/bare.packages")
if [ "$kind" = full ]; then
    packages=$packages,$(list , "$here/full.packages" "$here/guest.packages")
    # Its dependencies (an initramfs generator) are of no use: it is only unpacked.
    # The cloud kernel would be smaller, but has no driver for a SATA CD.
    hook='cd "$OUT" && export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" &&
        apt-get download "$(apt-cache depends linux-image-amd64 |
            sed -n "s/.*Depends: \(linux-image-[0-9].*-amd64\).*/\1/p")" &&
        mv linux-image-*.deb kernel.deb'
else
    WANTED=$(list ' ' "$here/full.packages")
    export WANTED
    hook='APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get install --yes --download-only $WANTED &&
        mkdir -p "$OUT/repo" && mv "$1"/var/cache/apt/archives/*.deb "$OUT/repo"'
fi

export OUT="$out"
mmdebstrap --mode=root --variant=minbase --format=directory \
    --aptopt="$here/apt.conf" \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --include="$packages" --customize-hook="$hook" \
    "$suite" "$root" - <"$here/sources"

# Lab hosts have no way out: what they may install lies in a folder, or nowhere.
rm -f "$root"/etc/apt/sources.list.d/* "$root/etc/apt/sources.list"
rm -f "$root"/etc/ssh/ssh_host_*
: >"$root/etc/machine-id"

chroot "$root" useradd --create-home --shell /bin/bash --uid 1000 ops
chroot "$root" useradd --create-home --shell /bin/bash --uid 1001 nosudo
echo 'ops ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/ops"
chmod 0440 "$root/etc/sudoers.d/ops"
# PAM complains at every login without it.
: >"$root/etc/default/locale"
# As an image of a hosting provider: keys only, and no pause for reverse lookups.
printf 'PasswordAuthentication no\nUseDNS no\n' >"$root/etc/ssh/sshd_config.d/lab.conf"

# What a container cannot do. A conffile that is already there is kept.
mkdir -p "$root/etc/libvirt"
cat >"$root/etc/libvirt/qemu.conf" <<'END'
# The lab's hosts are containers: libvirt can make neither cgroups nor namespaces there.
cgroup_controllers = []
namespaces = []
security_driver = "none"
END
echo force-confold >"$root/etc/dpkg/dpkg.cfg.d/lab"
# A user's own systemd cannot always be stopped in a container, and logins would wait for it.
for unit in user@.service e2scrub_reap.service systemd-networkd-wait-online.service \
    systemd-timesyncd.service apt-daily.timer apt-daily-upgrade.timer; do
    chroot "$root" systemctl mask --quiet "$unit"
done

if [ "$kind" = full ]; then
    # A package's default service is not left listening.
    chroot "$root" systemctl disable --quiet haproxy.service
    install -m 0755 "$here/nmstatectl" "$root/usr/local/bin/nmstatectl"

    # The guest's kernel and modules, in loading order: insmod resolves nothing.
    unpacked=$root/tmp/kernel
    mkdir -p "$unpacked" "$out/kernel/modules"
    dpkg-deb -x "$out/kernel.deb" "$unpacked"
    release=$(basename "$unpacked"/lib/modules/*)
    chroot "$root" depmod --basedir /tmp/kernel "$release"
    for module in $(list ' ' "$here/guest.modules"); do
        chroot "$root" modprobe --dirname /tmp/kernel --set-version "$release" --show-depends "$module"
    done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' >"$out/order"
    while read -r file; do
        cp "$root$file" "$out/kernel/modules/"
        basename "$file" >>"$out/kernel/modules/order"
    done <"$out/order"
    cp "$unpacked"/boot/vmlinuz-* "$out/kernel/vmlinuz"
    rm -r "$unpacked" "$out/kernel.deb" "$out/order"
else
    # The index apt reads, made by hand: apt-ftparchive would be one more package to need.
    cd "$out/repo"
    for deb in *.deb; do
        dpkg-deb -f "$deb"
        printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$deb" \
            "$(stat -c %s "$deb")" "$(sha256sum "$deb" | cut -d' ' -f1)"
    done >Packages
    echo 'deb [trusted=yes] file:/opt/packages ./' >"$root/etc/apt/sources.list"
    mkdir -p "$root/opt/packages"
fi
