import http.client
import socket
from pathlib import Path

from pipeline.vm import file_server


def ask(port: int, method: str, name: str) -> tuple[int, str | None, str | None, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, f"/{name}")
        answer = connection.getresponse()
        return (
            answer.status,
            answer.getheader("Content-Type"),
            answer.getheader("Content-Length"),
            answer.read(),
        )
    finally:
        connection.close()


def test_it_offers_files_by_their_names_and_says_what_was_asked_for(tmp_path: Path) -> None:
    for name in ("Toy.efi", "toy.iso", "vmlinuz", "hidden"):
        (tmp_path / name).write_text(name)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    files = {"other.efi": tmp_path / "Toy.efi"} | {name: tmp_path / name for name in ("toy.iso", "vmlinuz")}
    with file_server.offering(files, port) as asked:
        assert ask(port, "HEAD", "other.efi") == (200, "application/efi", "7", b"")
        assert ask(port, "GET", "other.efi") == (200, "application/efi", "7", b"Toy.efi")
        assert ask(port, "GET", "toy.iso") == (200, "application/vnd.efi-iso", "7", b"toy.iso")
        assert ask(port, "GET", "vmlinuz") == (200, "application/octet-stream", "7", b"vmlinuz")
        assert ask(port, "GET", "hidden")[0] == 404
    assert asked == ["HEAD other.efi", "GET other.efi", "GET toy.iso", "GET vmlinuz", "GET hidden"]
