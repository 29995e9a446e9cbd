"""The native engine's generator (csrc/random.hpp) with NumPy's methods."""

from __future__ import annotations

_MASK = 2**64 - 1
EXPLORATION = 2
"""A role of csrc/random.hpp."""


def _rotate(x: int, k: int) -> int:
    return ((x << k) | (x >> (64 - k))) & _MASK


class EngineRandom:
    """xoshiro256++ (Blackman & Vigna, 2021), seeded by SplitMix64."""

    def __init__(self, seed: int, role: int) -> None:
        mix, self.state = seed ^ (role * 0xD1342543DE82EF95 & _MASK), []
        for _ in range(4):
            mix = (mix + 0x9E3779B97F4A7C15) & _MASK
            z = (mix ^ (mix >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB & _MASK
            self.state.append(z ^ (z >> 31))

    def next(self) -> int:
        s = self.state
        result = (_rotate((s[0] + s[3]) & _MASK, 23) + s[0]) & _MASK
        t = (s[1] << 17) & _MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = _rotate(s[3], 45)
        return result

    def random(self) -> float:
        """In [0, 1)."""
        return (self.next() >> 11) * 2.0**-53

    def integers(self, n: int) -> int:
        """In [0, n)."""
        return ((self.next() >> 32) * n) >> 32
