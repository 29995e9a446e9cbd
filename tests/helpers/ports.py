"""Where a process listens, as the kernel has it."""

from __future__ import annotations

import socket
from pathlib import Path

_LISTENING = "0A"


def listening(pid: int) -> list[str]:
    """`host:port` of every TCP port that a process listens on; 0.0.0.0 is all."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.add(str(link.readlink()))
        except OSError:  # closed meanwhile
            continue
    found = []
    for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING and f"socket:[{fields[9]}]" in inodes:
                host, port = fields[1].split(":")
                raw = bytes.fromhex(host)
                words = [raw[i : i + 4][::-1] for i in range(0, len(raw), 4)]
                where = socket.inet_ntop(family, b"".join(words))
                found.append(f"{where}:{int(port, 16)}")
    return sorted(found)


def hosts(pid: int) -> set[str]:
    """The addresses alone."""
    return {where.rpartition(":")[0] for where in listening(pid)}
