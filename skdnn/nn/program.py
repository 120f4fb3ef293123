"""A program for the compiled engine: operations, and the memory that they work on."""

from math import prod

import numpy as np

from skdnn.nn.compiled import kernel_numbers

__all__ = ["Program", "address"]

#: An operation, laid out like that of ``kernels/program.h``.
OPERATION = np.dtype(
    [("kernel", "i8"), ("size", "i8", 8), ("scalar", "f8", 8), ("pointer", "u8", 12)]
)

#: Bytes that buffers are aligned to: a line of the cache, a register of AVX-512.
ALIGNMENT = 64


class Program:
    """Operations, and the memory that they work on.

    Parameters
    ----------
    dtype : numpy dtype
    n_rows : int
        How many go through at a time, at most.
    part, n_parts : int, default=0, 1
        Which part of the rows of each batch goes through, of how many.
    common : dict, default=None
        Memory that the programs of all parts have in common, by its name.

    Attributes
    ----------
    operations : ndarray of OPERATION
    bytes : ndarray of uint8
        The same.
    n_updates : int
        How many of the last are run once a batch, not once a slab of its rows.
    """

    def __init__(self, dtype, n_rows, part=0, n_parts=1, common=None):
        self.dtype = np.dtype(dtype)
        self.is_float32 = self.dtype == np.float32
        self.n_rows = n_rows
        self.part = part
        self.n_parts = n_parts
        self._common = {} if common is None else common
        self.n_updates = 0
        self._operations = []
        # Operations hold addresses, which do not keep arrays alive.
        self._kept = []

    def add(self, kernel, pointers, sizes=(), scalars=()):
        """Append an operation."""
        self._kept.append(pointers)
        self._operations.append((kernel, pointers, sizes, scalars))

    def buffer(self, *shape, dtype=None):
        """Return memory for an array, aligned, its entries zero."""
        dtype = np.dtype(dtype or self.dtype)
        size = prod(shape) * dtype.itemsize
        memory = np.zeros(size + ALIGNMENT, np.uint8)
        start = -memory.ctypes.data % ALIGNMENT
        return memory[start : start + size].view(dtype).reshape(shape)

    def of_parts(self, name, width):
        """Return memory (n_parts, width) that all parts see, each with its own row."""
        if name not in self._common:
            self._common[name] = self.buffer(self.n_parts, width)
        return self._common[name]

    def meet(self):
        """Wait for the other parts, if there are any."""
        if self.n_parts > 1:
            self.add("meet", ())

    def rows(self, width):
        """Return memory for what a layer returns for the rows of a pass."""
        return self.buffer(self.n_rows, width)

    def __len__(self):
        return len(self._operations)

    def finish(self):
        """Write the operations down; no more can be added."""
        numbers = kernel_numbers()
        self.operations = np.zeros(len(self._operations), OPERATION)
        for row, (kernel, pointers, sizes, scalars) in zip(
            self.operations, self._operations, strict=True
        ):
            row["kernel"] = numbers[kernel]
            row["size"][: len(sizes)] = sizes
            row["scalar"][: len(scalars)] = scalars
            row["pointer"][: len(pointers)] = list(map(address, pointers))
        self.bytes = self.operations.view(np.uint8)
        return self


def address(array):
    """Return where the entries of an array are; 0 for None."""
    return 0 if array is None else array.__array_interface__["data"][0]
