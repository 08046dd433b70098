#!/bin/sh
# Called by udhcpc with the lease in the environment; applies it as NetworkManager would.
case $1 in
bound | renew)
    [ -n "$mtu" ] && ip link set "$interface" mtu "$mtu"
    ip address replace "$ip/$mask" broadcast "${broadcast:-+}" dev "$interface"
    [ -n "$router" ] && ip route replace default via "${router%% *}" dev "$interface"
    for server in $dns; do echo "nameserver $server"; done >/etc/resolv.conf
    printf 'address=%s\nhostname=%s\nserver=%s\n' "$ip" "$hostname" "$serverid" >/run/lease.new
    mv /run/lease.new /run/lease
    ;;
esac
