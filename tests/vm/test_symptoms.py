import pytest

from pipeline.vm.stages import Stage, plain
from pipeline.vm.symptoms import STUCK, SYMPTOMS, find
from tests.vm import excerpts
from tests.vm.excerpts import BLK, FS, GAVE_UP, GREETING, LOADED, NO_ROOT, NOT_FOUND, PROMPT, TO_SHELL

RUST = "thread 'main' (57) panicked at src/main.rs:12:5:\ncalled `Option::unwrap()` on a `None` value\n"
RESPAWN = "process '/bin/installer' (pid 57) exited. Scheduling for restart.\r\n"
COMPLAINT = "truthdb-installer: no screen and no serial console\r\n"

# What showed, and the beginning of the sentence that explains it: the best one, where several fit.
ROWS = [
    ("qemu: Could not open '/usr/share/OVMF/OVMF_CODE.fd': No such file", "QEMU was given a firmware file"),
    ("gtk initialization failed", "QEMU wanted to open a window"),
    ("KVM internal error. Suberror: 1\nextra data[0]: 0x1", "KVM on this machine opens, but"),
    ("qemu: error: failed to set MSR 0x10a to 0xc000069", "KVM on this machine opens, but"),
    ("screendump: No space left on device", "The disk of the machine that runs QEMU is full."),
    (GAVE_UP + TO_SHELL + FS + PROMPT, "BOOTX64.EFI is an EFI stub without a kernel"),
    (NOT_FOUND.replace("Not Found", "Access Denied"), "Secure Boot refused BOOTX64.EFI"),
    (NOT_FOUND + TO_SHELL + BLK + PROMPT, "The firmware sees the medium but no FAT file system"),
    (NOT_FOUND + TO_SHELL + BLK + "Shell> ", "The firmware sees the medium but no FAT file system"),
    (NOT_FOUND, "The firmware found no EFI/BOOT/BOOTX64.EFI"),
    (NOT_FOUND + TO_SHELL + FS + PROMPT, "The firmware found no EFI/BOOT/BOOTX64.EFI"),
    (LOADED + TO_SHELL + FS + PROMPT, "BOOTX64.EFI was started and gave control back"),
    (TO_SHELL + FS + PROMPT, "The firmware fell back to its UEFI shell"),
    (">>Start PXE over IPv4.", "The firmware went on to boot from the network"),
    ("PXE-E16: No valid offer received.", "The firmware went on to boot from the network"),
    ("BdsDxe: No bootable option or device was found.", "The firmware went on to boot from the network"),
    ("[    0.5] Initramfs unpacking failed: ZSTD-compressed data is corrupt", "Linux could not unpack"),
    (
        "[    0.6] check access for rdinit=/sbin/nope failed: -2, ignoring\n" + NO_ROOT,
        "The program that rdinit=",
    ),
    ("[    0.6] Failed to execute /sbin/init (error -8)", "Linux could not start init"),
    (NO_ROOT, "Linux looked for a root file system"),
    (excerpts.NO_ROOT_BY_OCR, "Linux looked for a root file system"),
    ("Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000300", "PID 1 ended"),
    ("Kernel panic - not syncing: System is deadlocked on memory", "The machine has too little memory"),
    ("Kernel panic - not syncing: IO-APIC + timer doesn't work!  Boot with", "The virtual machine's timer"),
    ("Kernel panic - not syncing: stack-protector", "Linux panicked"),
    (
        "[  OK  ] Reached target emergency.target\r\n\r\nYou are in emergency mode. After logging in,",
        "systemd",
    ),
    (RUST, "The installer crashed"),
    (RESPAWN * 3, "The installer starts over and over"),
    (COMPLAINT * 3, "The installer starts over and over"),
]


@pytest.mark.parametrize(("raw", "sentence"), ROWS)
def test_the_best_cause_comes_first(raw: str, sentence: str) -> None:
    first, *_ = find(plain(raw))
    assert first.sentence.startswith(sentence)


def test_every_symptom_has_a_row() -> None:
    shown = {symptom for raw, _ in ROWS for symptom in find(plain(raw))}
    assert shown == set(SYMPTOMS)


@pytest.mark.parametrize(
    "text",
    [
        LOADED + GREETING,
        LOADED + "[    0.1] x86/cpu: SGX disabled\r\n" + GREETING * 5,
        RESPAWN * 2 + GREETING,
        COMPLAINT + "truthdb-installer: something else\r\n" + COMPLAINT,
        "Type `exit` to leave the Shell>now",
    ],
)
def test_a_good_boot_has_no_symptom(text: str) -> None:
    assert find(plain(text)) == ()


@pytest.mark.parametrize(
    ("raw", "final"),
    [
        (NOT_FOUND, False),
        (NOT_FOUND + TO_SHELL + BLK, False),
        (NOT_FOUND + TO_SHELL + BLK + PROMPT, True),
        (GAVE_UP, False),
        (">>Start PXE over IPv4.", True),
        (NO_ROOT, True),
        (excerpts.NO_ROOT_BY_OCR, True),
    ],
)
def test_a_panic_and_a_prompt_are_final(raw: str, final: bool) -> None:
    assert any(symptom.final for symptom in find(plain(raw))) is final


def test_every_stage_but_the_last_says_what_being_stuck_there_means() -> None:
    assert set(STUCK) == set(Stage) - {Stage.REBOOT}


def test_causes_are_sentences_with_a_hint() -> None:
    for cause in (*SYMPTOMS, *STUCK.values()):
        assert cause.sentence.endswith(".")
        assert cause.hint
        assert not cause.hint.endswith(".")
