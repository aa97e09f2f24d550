//! The network of a machine whose `ip` and `udhcpc` write down what they are told.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        // Beside this program, since programs are run from there: /tmp may not allow that.
        let here = std::env::current_exe().unwrap();
        let machine = Self(tempfile::tempdir_in(here.parent().unwrap()).unwrap());
        machine.write("etc/.keep", "");
        for program in ["ip", "udhcpc"] {
            let path = format!("sbin/{program}");
            let script = "#!/bin/sh\necho \"${0##*/} $*\" >>\"${0%/sbin/*}/calls\"\n\
                case \"$0\" in *udhcpc) trap 'echo renew' USR1; while :; do sleep 0.02; done;; esac\n";
            machine.write(&path, script);
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(machine.0.path().join(path), mode).unwrap();
        }
        machine
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn link(&self, name: &str, carrier: &str) {
        self.write(&format!("sys/class/net/{name}/type"), "1\n");
        self.write(&format!("sys/class/net/{name}/carrier"), carrier);
        self.write(&format!("sys/class/net/{name}/device/vendor"), "0x1af4\n");
    }

    fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.0.path().join("calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Looks until there are `count` calls.
    fn wait(&self, network: &mut Network, count: usize) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.calls().len() < count && Instant::now() < deadline {
            network.look(Instant::now(), &mut Vec::new());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.calls()
    }
}

fn fixed(gateway: &str) -> Address {
    Address::Fixed {
        address: "192.0.2.10".parse().unwrap(),
        prefix: 24,
        gateway: Some(gateway.parse().unwrap()),
        name_servers: vec!["192.0.2.2".parse().unwrap(), "2001:db8::1".parse().unwrap()],
    }
}

#[test]
fn every_link_with_a_cable_gets_a_dhcp_client() {
    let machine = Machine::new();
    machine.link("net0", "1\n");
    machine.link("net1", "0\n");
    machine.write("sys/class/net/lo/type", "772\n");
    machine.write("sys/class/net/dummy0/type", "1\n");
    machine.link("vf0", "1\n");
    machine.write("sys/class/net/vf0/master/type", "1\n");
    let mut network = Network::new(machine.0.path(), "example", Address::Dhcp, Instant::now());
    let mut calls = machine.wait(&mut network, 4);
    // The client runs beside the rest.
    calls.sort();
    assert_eq!(
        calls,
        [
            "ip link set dev lo up",
            "ip link set dev net0 up",
            "ip link set dev net1 up",
            "udhcpc -f -R -i net0 -t 3 -T 2 -A 5 -x hostname:example -O 121 -s /etc/udhcpc.script",
        ]
    );
    let addresses = vec![
        ("net0".to_owned(), "192.0.2.7".parse().unwrap(), 24),
        ("net0".to_owned(), "2001:db8::7".parse().unwrap(), 64),
    ];
    assert_eq!(
        network.rows(&addresses),
        ["net0: 192.0.2.7/24, 2001:db8::7/64", "net1: no cable"]
    );
    assert_eq!(
        network.rows(&vec![])[0],
        "net0: asking for an address (DHCP)"
    );
    machine.link("net1", "1\n");
    let calls = machine.wait(&mut network, 5);
    assert!(calls[4].starts_with("udhcpc -f -R -i net1 "), "{calls:?}");
    assert_eq!(network.problem(), None);
    network.stop();
}

#[test]
fn a_cable_that_comes_back_has_the_address_asked_for_anew() {
    let machine = Machine::new();
    machine.link("net0", "1\n");
    let mut network = Network::new(machine.0.path(), "example", Address::Dhcp, Instant::now());
    machine.wait(&mut network, 3);
    machine.link("net0", "0\n");
    network.look(Instant::now(), &mut Vec::new());
    assert_eq!(network.rows(&vec![]), ["net0: no cable"]);
    machine.link("net0", "1\n");
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut lines = Vec::new();
    while lines.is_empty() && Instant::now() < deadline {
        network.look(Instant::now(), &mut lines);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(lines, ["net0: renew"]);
    network.stop();
}

#[test]
fn a_fixed_address_goes_to_the_first_link_with_a_cable() {
    let machine = Machine::new();
    machine.link("net0", "1\n");
    machine.link("net1", "1\n");
    let start = Instant::now();
    let mut network = Network::new(machine.0.path(), "example", fixed("192.0.2.1"), start);
    network.look(start, &mut Vec::new());
    network.look(start, &mut Vec::new());
    assert_eq!(
        machine.calls()[3..],
        [
            "ip -4 addr replace 192.0.2.10/24 dev net0",
            "ip -4 route replace 192.0.2.1/32 dev net0",
            "ip -4 route replace default via 192.0.2.1 dev net0",
        ]
    );
    let text = fs::read_to_string(machine.0.path().join("run/network/resolv.conf")).unwrap();
    assert_eq!(text, "nameserver 192.0.2.2\nnameserver 2001:db8::1\n");
    assert_eq!(
        network.rows(&vec![]),
        ["net0: no address", "net1: no address"]
    );
}

#[test]
fn another_link_gets_it_when_the_first_had_its_time() {
    let machine = Machine::new();
    machine.link("net0", "0\n");
    machine.link("net1", "1\n");
    let start = Instant::now();
    let mut network = Network::new(machine.0.path(), "example", fixed("192.0.2.1"), start);
    network.look(start, &mut Vec::new());
    assert_eq!(machine.calls().len(), 3);
    network.look(start + SETTLE, &mut Vec::new());
    assert_eq!(
        machine.calls()[3],
        "ip -4 addr replace 192.0.2.10/24 dev net1"
    );
    // A cable that comes later changes nothing.
    machine.link("net0", "1\n");
    network.look(start + 2 * SETTLE, &mut Vec::new());
    assert_eq!(machine.calls().len(), 6);
}

#[test]
fn without_any_cable_it_waits_for_one_however_long() {
    let machine = Machine::new();
    machine.link("net0", "0\n");
    machine.link("net1", "0\n");
    let start = Instant::now();
    let mut network = Network::new(machine.0.path(), "example", fixed("192.0.2.1"), start);
    network.look(start, &mut Vec::new());
    network.look(start + 20 * SETTLE, &mut Vec::new());
    assert_eq!(machine.calls().len(), 3);
    // A switch takes longer to start than a server.
    machine.link("net1", "1\n");
    network.look(start + 30 * SETTLE, &mut Vec::new());
    assert_eq!(
        machine.calls()[3],
        "ip -4 addr replace 192.0.2.10/24 dev net1"
    );
}

#[test]
fn a_link_that_is_taken_away_leaves_no_client_behind() {
    let machine = Machine::new();
    machine.link("net0", "1\n");
    let mut network = Network::new(machine.0.path(), "example", Address::Dhcp, Instant::now());
    machine.wait(&mut network, 3);
    fs::remove_dir_all(machine.0.path().join("sys/class/net/net0")).unwrap();
    network.look(Instant::now(), &mut Vec::new());
    assert_eq!(network.rows(&vec![]), Vec::<String>::new());
    machine.link("net0", "1\n");
    let calls = machine.wait(&mut network, 5);
    assert!(calls[4].starts_with("udhcpc -f -R -i net0 "), "{calls:?}");
    network.stop();
}

#[test]
fn what_ip_says_when_it_fails_is_kept() {
    let machine = Machine::new();
    machine.write(
        "sbin/ip",
        "#!/bin/sh\necho 'ip: no such device' >&2\nexit 1\n",
    );
    let network = Network::new(machine.0.path(), "example", Address::Dhcp, Instant::now());
    assert_eq!(
        network.problem(),
        Some("`ip link set dev lo up` failed: ip: no such device.")
    );
}
