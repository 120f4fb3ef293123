"""The names of a table's categories, column by column, and the codes they have."""

import numpy as np

from skdnn._categories import (
    MISSING,
    UNKNOWN,
    codes_and_names,
    index_of,
    look_up,
    warn_of,
    warn_of_odd,
)

#: Rows in which not one category is known before that is worth a warning; in fewer, it
#: may be chance.
UNKNOWN_ROWS = 10


class Vocabulary:
    """The names of a table's categories, column by column, and the codes they have.

    It stays as it is: copies of an encoder share it, and threads look names up in it.

    Parameters
    ----------
    names : list of list of str
        Of the categories of each column.
    codes : list of list of int, default=None
        Of these names; None is their positions, as there are no others.
    """

    def __init__(self, names, codes=None):
        self.names = names
        self._codes = codes
        self._indexes = None

    @classmethod
    def learned(cls, table, columns, out):
        """Return that of some columns of a table, and write their codes to `out`."""
        names = []
        for k, j in enumerate(columns):
            out[:, k], of_column = codes_and_names(table.values(j))
            names.append(of_column)
        return cls(names)

    @classmethod
    def of_levels(cls, categories, levels):
        """Return that of the categories that have a place in the result.

        Parameters are attributes of a `TabularEncoder`.
        """
        return cls(categories, [own[own >= 0].tolist() for own in levels])

    @property
    def names_of_codes(self):
        """The names of each column by code, None where some codes have no name."""
        return self.names if self._codes is None else None

    def write_codes(self, table, columns, out):
        """Write the codes of the same columns of another table to `out`."""
        indexes = self._find_by_name()
        for k, j in enumerate(columns):
            out[:, k] = look_up(table.values(j), indexes[k])

    def _find_by_name(self):
        """Return the codes of each column by name.

        They are put so when they are first needed. Threads that do it at the same time
        make the same.
        """
        if self._indexes is None:
            codes = self._codes
            if codes is None:
                codes = [range(len(of_column)) for of_column in self.names]
            self._indexes = list(map(index_of, self.names, codes))
        return self._indexes


def warn_of_odd_text(table, columns, names, codes):
    """Warn of columns of text that were not meant as categories, it seems."""
    of_columns = zip(columns, names, codes.T, strict=True)
    warn_of_odd(
        (table.title(j), of_column, (column != MISSING).sum())
        for j, of_column, column in of_columns
        if not table.is_declared(j)
    )


def warn_of_unknown(table, columns, codes, known_shares):
    """Warn of columns in which training knows not one category.

    `known_shares` are the shares of rows whose categories it should know.
    """
    if len(codes) < UNKNOWN_ROWS:
        return
    n_unknown = np.count_nonzero(codes == UNKNOWN, axis=0)
    is_all = n_unknown == np.count_nonzero(codes != MISSING, axis=0)
    is_no_chance = n_unknown * np.array(known_shares) >= UNKNOWN_ROWS
    warn_of(
        "Training knows not one of the categories that these columns hold now",
        [table.title(j) for j in columns[is_all & is_no_chance]],
        "Are they written in another way?",
    )
