"""SplitMix64 streams keyed by (seed, epoch, user, k): the twin of rust/core/src/seed.rs."""

from __future__ import annotations

ORDER, WINDOW, MASK, NEGATIVE, BOOTSTRAP, PREFIX = 1, 2, 3, 4, 5, 6

_GOLDEN = 0x9E3779B97F4A7C15
_U64 = 2**64 - 1


def _mix(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _U64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _U64
    return z ^ (z >> 31)


class Stream:
    """The stream of one row, for one purpose."""

    def __init__(self, seed: int, epoch: int, user: int, k: int, purpose: int) -> None:
        state = _mix(seed ^ _GOLDEN)
        for word in (epoch, user, k, purpose):
            state = _mix(((state + _GOLDEN) & _U64) ^ _mix((word + _GOLDEN) & _U64))
        self.state = state

    def next_u64(self) -> int:
        """The next 64 bits."""
        self.state = (self.state + _GOLDEN) & _U64
        return _mix(self.state)

    def below(self, n: int) -> int:
        """A number in 0..n."""
        return self.below_with_rest(n)[0]

    def below_with_rest(self, n: int) -> tuple[int, int]:
        """A number in 0..n, and 64 bits that lie evenly within it."""
        return divmod(self.next_u64() * n, 2**64)

    def unit(self) -> float:
        """A number in [0, 1) with 53 random bits."""
        return (self.next_u64() >> 11) * 2.0**-53
