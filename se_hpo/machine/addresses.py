"""Which address of this machine others reach: by interface, or by the node's name."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import subprocess

from se_hpo.errors import UserError, did_you_mean

_SIOCGIFADDR = 0x8915  # Linux: address of an interface
LOOPBACK = "127.0.0.1"
ALL_ADDRESSES = ("", "0.0.0.0", "::")
"""Refused: a process listens where it is to be reached, and nowhere else."""


def interfaces() -> dict[str, str]:
    """IPv4 addresses of this machine by interface; Linux only."""
    found = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                reply = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
            except OSError:  # it has none
                continue
            found[name] = socket.inet_ntoa(reply[20:24])
    return found


def nic_address(nic: str) -> str:
    """IPv4 address of an interface.

    Raises:
        UserError: there is no such interface, or it has no address.
    """
    known = interfaces()
    if nic not in known:
        hint = did_you_mean(nic, known)
        raise UserError(
            f"--nic {nic}: no interface of {socket.gethostname()} with an IPv4 address "
            f"has that name; {hint}"
        )
    return known[nic]


def in_slurm_job() -> bool:
    """Whether this process is part of a SLURM job."""
    return "SLURM_JOB_ID" in os.environ


def published_host(host: str | None, nic: str | None, distributed: bool) -> str:
    """The address to listen on and to publish.

    That of the `host` or interface (`nic`) that the user named; else, for a process
    that other machines are to reach (`distributed`) in a SLURM job, the node's own
    name; else loopback.

    Raises:
        UserError: both named, no such interface, all addresses at once, or a node whose
            name only it knows.
    """
    if host is not None and nic is not None:
        raise UserError(f"--host {host} and --nic {nic}: give one of them")
    if nic is not None:
        return nic_address(nic)
    if host in ALL_ADDRESSES:
        raise UserError(f"--host {host!r}: give the one address that others reach")
    if host is not None:
        return host
    return node_host() if distributed and in_slurm_job() else LOOPBACK


def node_host() -> str:
    """This node's own name, or its address if the name leads back to the node itself.

    Debian gives a machine's own name the address 127.0.1.1: other nodes look the name
    up elsewhere and reach a port that nobody listens on.

    Raises:
        UserError: no address that others could reach is known.
    """
    name = socket.gethostname()
    if not _is_loopback(name) or _whole_cluster_is_here():
        return name
    address = _outward_address()
    if address is None:
        raise UserError(
            f"the name of this node, {name}, leads nowhere but to itself: choose the "
            "interface that other nodes reach with --nic"
        )
    return address


def _is_loopback(name: str) -> bool:
    try:
        return socket.gethostbyname(name).startswith("127.")
    except OSError:  # it does not know its own name
        return True


def _whole_cluster_is_here() -> bool:
    """SLURM itself speaks to this node on loopback."""
    node = os.environ.get("SLURMD_NODENAME")
    if node is None or shutil.which("scontrol") is None:
        return False
    command = ["scontrol", "show", "node", "-o", node]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except subprocess.TimeoutExpired:
        return False
    return "NodeAddr=127." in done.stdout


def _outward_address() -> str | None:
    """The address of the interface with the default route; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # set aside for documentation
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if address.startswith("127.") else address
