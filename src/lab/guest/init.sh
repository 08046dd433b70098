#!/bin/busybox sh
# First process of a stand-in guest: modules, then the node itself, then a shell on the serial console.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=linux LC_ALL=C.UTF-8
/bin/busybox mkdir -p /proc /sys /dev /run /root
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox --install -s
mkdir -p /dev/pts && mount -t devpts pts /dev/pts
exec </dev/console >/dev/console 2>&1

# insmod resolves nothing: the build wrote the order down.
while read -r module; do
    # Some are accelerations that this CPU has not.
    insmod "/modules/$module" 2>/dev/null
done </modules/order
ip link set lo up

python3 -S -s -m standin </dev/null &
while :; do
    setsid cttyhack sh
done
