"""Random bits by counter: those of an entry depend on nothing but where it is.

A generator that hands out its numbers one after the other has to be asked for them in
order.  Here the bits are a hash of the seed, the member, the layer, the pass and the
entry (Salmon et al., 2011, "Parallel random numbers: as easy as 1, 2, 3"), so that they
are the same however a batch is cut, whoever draws them, and in whatever order.
``kernels/noise.h`` draws the same.
"""

from math import prod

import numpy as np

__all__ = ["Noise", "mix", "seed_of_member", "stream_key"]

#: Words drawn at a time: few enough to stay in the cache, and enough for the time to go
#: into them rather than into calls.
BLOCK = 2**15

#: Shifts and factors of the hash, as arrays: NumPy would convert numbers at each call.
HALF, ODD = np.array(16, "<u4"), np.array(15, "<u4")
FIRST, SECOND = np.array(0x7FEB352D, "<u4"), np.array(0x846CA68B, "<u4")


def mix(x):
    """Return a hash of 64 bits: one step of SplitMix64 (Steele et al., 2014)."""
    x = (x + 0x9E3779B97F4A7C15) % 2**64
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
    return x ^ x >> 31


def seed_of_member(seed, member):
    """Return the seed with which a network on its own draws what a member does."""
    x = mix(seed) ^ member
    for shift, factor in (31, 0x94D049BB133111EB), (27, 0xBF58476D1CE4E5B9):
        x = _unshifted(x, shift) * pow(factor, -1, 2**64) % 2**64
    return (_unshifted(x, 30) - 0x9E3779B97F4A7C15) % 2**64


def _unshifted(x, shift):
    """Return the number that is `x` once its own upper bits are added to it."""
    y = x
    for _ in range(64 // shift):
        y = x ^ y >> shift
    return y


def stream_key(seed, member, layer):
    """Return the key of a layer and a member, both by their indices, from 0.

    The stream of a pass is ``mix(key ^ draw)``.
    """
    return mix(mix(mix(seed) ^ member) ^ layer)


class Noise:
    """Sixteen random bits for each entry of a layer's output, in each training pass.

    Two entries share a word of 32 bits.  A word is its number, plus one half of the
    stream, through a bijective hash (of Wellons' "hash prospector") that the other half
    enters midway.

    Parameters
    ----------
    seed : int
        Of 64 bits.
    n_members : int, default=None
        Size of the ensemble; None is a single network, which draws as the first member.

    Attributes
    ----------
    draw : int
        The number of the pass, from 0.
    offset : int
        How many rows of the batch went before those of the slab.
    """

    def __init__(self, seed, n_members=None):
        n_members = n_members or 1
        self.seed = seed
        self.draw = 0
        self.offset = 0
        self._n_members = n_members
        # The order of bytes is stated, so that halves are where they should be.
        self._streams = np.empty(n_members, "<u8")
        halves = self._streams.view("<u4").reshape(n_members, 2, 1)
        self._low, self._high = halves[:, 0], halves[:, 1]
        self._start = np.empty((n_members, 1), "<u4")
        self._numbers = np.arange(max(1, BLOCK // n_members), dtype="<u4")
        self._buffers = np.empty((2, n_members * len(self._numbers)), "<u4")

    def keys(self, layer):
        """Return the key of a layer, by its index, for each member."""
        return [stream_key(self.seed, m, layer) for m in range(self._n_members)]

    def blocks(self, keys, n, width):
        """Yield the bits of `n` rows of a layer, block by block.

        Parameters
        ----------
        keys : list of int
            Those of the layer.
        n, width : int
            Rows of the slab, and entries of each.

        Yields
        ------
        entries : slice
            Which of the ``n * width`` entries of the slab these are.
        bits : ndarray of shape (n_members, n_entries), uint16
            Overwritten by the next block.
        """
        self._streams[:] = [mix(key ^ self.draw) for key in keys]
        first = self.offset * width
        stop = first + n * width
        # A slab may begin, or end, with half of a word.
        last, step = (stop + 1) // 2, len(self._numbers)
        for word in range(first // 2, last, step):
            bits = self._hash(word, min(step, last - word)).view("<u2")
            skipped = max(first - 2 * word, 0)
            bits = bits[:, skipped : stop - 2 * word]
            start = 2 * word + skipped - first
            yield slice(start, start + bits.shape[1]), bits

    def _hash(self, first, n):
        """Return `n` words of each member's stream."""
        shape = self._n_members, n
        # Without gaps, or NumPy takes a slower way.
        words, shifted = self._buffers[:, : prod(shape)].reshape(2, *shape)
        np.add(self._low, first % 2**32, out=self._start)
        np.add(self._numbers[:n], self._start, out=words)
        words ^= np.right_shift(words, HALF, out=shifted)
        words *= FIRST
        words ^= np.right_shift(words, ODD, out=shifted)
        words += self._high
        words *= SECOND
        words ^= np.right_shift(words, HALF, out=shifted)
        return words
