# Builds the boot image of the stand-in: initramfs, ISO, index. Sourced by release/build.sh.
#
# Runs inside the hosts' root, whose Python, OpenSSL and busybox the guest gets;
# /srv/kernel holds the kernel and the modules it needs, in loading order.

# build_image WORK ISO
build_image() {
    local work=$1 iso=$2 tree=/mnt/tree
    initramfs "$work" $tree
    mkdir -p /mnt/iso/isolinux
    (cd $tree && find . | cpio --quiet -o -H newc -R 0:0 | zstd -q -T0 -12 >/mnt/iso/initrd.img)
    cp /srv/kernel/vmlinuz /mnt/iso/vmlinuz
    cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 \
        "$work/guest/isolinux.cfg" /mnt/iso/isolinux/
    python3 "$work/guest/regions.py" reserve /mnt/iso
    # isohybrid: the same bytes boot from a CD and from a disk.
    xorriso -report_about WARNING -as mkisofs -quiet -V STANDIN -o "$iso" \
        -b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table \
        -isohybrid-mbr /usr/lib/ISOLINUX/isohdpfx.bin /mnt/iso
    python3 "$work/guest/regions.py" index "$iso"
}

# initramfs WORK TREE
initramfs() {
    mkdir -p "$2"/bin "$2"/sbin "$2"/usr/bin "$2"/usr/sbin "$2"/etc "$2"/tmp "$2"/modules "$2"/lib "$2"/lib64
    cp /bin/busybox "$2/bin/busybox"
    install -m 0755 "$1/guest/init.sh" "$2/init"
    install -m 0755 "$1/guest/udhcpc.sh" "$2/etc/udhcpc.sh"
    cp /srv/kernel/modules/* "$2/modules/"
    echo 'hosts: files dns' >"$2/etc/nsswitch.conf"
    printf '127.0.0.1 localhost\n' >"$2/etc/hosts"
    : >"$2/etc/resolv.conf"
    echo 'root:x:0:0:root:/root:/bin/sh' >"$2/etc/passwd"
    local tool module
    for tool in ping dig:resolver tls; do
        module=${tool#*:}
        printf '#!/bin/sh\nexec python3 -S -s -m standin.%s "$@"\n' "$module" >"$2/usr/bin/standin-${tool%%:*}"
        chmod 0755 "$2/usr/bin/standin-${tool%%:*}"
    done
    # Only what the node really imports, compiled: an emulated CPU compiles slowly.
    python3 "$1/guest/closure.py" "$1/guest" "$2"
}
