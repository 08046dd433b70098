#!/bin/sh
# Serves the lab's internet out of the hosts' root: internet.sh ROOT DIR MIRROR
#
# Runs as the first process of its own process and mount namespace. The
# programs come from the shared root, so that the machine needs none of them.
set -eu
root=$1
mount --bind "$2" "$root/srv"
mount --bind "$3" "$root/mnt"
mount -t proc proc "$root/proc"
# What the proxy asks for names.
mount --bind "$2/resolv.conf" "$root/etc/resolv.conf"

# What translates addresses, where the lab has that; else the file is empty.
chroot "$root" /usr/sbin/nft -f /srv/rules.nft

# No upstream: what is not known here does not exist.
chroot "$root" /usr/sbin/dnsmasq --keep-in-foreground --conf-file=/dev/null --user=root --pid-file= \
    --no-resolv --no-hosts --addn-hosts=/srv/hosts --hostsdir=/srv/records --local=/#/ \
    --bind-interfaces --interface=br0 --log-queries --log-facility=/srv/dns.log &

# For users who are let out by a proxy only: port 3128.
chroot "$root" /usr/bin/tinyproxy -d -c /srv/proxy.conf >"$2/proxy.log" 2>&1 &

# An authority as a company has one: known to those who are told of it.
chroot "$root" sh -euc '
    cd /srv
    umask 077
    [ ! -e mirror.pem ] || exit 0
    key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    openssl req -x509 $key -days 3650 -subj "/CN=Authority of the ocp2 lab" -keyout authority.key -out authority.pem
    openssl req -x509 $key -days 3650 -subj /CN=mirror.lab.test -addext subjectAltName=DNS:mirror.lab.test \
        -CA authority.pem -CAkey authority.key -keyout mirror.key -out mirror.new
    mv mirror.new mirror.pem' 2>"$2/openssl.log"

# Answers on every address of the internet, so 198.51.100.1 is a web server too.
chroot "$root" /usr/bin/python3 /srv/mirror.py /srv >"$2/mirror.log" 2>&1 &
wait
