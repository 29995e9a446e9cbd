"""Strangers that crowd the ports of a run; on loopback only, bounded in count and time.

`python -m tests.helpers.floods SECONDS HOST:PORT ...` is what the tests start.
"""

from __future__ import annotations

import contextlib
import itertools
import select
import socket
import struct
import sys
import time
from collections import deque

from se_hpo.bohb.run import allow_many_files

MOST_OPEN = 600
"""Connections held open to each address."""
PER_SECOND = 700
"""New connections, all addresses together."""
BURST = 250
"""Silent connections to each address at the very beginning."""
DRIP_SECONDS = 2.0
"""Each gets another byte so often, lest it time out."""


def header(size: int) -> bytes:
    """The header of a greeting in Pyro's format that says it is this long."""
    check = (1 + 48 + size + 1 + 0 + 0 + 0 + 0x34E9) & 0xFFFF
    return struct.pack("!4sHHHHiHHHH", b"PYRO", 48, 1, 0, 0, size, 1, 0, 0, check)


LARGE = header(15 * 2**20)
GREETINGS = (
    *(3 * [b""]),  # half-open: connected, and silent
    *(2 * [b"P"]),  # the same, one byte further
    b"\0" * 100,
    b"PYRO" + b"\xff" * 60,
    b"GET / HTTP/1.0\r\n\r\n",
    LARGE,
    LARGE + b"x" * 20_000,
    bytes(range(256)) * 8,
)


def flood(seconds: float, addresses: list[tuple[str, int]]) -> int:
    """Connect, say something silly, keep the connection; returns their number."""
    assert all(host.startswith("127.") for host, _ in addresses)
    open_ones: deque[socket.socket] = deque()
    for address in addresses * BURST:
        with contextlib.suppress(OSError):
            open_ones.append(socket.create_connection(address, 1))
    began = drip = time.monotonic()
    for n, (address, text) in enumerate(
        zip(itertools.cycle(addresses), _texts(len(addresses)), strict=False)
    ):
        if time.monotonic() - began > seconds:
            break
        with contextlib.suppress(OSError):
            sock = socket.create_connection(address, 1)
            open_ones.append(sock)
            sock.sendall(text)
        while len(open_ones) > MOST_OPEN * len(addresses):
            open_ones.popleft().close()
        if time.monotonic() - drip > DRIP_SECONDS:
            drip = time.monotonic()
            _drip(open_ones)
        time.sleep(max(0.0, began + n / PER_SECOND - time.monotonic()))
    for sock in open_ones:
        sock.close()
    return n


def _texts(each: int) -> itertools.chain[bytes]:
    """Every greeting for every address, again and again."""
    rounds = (itertools.repeat(text, each) for text in itertools.cycle(GREETINGS))
    return itertools.chain.from_iterable(rounds)


def _drip(open_ones: deque[socket.socket]) -> None:
    """A byte more for those that have not been hung up on, lest they time out."""
    poll = select.poll()
    by_file = {sock.fileno(): sock for sock in open_ones}
    for file in by_file:
        poll.register(file, select.POLLOUT)
    for file, _ in poll.poll(0):
        with contextlib.suppress(OSError):
            by_file[file].send(b"\0")


def main() -> None:
    """Flood what the command line names."""
    allow_many_files()
    seconds, *names = sys.argv[1:]
    parts = [name.rpartition(":") for name in names]
    n = flood(float(seconds), [(host, int(port)) for host, _, port in parts])
    sys.stdout.write(f"{n} connections\n")


if __name__ == "__main__":
    main()
