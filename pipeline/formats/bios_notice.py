"""The code that a PC runs when it starts a medium by BIOS that only UEFI can start: it says so.

It stands twice on a medium, as code of the MBR for sticks and as El Torito's entry for BIOS for CDs. A BIOS
loads either to 0x7C00 and jumps there, in real mode.

Specifications: El Torito 1.0, §2.2 (initial entry) and §3.2 (loading); UEFI 2.10, §5.2.1 (legacy MBR).
"""

MARK = b"This medium starts by UEFI only"
TEXT = (
    MARK
    + b""", and this machine tried to start it by BIOS.\r
\r
Restart it and open the firmware's setup, often with F2, Del or Esc.\r
Choose UEFI as the boot mode, turn off CSM or Legacy, and start it again.\r
\r
Press a key to restart.\r
"""
)
ADDRESS = 0x7C00
PROGRAM = bytes.fromhex(
    "ea057c0000"  # 00 jmp 0x0000:0x7c05    some BIOSes come with another segment
    "31c0"  #       05 xor ax, ax
    "8ed8"  #       07 mov ds, ax
    "8ed0"  #       09 mov ss, ax
    "bc007c"  #     0b mov sp, 0x7c00
    "fc"  #         0e cld
    "b80300"  #     0f mov ax, 0x0003
    "cd10"  #       12 int 0x10             text, 80 columns
    "be2e7c"  #     14 mov si, 0x7c2e       TEXT
    "ac"  #         17 lodsb
    "84c0"  #       18 test al, al
    "7409"  #       1a jz 0x25
    "b40e"  #       1c mov ah, 0x0e
    "bb0700"  #     1e mov bx, 7
    "cd10"  #       21 int 0x10             write a character
    "ebf2"  #       23 jmp 0x17
    "31c0"  #       25 xor ax, ax
    "cd16"  #       27 int 0x16             wait for a key
    "ea0000ffff"  # 29 jmp 0xffff:0x0000    restart
)
CODE = PROGRAM + TEXT + b"\0"
"""At most 440 bytes, what an MBR has for code."""
