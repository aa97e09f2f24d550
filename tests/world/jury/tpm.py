"""A program that asks a machine's TPM what PCR 11 is, and which policies hold; and its answers.

The program is what a UKI has in place of Linux. It reads PCR 11, then does what systemd does: it measures one
phase after the other, and has the TPM make the policy that PCR 11 has that value, which has to be signed in
.pcrsig. So no value and no policy is reckoned here: all of them are the TPM's own. With Linux in its place,
Linux is asked, which has a driver of its own.

Specifications: TCG, Trusted Platform Module Library, part 3 (commands); TCG EFI Protocol Specification, §6
(EFI_TCG2_PROTOCOL)
"""

import hashlib
import re
import struct
import uuid

from tests.world.jury.programs import efi_code, say

PHASES = ("enter-initrd", "leave-initrd", "sysinit", "ready", "shutdown", "final")
PCR = 11
SHA256, NO_CIPHER = 0x000B, 0x0010
NOBODY, PASSWORD, SESSION = 0x4000_0007, 0x4000_0009, 0x0300_0000
PLAIN, WITH_PASSWORD = 0x8001, 0x8002
SELECTION = struct.pack(">IHB", 1, SHA256, 3) + (1 << PCR).to_bytes(3, "little")
EXTEND, START_SESSION, READ, POLICY, RESTART, DIGEST = 0x182, 0x176, 0x17E, 0x17F, 0x180, 0x189

PROTOCOL = uuid.UUID("607f766c-7455-42be-930b-e4d76db2720f")
ANSWER = re.compile("(?:[a-p]{2}){10,}")
HEX = str.maketrans("abcdefghijklmnop", "0123456789abcdef")


def _command(code: int, body: bytes, tag: int = PLAIN) -> bytes:
    return struct.pack(">HII", tag, 10 + len(body), code) + body


def commands() -> list[bytes]:
    """Return what the TPM is asked, in order: PCR 11, then for its policy before and after each phase."""
    session = struct.pack(">I", SESSION)
    policy = [_command(POLICY, session + struct.pack(">H", 0) + SELECTION), _command(DIGEST, session)]
    found = [
        _command(READ, SELECTION),
        _command(START_SESSION, struct.pack(">IIH16xHBHH", NOBODY, NOBODY, 16, 0, 1, NO_CIPHER, SHA256)),
        *policy,
    ]
    for phase in PHASES:
        body = struct.pack(">II IHBH IH", PCR, 9, PASSWORD, 0, 0, 0, 1, SHA256)
        body += hashlib.sha256(phase.encode()).digest()
        found += [_command(EXTEND, body, WITH_PASSWORD), _command(RESTART, session), *policy]
    return found


def code() -> bytes:
    """Say each answer of the TPM, a letter from a to p for four bits; then what `efi_code` says."""
    data = PROTOCOL.bytes_le + b"".join(struct.pack("<I", len(one)) + one for one in commands()) + bytes(4)
    start = (
        "53565755"  #              push rbx, rsi, rdi, rbp
        "4881ec38030000"  #        sub rsp, 0x338
        "488b4260"  #              mov rax, [rdx+0x60]      boot services
        "e8"  #                    call over the data
    )
    locate = (
        "5b"  #                    pop rbx                  the data
        "4889d9"  #                mov rcx, rbx
        "4883c310"  #              add rbx, 16
        "31d2"  #                  xor edx, edx
        "4c8d442428"  #            lea r8, [rsp+0x28]       the protocol
        "ff9040010000"  #          call [rax+0x140]         LocateProtocol
    )
    ask = (
        "4885c0"  #             00 test rax, rax
        "756c"  #               03 jnz end
        "8b13"  #               05 mov edx, [rbx]
        "85d2"  #                  test edx, edx
        "7466"  #               09 jz end
        "4c8d4304"  #              lea r8, [rbx+4]
        "498d1c10"  #              lea rbx, [r8+rdx]        the next command
        "488b4c2428"  #            mov rcx, [rsp+0x28]
        "41b900010000"  #          mov r9d, 0x100           room for an answer
        "488d742430"  #            lea rsi, [rsp+0x30]
        "4889742420"  #            mov [rsp+0x20], rsi
        "ff5118"  #                call [rcx+0x18]          SubmitCommand
        "0fb64e05"  #              movzx ecx, byte [rsi+5]  the answer's size
        "488dbc2430010000"  #      lea rdi, [rsp+0x130]     the text
        "4889fd"  #                mov rbp, rdi
        "ac"  #                 3a lodsb
        "88c4"  #                  mov ah, al
        "c0e804"  #                shr al, 4
        "80e40f"  #                and ah, 15
        "66056161"  #              add ax, 'aa'
        "66ab"  #                  stosw
        "e2ef"  #                  loop 3a
        "c7070d0a0000"  #          mov dword [rdi], 0x0a0d
        "4889ee"  #                mov rsi, rbp
    )
    again = (
        "31c0"  #                  xor eax, eax
        "eb8f"  #                  jmp 00
    )
    end = "4881c4380300005d5f5e5b"  # add rsp, 0x338; pop rbp, rdi, rsi, rbx
    begin, go_on = bytes.fromhex(start) + struct.pack("<I", len(data)), bytes.fromhex(locate + ask)
    return begin + data + go_on + say("66") + bytes.fromhex(again + end) + efi_code()


def linux_code() -> bytes:
    """Say what Linux says that PCR 11 is, in code that goes before `init_code`'s."""
    data = b"sysfs\0/s\0/s/class/tpm/tpm0/pcr-sha256/11\0"
    call = bytes.fromhex("e8") + struct.pack("<I", len(data))
    return (
        call
        + data
        + bytes.fromhex(
            "5b"  #                pop rbx                  the data
            "4889df"  #            mov rdi, rbx
            "4889da"  #            mov rdx, rbx
            "488d7306"  #          lea rsi, [rbx+6]
            "4531d24531c0"  #      xor r10d, r10d; xor r8d, r8d
            "b8a50000000f05"  #    mov eax, 165; syscall    mount
            "488d7b09"  #          lea rdi, [rbx+9]
            "31f6"  #              xor esi, esi
            "b8020000000f05"  #    mov eax, 2; syscall      open
            "89c7"  #              mov edi, eax
            "4881ec80000000"  #    sub rsp, 0x80
            "4889e6"  #            mov rsi, rsp
            "ba41000000"  #        mov edx, 65
            "31c00f05"  #          xor eax, eax; syscall    read
            "c644244100"  #        mov byte [rsp+65], 0
            "bf03000000"  #        mov edi, 3
            "b8ac0000000f05"  #    mov eax, 172; syscall    iopl
            "4889e6"  #            mov rsi, rsp
        )
        + say("66")
    )


def heard(said: str) -> tuple[str, ...]:
    """Return in hex what the TPM answered: PCR 11, and the policies before and after each phase.

    Nothing, where it refused a command; PCR 11 alone, where Linux was asked.
    """
    if by_linux := re.search(r"\b[0-9A-F]{64}\b", said):
        return (by_linux[0].lower(),)
    answers = [bytes.fromhex(each.translate(HEX)) for each in ANSWER.findall(said)]
    asked = [struct.unpack_from(">I", each, 6)[0] for each in commands()]
    if len(answers) != len(asked) or any(any(each[6:10]) for each in answers):
        return ()
    return tuple(
        answer[-32:].hex() for code, answer in zip(asked, answers, strict=True) if code in (READ, DIGEST)
    )
