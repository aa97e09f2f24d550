"""What the runtime's `udhcpc.script` makes of a lease, called as udhcpc(8) calls it."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "recipes/truthdb-runtime/rootfs/etc/udhcpc.script"
IP = '#!/bin/sh\necho "ip $*" >>"$TRUTHDB_ROOT/calls"\n'


class Machine:
    """A machine in a folder, with two links and an `ip` that writes down what it is told."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for index, link in enumerate(("eth0", "eth1"), start=2):
            (root / "sys/class/net" / link).mkdir(parents=True)
            (root / "sys/class/net" / link / "ifindex").write_text(f"{index}\n")
        for folder in ("bin", "run/network"):
            (root / folder).mkdir(parents=True)
        (root / "bin/ip").write_text(IP)
        (root / "bin/ip").chmod(0o755)

    def call(self, event: str, link: str, **lease: str) -> list[str]:
        """Call the script, and return what it told `ip`."""
        calls = self.root / "calls"
        calls.write_text("")
        env = {
            "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
            "TRUTHDB_ROOT": str(self.root),
            "interface": link,
            **lease,
        }
        ran = subprocess.run(["sh", str(SCRIPT), event], env=env, capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
        return calls.read_text().splitlines()

    @property
    def name_servers(self) -> str:
        return (self.root / "run/network/resolv.conf").read_text()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("event", ["bound", "renew"])
def test_a_lease_becomes_address_routes_and_name_servers(machine: Machine, event: str) -> None:
    lease = {
        "ip": "192.0.2.10",
        "mask": "24",
        "router": "192.0.2.1 192.0.2.254",
        "dns": "192.0.2.2 192.0.2.3",
    }
    assert machine.call(event, "eth0", **lease) == [
        "ip -4 addr replace 192.0.2.10/24 dev eth0",
        "ip -4 route replace 192.0.2.1/32 dev eth0 metric 102",
        "ip -4 route replace 0.0.0.0/0 via 192.0.2.1 dev eth0 metric 102",
    ]
    assert machine.name_servers == "nameserver 192.0.2.2\nnameserver 192.0.2.3\n"


def test_classless_routes_count_instead_of_the_router(machine: Machine) -> None:
    lease = {
        "ip": "10.0.0.5",
        "mask": "32",
        "router": "10.0.0.9",
        "staticroutes": "10.0.0.1/32 0.0.0.0 0.0.0.0/0 10.0.0.1",
    }
    assert machine.call("bound", "eth1", **lease) == [
        "ip -4 addr replace 10.0.0.5/32 dev eth1",
        "ip -4 route replace 10.0.0.1/32 dev eth1 metric 103",
        "ip -4 route replace 10.0.0.1/32 dev eth1 metric 103",
        "ip -4 route replace 0.0.0.0/0 via 10.0.0.1 dev eth1 metric 103",
    ]


def test_a_lease_with_an_address_only_is_one_too(machine: Machine) -> None:
    assert machine.call("bound", "eth0", ip="192.0.2.10") == ["ip -4 addr replace 192.0.2.10/32 dev eth0"]


def test_the_name_servers_of_a_link_go_with_its_lease(machine: Machine) -> None:
    machine.call("bound", "eth0", ip="192.0.2.10", dns="192.0.2.2")
    machine.call("bound", "eth1", ip="192.0.2.11", dns="192.0.2.3")
    assert machine.name_servers == "nameserver 192.0.2.2\nnameserver 192.0.2.3\n"
    assert machine.call("deconfig", "eth0") == ["ip -4 addr flush dev eth0"]
    assert machine.name_servers == "nameserver 192.0.2.3\n"
    machine.call("deconfig", "eth1")
    assert machine.name_servers == ""


@pytest.mark.parametrize("event", ["leasefail", "nak"])
def test_an_event_without_a_lease_changes_nothing(machine: Machine, event: str) -> None:
    (machine.root / "run/network/resolv.conf").write_text("nameserver 192.0.2.2\n")
    assert machine.call(event, "eth0") == []
    assert machine.name_servers == "nameserver 192.0.2.2\n"
