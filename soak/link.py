"""A link between two network namespaces: two tun devices, and what passes packets between them, or loses them.

The kernel's own TCP runs on both ends; only its packets are lost, delayed or cut off. Needs root and /dev/net/tun; no
module of the kernel's that shapes traffic.
"""

import asyncio
import ctypes
import fcntl
import os
import random
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TUN: Final = Path("/dev/net/tun")
_TUNSETIFF: Final = 0x400454CA
_IFF_TUN_NO_PI: Final = 0x1001
_CLONE_NEWNET: Final = 0x40000000
_PACKET: Final = 65535


@dataclass(slots=True)
class Impairment:
    """What happens to packets from now on."""

    loss: float = 0.0  # share
    delay: float = 0.0  # seconds, each way; up to as much again by chance, so that packets overtake each other
    answers_lost: bool = False  # the other direction is cut

    @property
    def is_cut(self) -> bool:
        """Whether nothing passes."""
        return self.loss >= 1


class Link:
    """Packets between two devices, `here` and `there`."""

    def __init__(self, here: int, there: int, rng: random.Random) -> None:
        self._here, self._there, self._rng = here, there, rng
        self.impairment = Impairment()
        self.passed = self.lost = 0

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to pass packets."""
        loop.add_reader(self._here, self._pass, loop, self._here, self._there, True)
        loop.add_reader(self._there, self._pass, loop, self._there, self._here, False)

    def detach(self, loop: asyncio.AbstractEventLoop) -> None:
        """End it."""
        loop.remove_reader(self._here)
        loop.remove_reader(self._there)

    def _pass(self, loop: asyncio.AbstractEventLoop, source: int, target: int, is_answer: bool) -> None:
        packet, impairment = os.read(source, _PACKET), self.impairment
        if self._rng.random() < impairment.loss or (is_answer and impairment.answers_lost):
            self.lost += 1
            return
        self.passed += 1
        if impairment.delay:
            loop.call_later(impairment.delay * (1 + self._rng.random()), _deliver, target, packet)
        else:
            _deliver(target, packet)


def _deliver(device: int, packet: bytes) -> None:
    try:
        os.write(device, packet)
    except OSError:  # the device is down, or full: a packet is lost, as packets are
        pass


@contextmanager
def devices(name: str, namespace: str) -> Iterator[tuple[int, int]]:
    """A tun device of this name in this process's own namespace, and one in the other."""
    found: list[int] = []
    other = threading.Thread(target=lambda: found.append(_in_namespace(namespace, name)))
    other.start()  # a thread of its own, for it stays in that namespace
    other.join()
    here = _open(name)
    try:
        yield here, found[0]
    finally:
        os.close(here)
        os.close(found[0])


def _in_namespace(namespace: str, name: str) -> int:
    entered = os.open(f"/var/run/netns/{namespace}", os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(entered, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter the namespace {namespace}")
    finally:
        os.close(entered)
    return _open(name)


def _open(name: str) -> int:
    device = os.open(TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN_NO_PI))
    return device
