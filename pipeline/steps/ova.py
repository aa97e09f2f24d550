"""Makes an OVA: a tar of an OVF descriptor, its manifest, and a disk in VMDK.

Specification: DMTF DSP0243 1.1, §5 (package, manifest, order), §7 and §9 (sections); CIM_OperatingSystem and
CIM_ResourceAllocationSettingData for the numbers; `vmw:Config` is VMware's way to ask for UEFI
"""

import hashlib
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from pipeline.errors import PipelineError

LINUX_64 = 101  # CIM's number for another Linux of 64 bits
CPU, MEMORY, ETHERNET, DISK, SATA = 3, 4, 10, 17, 20
"""Types of resources, by CIM's numbers."""
USTAR_LIMIT = 1 << 33  # bytes: a file in a plain tar is smaller


@dataclass(frozen=True)
class Machine:
    """The virtual machine that an OVA describes; `memory` is in MiB."""

    name: str
    product: str
    version: str
    memory: int
    cpus: int


def descriptor(machine: Machine, disk: str, disk_bytes: int, capacity: int) -> str:
    """Return the OVF of a machine with UEFI, whose one disk, at AHCI, is in the file `disk`.

    `disk_bytes` is the size of that file, `capacity` that of the disk in it.
    """
    items: list[dict[str, str | int]] = [
        {"ResourceType": CPU, "ElementName": "CPUs", "VirtualQuantity": machine.cpus},
        {
            "ResourceType": MEMORY,
            "ElementName": "memory",
            "AllocationUnits": "byte * 2^20",
            "VirtualQuantity": machine.memory,
        },
        {
            "ResourceType": SATA,
            "ElementName": "SATA controller 0",
            "Address": 0,
            "ResourceSubType": "vmware.sata.ahci",
        },
        {
            "ResourceType": DISK,
            "ElementName": "disk 1",
            "AddressOnParent": 0,
            "HostResource": "ovf:/disk/vmdisk1",
            "Parent": 3,
        },
        {
            "ResourceType": ETHERNET,
            "ElementName": "Ethernet adapter 1",
            "AutomaticAllocation": "true",
            "Connection": "network",
            "ResourceSubType": "E1000",
        },
    ]
    hardware = "\n".join(_item(number, item) for number, item in enumerate(items, 1))
    name, product = quoteattr(machine.name), escape(machine.product)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1"
          xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
          xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
          xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData"
          xmlns:vmw="http://www.vmware.com/schema/ovf">
  <References>
    <File ovf:id="file1" ovf:href={quoteattr(disk)} ovf:size="{disk_bytes}"/>
  </References>
  <DiskSection>
    <Info>Virtual disks</Info>
    <Disk ovf:diskId="vmdisk1" ovf:fileRef="file1" ovf:capacity="{capacity}"
          ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>
  </DiskSection>
  <NetworkSection>
    <Info>Networks</Info>
    <Network ovf:name="network"><Description>The network of the machine</Description></Network>
  </NetworkSection>
  <VirtualSystem ovf:id={name}>
    <Info>A virtual machine</Info>
    <Name>{escape(machine.name)}</Name>
    <OperatingSystemSection ovf:id="{LINUX_64}" vmw:osType="other4xLinux64Guest">
      <Info>The operating system</Info>
    </OperatingSystemSection>
    <ProductSection>
      <Info>The product</Info>
      <Product>{product}</Product>
      <Version>{escape(machine.version)}</Version>
    </ProductSection>
    <VirtualHardwareSection>
      <Info>Virtual hardware</Info>
      <System>
        <vssd:ElementName>Virtual Hardware Family</vssd:ElementName>
        <vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemIdentifier>{escape(machine.name)}</vssd:VirtualSystemIdentifier>
        <vssd:VirtualSystemType>vmx-14</vssd:VirtualSystemType>
      </System>
{hardware}
      <vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="efi"/>
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>
"""


def _item(number: int, fields: dict[str, str | int]) -> str:
    """Return a resource; its elements stand in alphabetical order, as the schema has them."""
    every = sorted((fields | {"InstanceID": number}).items())
    lines = [f"        <rasd:{key}>{value}</rasd:{key}>" for key, value in every]
    return "\n".join(["      <Item>", *lines, "      </Item>"])


def manifest(digests: dict[str, str]) -> str:
    """Return the manifest: a line for each file, with its SHA-256 in hex."""
    return "".join(f"SHA256({name})= {digest}\n" for name, digest in digests.items())


def write_ova(machine: Machine, disk: Path, capacity: int, output: Path, epoch: int) -> None:
    """Write the tar: descriptor, manifest, disk. Raises PipelineError for a disk that no plain tar takes."""
    size = disk.stat().st_size
    if size >= USTAR_LIMIT:
        raise PipelineError(
            f"{disk.name} has {size} bytes, and a file in an OVA less than 8 GiB", "make it smaller"
        )
    text = descriptor(machine, disk.name, size, capacity).encode()
    ovf = f"{output.stem}.ovf"
    with disk.open("rb") as file:
        digests = {
            ovf: hashlib.sha256(text).hexdigest(),
            disk.name: hashlib.file_digest(file, "sha256").hexdigest(),
        }
    with tarfile.open(output, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in ((ovf, text), (f"{output.stem}.mf", manifest(digests).encode())):
            tar.addfile(_plain(name, len(data), epoch), io.BytesIO(data))
        with disk.open("rb") as file:
            tar.addfile(_plain(disk.name, size, epoch), file)


def _plain(name: str, size: int, epoch: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, epoch, 0o644
    return info
