"""Stands in for QEMU: speaks QMP on its descriptor and plays the machine that the medium describes.

The medium is JSON: `serial` (lines said after power-on), `screen` (what a screenshot holds), `registers`,
`resets_on` (a command after which the guest resets), `ends_on` (a command after which QEMU dies),
`complaint` (QEMU's last words, said when the accelerator is `complains_under`), `replies` (pairs: what is
typed on serial, what is said then), `off_after` (what is typed before the machine switches itself off).
Every command it gets is a line in `commands`, beside the medium.
"""

import json
import os
import socket
import sys
import threading
from pathlib import Path
from typing import Any


def reply(medium: dict[str, Any]) -> None:
    """Answer what is typed; replies come in the order in which they are listed, each once."""
    typed, replies = "", list(medium.get("replies", []))
    while data := os.read(0, 1 << 10):
        typed += data.decode()
        while replies and replies[0][0] in typed:
            awaited, said = replies.pop(0)
            typed = typed.partition(awaited)[2]
            print(said, flush=True)
        if medium.get("off_after") and medium["off_after"] in typed:
            os._exit(0)


def main(arguments: list[str]) -> int:
    blockdevs = [json.loads(value) for value in arguments if value.startswith("{")]
    files = {entry["node-name"]: Path(entry["file"].get("filename", "")) for entry in blockdevs}
    medium = json.loads(files["medium"].read_text())
    threading.Thread(target=reply, args=(medium,), daemon=True).start()
    if medium.get("complains_under", "-") in arguments:
        print(medium["complaint"], file=sys.stderr)
        return 1
    chardev = next(value for value in arguments if value.startswith("socket,id=qmp,fd="))
    channel = socket.socket(fileno=int(chardev.rpartition("=")[2]))

    def say(message: object) -> None:
        channel.sendall(json.dumps(message).encode() + b"\n")

    say(
        {
            "QMP": {
                "version": {"qemu": {"major": 10, "minor": 0, "micro": 0}, "package": ""},
                "capabilities": [],
            }
        }
    )
    while sent := channel.recv(1 << 16):  # one command at a time, without a line feed
        command = json.loads(sent)
        name, given = command["execute"], command.get("arguments", {})
        with files["medium"].with_name("commands").open("a") as log:
            log.write(f"{name} {json.dumps(given)}\n")
        result: object = {}
        if name == "cont":
            for said in medium.get("serial", []):
                print(said, flush=True)
        elif name == "screendump":
            Path(given["filename"]).write_text(medium.get("screen", ""))
        elif name == "human-monitor-command":
            result = medium.get("registers", "RIP=000000007e5d3b2a")
        if name == medium.get("ends_on"):
            return 1
        say({"return": result, "id": command.get("id")})
        if name == medium.get("resets_on"):
            stamp = {"seconds": 0, "microseconds": 0}
            say({"event": "RESET", "data": {"guest": True, "reason": "guest-reset"}, "timestamp": stamp})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
