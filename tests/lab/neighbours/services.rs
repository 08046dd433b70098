//! Services: the owner's own dnsmasq, HAProxy and libvirt network, and who manages the NIC.

use super::{HOSTS, get_on, with};

#[test]
fn other_services_of_the_kind_we_run() {
    let stage = with(
        &["dnsmasq"],
        r"
        set -e
        printf 'listen-address=127.0.0.1\nbind-interfaces\nno-resolv\naddress=/shop.test/192.0.2.99\n' > /etc/dnsmasq.d/own.conf
        printf 'defaults\n mode tcp\n timeout client 5s\n timeout server 5s\n timeout connect 5s\nfrontend shop\n bind :8080\n' > /etc/haproxy/haproxy.cfg
        systemctl restart dnsmasq; systemctl enable haproxy; systemctl restart haproxy
        virsh -q net-start default; virsh -q net-autostart default
        ",
    );
    let pids = || {
        let show = "systemctl is-enabled haproxy dnsmasq && systemctl show -p MainPID,ActiveState haproxy dnsmasq && \
            ss -Hlnt 'sport = 8080' && dig +short @127.0.0.1 shop.test && virsh -q net-info default";
        HOSTS.map(|host| stage.at(host, show).succeeds().stdout)
    };
    let before = pids();
    get_on(
        &stage,
        &[],
        &["systemctl restart haproxy dnsmasq && virsh -q net-destroy default && virsh -q net-start default"],
    );
    let after = pids();
    // The test restarted them, ocp2 must not: which process it is may differ, the rest may not.
    let steady = |text: &str| text.lines().filter(|line| !line.starts_with("MainPID")).collect::<String>();
    assert_eq!(before.map(|text| steady(&text)), after.map(|text| steady(&text)));
}

#[test]
fn network_manager_that_has_the_nic() {
    // It takes every veth for a NIC where no udev says otherwise; the probes' are not what is tried.
    let stage = with(
        &["network-manager"],
        r#"
        set -e
        address=$(ip -4 -br address show dev ens34f0 | awk '{print $3}')
        printf '[keyfile]\nunmanaged-devices=interface-name:probe\n' > /etc/NetworkManager/conf.d/probe.conf
        systemctl reload NetworkManager
        nmcli connection add type ethernet ifname ens34f0 con-name own ipv4.method manual \
            ipv4.addresses "$address" ipv4.gateway 192.0.2.1 ipv6.method link-local
        nmcli connection up own
        nmcli -t -f DEVICE,STATE,CONNECTION device | grep -x ens34f0:connected:own
        # As after a boot, where anything that waits for the network has reached this.
        systemctl start network-online.target
        "#,
    );
    get_on(&stage, &[], &["systemctl restart NetworkManager && nmcli -w 20 connection up own"]);
}
