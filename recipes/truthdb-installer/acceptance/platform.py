"""Settings from a platform: what a ready-made disk takes at its first start."""

import base64
from collections.abc import Callable
from dataclasses import replace

from acceptance import screens
from acceptance.images import check_grown, ready_made
from acceptance.installation import with_answers
from pipeline.boot.stories import Lab, Story, must
from pipeline.vm import disks
from pipeline.vm.machine import Disk, Machine

CONFIG = "TRUTHDB_CFG"  # label of a volume for an answer file
FIRST = "first start: data grown from "
"""What the appliance logs of its first start, on the serial line, too."""


def answers(name: str) -> str:
    """Return an answer file that calls the machine so."""
    return f'version = 1\n[settings]\nhost_name = "{name}"\nnode_name = "{name}-node"\n'


def ovf_environment(host_name: str, data: str) -> str:
    """Return the environment that Azure gives a new Linux machine, with a host name and custom data."""
    custom = base64.b64encode(data.encode()).decode()
    return f"""<?xml version="1.0" encoding="utf-8"?>
<ns0:Environment xmlns:ns0="http://schemas.dmtf.org/ovf/environment/1"
    xmlns:ns1="http://schemas.microsoft.com/windowsazure">
  <ns1:ProvisioningSection>
    <ns1:Version>1.0</ns1:Version>
    <ns1:LinuxProvisioningConfigurationSet>
      <ns1:ConfigurationSetType>LinuxProvisioningConfiguration</ns1:ConfigurationSetType>
      <ns1:HostName>{host_name}</ns1:HostName>
      <ns1:UserName>operator</ns1:UserName>
      <ns1:CustomData>{custom}</ns1:CustomData>
    </ns1:LinuxProvisioningConfigurationSet>
  </ns1:ProvisioningSection>
</ns0:Environment>
"""


def no_cloud(user: str, host_name: str) -> dict[str, str]:
    """Return the files of cloud-init's NoCloud volume."""
    return {"user-data": user, "meta-data": f"instance-id: i-1\nlocal-hostname: {host_name}\n"}


def _stick(lab: Lab, label: str, files: dict[str, str]) -> Disk:
    image = disks.stick(lab.work / f"{label}.img", label, files)
    return Disk("stick", image, "virtio-blk", serial="STICK0001", read_only=True)


def _disc(lab: Lab, label: str, files: dict[str, str], *, udf: bool = False) -> Disk:
    image = disks.disc(lab.work / f"{label}.iso", label, files, udf=udf)
    return Disk("disc", image, "cd", read_only=True)


def _firmware(lab: Lab, machine: Machine) -> Machine:
    return with_answers(lab, machine, answers("by-firmware"))


def _volume(lab: Lab, machine: Machine) -> Machine:
    return _with(machine, _stick(lab, CONFIG, {"install.toml": answers("by-volume")}))


def _no_cloud_stick(lab: Lab, machine: Machine) -> Machine:
    return _with(machine, _stick(lab, "CIDATA", no_cloud(answers("by-stick"), "other")))


def _no_cloud_disc(lab: Lab, machine: Machine) -> Machine:
    return _with(machine, _disc(lab, "cidata", no_cloud("#cloud-config\n", "by-disc.example.org")))


def _azure(lab: Lab, machine: Machine) -> Machine:
    files = {"ovf-env.xml": ovf_environment("other", answers("by-azure"))}
    return _with(machine, _disc(lab, "AZURE", files, udf=True))


def _mistaken(lab: Lab, machine: Machine) -> Machine:
    wrong = answers("By-Volume")
    return _with(machine, _stick(lab, CONFIG, {"install.toml": wrong}))


def _several(lab: Lab, machine: Machine) -> Machine:
    return _no_cloud_disc(lab, _firmware(lab, machine))


def _with(machine: Machine, disk: Disk) -> Machine:
    return replace(machine, disks=(*machine.disks, disk))


def told(prepare: Callable[[Lab, Machine], Machine], host_name: str, *said: str) -> Story:
    """Return the story of a disk that starts in a machine as `prepare` makes it: it gets this host name.

    What it says on the serial line has `said` in it. At its second start nobody says anything, and all stays.
    """

    async def story(lab: Lab) -> None:
        disk = ready_made(lab, "virtio-blk")
        machine = prepare(lab, lab.machine(disk, network=True))
        async with lab.start(machine, "boot-1") as vm:
            for words in (FIRST, *said):
                await vm.hear(words)
            status = await screens.appliance(vm, 1)
            must(status["node"]["host_name"] == host_name, f"the node is {status['node']}")
            await vm.switch_off()
        before = check_grown(lab, disk)
        async with lab.start(lab.machine(disk, fresh=False, network=True), "boot-2") as vm:
            await screens.appliance(vm, 2)
            await vm.switch_off()
        after = check_grown(lab, disk)
        must(before == after, f"the second start has changed {before} to {after}")

    return story


PLATFORM: dict[str, Story] = {
    "settings-firmware": told(
        _firmware, "by-firmware", "settings from SMBIOS OEM string truthdb.install.toml"
    ),
    "settings-volume": told(_volume, "by-volume", "settings from /install.toml on "),
    "settings-nocloud-fat": told(_no_cloud_stick, "by-stick", "settings from NoCloud on "),
    "settings-nocloud-iso": told(
        _no_cloud_disc, "by-disc", "which this system does not follow", "settings from NoCloud on sr0"
    ),
    "settings-azure": told(_azure, "by-azure", "settings from /ovf-env.xml on sr0"),
    "settings-mistaken": told(
        _mistaken, "truthdb", "are not followed: line 3: settings.host_name: Only small letters"
    ),
    "settings-several": told(
        _several,
        "by-firmware",
        "settings are not taken from NoCloud on sr0: another source comes first",
    ),
}
