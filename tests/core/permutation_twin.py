"""The judge of `bits`, `feistel` and `permute`: the same rules on Python integers, one by one."""

from __future__ import annotations

MASK64 = (1 << 64) - 1
GAMMA = 0x9E3779B97F4A7C15


def splitmix64(seed: int, index: int) -> int:
    """Output number `index` of SplitMix64, as in Vigna's splitmix64.c."""
    z = (seed + (index + 1) * GAMMA) & MASK64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK64
    return z ^ (z >> 31)


def sorted_order(n: int, key: int) -> list[int]:
    """Slots sorted by (hash without its low bits, slot xor mask); 32-bit hashes up to n = 4096."""
    drop = 32 if n <= 4096 else 0
    bits = (n - 1).bit_length()
    flip = (splitmix64(key, n) >> drop) & ((1 << bits) - 1)
    return sorted(range(n), key=lambda i: (splitmix64(key, i) >> drop >> bits, i ^ flip))


class Network:
    """The Feistel network on range(n) under a key, forward and back."""

    def __init__(self, n: int, key: int, rounds: int = 8) -> None:
        self.n, self.width = n, 32 if n <= 1 << 32 else 64
        self.bits = (n - 1).bit_length() // 2
        self.rows = -(-n // (1 << self.bits))
        words = [splitmix64(key, i) >> (64 - self.width) for i in range(3 * rounds)]
        self.keys = [(words[i], words[i + 1] | 1, words[i + 2] | 1) for i in range(0, len(words), 3)]

    def forward(self, position: int) -> int:
        value = self._through(position)
        while value >= self.n:
            value = self._through(value)
        return value

    def back(self, value: int) -> int:
        position = self._undo(value)
        while position >= self.n:
            position = self._undo(position)
        return position

    def _hash(self, half: int, round_: int) -> int:
        offset, first, second = self.keys[round_]
        mask = (1 << self.width) - 1
        mixed = (half * first + offset) & mask
        return ((mixed ^ (mixed >> (self.width // 2))) * second) & mask

    def _shift(self, low: int, round_: int) -> int:
        return (self._hash(low, round_) * self.rows) >> self.width

    def _flip(self, high: int, round_: int) -> int:
        return self._hash(high, round_) >> (self.width - self.bits)

    def _through(self, position: int) -> int:
        high, low = divmod(position, 1 << self.bits)
        for i in range(len(self.keys)):
            if i % 2:
                low ^= self._flip(high, i)
            else:
                high = (high + self._shift(low, i)) % self.rows
        return (high << self.bits) + low

    def _undo(self, value: int) -> int:
        high, low = divmod(value, 1 << self.bits)
        for i in reversed(range(len(self.keys))):
            if i % 2:
                low ^= self._flip(high, i)
            else:
                high = (high - self._shift(low, i)) % self.rows
        return (high << self.bits) + low
