import asyncio
import socket

import pytest

from pipeline.vm import time_server

QUESTION = bytes([0x23]) + bytes(39) + b"when was"
YEAR_2040 = 2_208_990_000


def test_the_answer_is_that_of_the_specification() -> None:
    answer = time_server.answer(QUESTION, 0)
    assert answer is not None
    assert len(answer) == 48
    assert answer[:2] == b"\x24\x01"
    assert answer[24:32] == b"when was"
    assert answer[32:40] == answer[40:48] == (2_208_988_800).to_bytes(4, "big") + b"\0\0\0\1"


def test_after_2036_the_seconds_begin_anew() -> None:
    answer = time_server.answer(QUESTION, YEAR_2040)
    assert answer is not None
    assert int.from_bytes(answer[40:44], "big") == YEAR_2040 + 2_208_988_800 - (1 << 32)


@pytest.mark.parametrize("question", [b"", QUESTION[:47], bytes([0x24]) + QUESTION[1:]])
def test_what_is_no_question_is_not_answered(question: bytes) -> None:
    assert time_server.answer(question, 0) is None


def test_it_answers_over_the_network_and_counts() -> None:
    async def ask() -> tuple[bytes, int]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        async with time_server.serving(YEAR_2040, port) as server:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(20)
                client.connect(("127.0.0.1", port))
                client.send(b"rubbish")
                client.send(QUESTION)
                return await asyncio.to_thread(client.recv, 64), server.asked

    said, asked = asyncio.run(ask())
    assert said == time_server.answer(QUESTION, YEAR_2040)
    assert asked == 1
