"""What is known of some rows of a table, to which what is known of others can be added.

Encoder and targets learn from it, whether a table comes as a whole or in parts, and
whatever the parts are: what all rows are needed for, such as ranges, counts and
moments, is added up, and what is a matter of quantiles is seen in a sample of rows.

The rows of a sample are those with the smallest hashes (Cohen and Kaplan, 2007): which
they are depends on the rows alone, so that those of a union of parts are among those of
the parts. As many rows as a sample has are a sample as they are.
"""

from functools import reduce
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from skdnn._categories import RARE, in_order, name_of
from skdnn._distributions import holes_and_range, moments
from skdnn._rows import Rows, chunks, dense, hashes_of_rows
from skdnn._scalings import units

#: Rows looked at to estimate quantiles; their error is well under a percent. Sums are
#: taken over as many, one such block after the other, whatever parts a table comes in.
SAMPLED_ROWS = 100_000


class Moments(NamedTuple):
    """Weight, mean and variance of columns, in units that keep them from overflowing.

    Attributes
    ----------
    total, mean, variance, unit : ndarray of shape (n_columns,)
        The mean is ``mean * unit``; units are powers of two.
    """

    total: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    unit: np.ndarray

    @classmethod
    def of(cls, y, weight):
        """Return those of the columns of an array without holes."""
        n_columns = y.shape[1]
        # Nothing is rounded by it, and no sum or square overflows.
        unit = np.exp2(np.frexp(np.abs(y).max(axis=0, initial=0))[1] - 1.0)
        if not len(y):
            return cls(*np.zeros((3, n_columns)), unit)
        y = y / unit
        mean = np.average(y, axis=0, weights=weight)
        variance = np.average(np.square(y - mean), axis=0, weights=weight)
        total = len(y) if weight is None else weight.sum()
        return cls(np.full(n_columns, float(total)), mean, variance, unit)

    @classmethod
    def of_targets(cls, targets, rows):
        """Return those of some rows of targets (n,) or (n, n_targets)."""
        return cls.of(np.atleast_2d(targets[rows.index].T).T, rows.weight)

    def of_sample(self, sample):
        """Return those of a sample of the same targets."""
        return self.of_targets(sample.targets, sample.rows)

    @classmethod
    def merged(cls, parts):
        """Return those of all rows of several parts (Chan et al., 1983)."""
        return reduce(cls._plus, parts)

    def _plus(self, other):
        unit = np.maximum(self._unit_of_some(), other._unit_of_some())
        unit = np.where(unit > 0, unit, self.unit)
        (one, of_one), (two, of_two) = self._spread(unit), other._spread(unit)
        total = self.total + other.total
        share = other.total / np.where(total > 0, total, 1)
        step = two - one
        between = np.square(step) * share * (1 - share)
        variance = of_one * (1 - share) + of_two * share + between
        return Moments(total, one + step * share, variance, unit)

    def _unit_of_some(self):
        """Return the units, zero where there is no number to have one."""
        return np.where(self.total > 0, self.unit, 0)

    def _spread(self, unit):
        """Return mean and variance in other units, which are no smaller."""
        factor = self._unit_of_some() / unit
        return self.mean * factor, self.variance * np.square(factor)


class ClassStatistics(NamedTuple):
    """What there is to learn from some rows of a target of classes.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
    absent_present : ndarray of shape (2,), or None
        What a label is, where there are several labels a row.
    counts : ndarray of shape (1, n_classes) or (n_labels, 2)
        How much the rows of each class weigh, or with and without each label.
    """

    classes: np.ndarray
    absent_present: np.ndarray | None
    counts: np.ndarray

    @classmethod
    def of(cls, targets, rows, classes, absent_present):
        """Return those of some rows of targets."""
        n_classes = len(classes) if absent_present is None else 2
        columns = np.atleast_2d(targets[rows.index].T)
        counts = [np.bincount(c, rows.weight, minlength=n_classes) for c in columns]
        return cls(classes, absent_present, np.array(counts))

    @classmethod
    def merged(cls, parts):
        """Return those of the rows of several parts."""
        first = parts[0]
        if len(parts) == 1:
            return first
        if first.absent_present is not None:
            return first._replace(counts=sum(part.counts for part in parts))
        classes = np.unique(np.concatenate([part.classes for part in parts]))
        counts = np.zeros((1, len(classes)))
        for part in parts:
            counts[:, np.searchsorted(classes, part.classes)] += part.counts
        return cls(classes, None, counts)

    def of_sample(self, sample):
        """Return those of a sample of the same targets."""
        classes = self.classes if sample.classes is None else sample.classes
        return self.of(sample.targets, sample.rows, classes, self.absent_present)


class Categories(NamedTuple):
    """How often each category of a column comes.

    Attributes
    ----------
    names : list of str
        In the order of their codes.
    n_rows : ndarray of int
        Of each code, from `RARE` on.
    weight : ndarray or None
        Likewise, where rows have weights.
    """

    names: list
    n_rows: np.ndarray
    weight: np.ndarray | None

    @classmethod
    def of(cls, codes, weight, names):
        """Return those of some rows, by their codes."""
        place, n_places = codes.astype(np.intp) - RARE, len(names) - RARE
        n_rows = np.bincount(place, minlength=n_places)
        if weight is not None:
            weight = np.bincount(place, weight, n_places)
        return cls(names, n_rows, weight)

    @property
    def count(self):
        """How much each code weighs."""
        return self.n_rows if self.weight is None else self.weight

    def share_known(self, codes):
        """Return in what share of new rows one of these codes will stand, it seems.

        It leaves out categories that came once: of these, the next rows have others
        (Good, 1953).
        """
        n_rows = self.n_rows[-RARE:]
        again = n_rows[codes][n_rows[codes] > 1].sum()
        return float(again / max(1, n_rows.sum()))

    @classmethod
    def merged(cls, parts):
        """Return those of several parts."""
        names = union([part.names for part in parts])
        n_rows, weight = np.zeros((2, len(names) - RARE))
        for part in parts:
            place = places(part.names, names) - RARE
            np.add.at(n_rows, place, part.n_rows)
            np.add.at(weight, place, part.count)
        is_weighted = any(part.weight is not None for part in parts)
        return cls(names, n_rows.astype(np.intp), weight if is_weighted else None)


class TableStatistics(NamedTuple):
    """What an encoder learns of some rows, besides a sample of them.

    Attributes
    ----------
    n_rows : int
    total_weight : float, or None where all count one
    has_holes : ndarray of bool of shape (n_numbers,)
    low, high : ndarray of shape (n_numbers,)
        The lowest of no number is infinite, and the highest minus that.
    moments : Moments or None
        Of the numbers, where the encoder needs them.
    categories : list of Categories
        Of the columns of codes.
    """

    n_rows: int
    total_weight: float | None
    has_holes: np.ndarray
    low: np.ndarray
    high: np.ndarray
    moments: Moments | None
    categories: list

    @classmethod
    def of(cls, X, rows, names, with_moments):
        """Return those of some rows of an array, numbers first.

        Parameters
        ----------
        X : ndarray or CSR array of shape (n_samples, n_features)
        rows : Rows
        names : list of list of str
            Those of the codes of each of the last columns.
        with_moments : bool
        """
        index, weight = rows.index, rows.weight
        n_numbers = X.shape[1] - len(names)
        has_holes, low, high = holes_and_range(X, n_numbers, index)
        of_numbers = None
        if with_moments:
            unit = units(low, high)
            columns = np.arange(n_numbers)
            total, mean, variance = moments(X, columns, index, weight, unit)
            total[low > high] = 0
            of_numbers = Moments(total, mean, variance, 1 / unit)
        categories = [
            Categories.of(X[index, n_numbers + k], weight, names[k])
            for k in range(len(names))
        ]
        total = None if weight is None else weight.sum()
        n_rows = len(index)
        return cls(n_rows, total, has_holes, low, high, of_numbers, categories)

    @classmethod
    def merged(cls, parts):
        """Return those of the rows of several parts."""
        if len(parts) == 1:
            return parts[0]
        is_weighted = any(part.total_weight is not None for part in parts)
        of_columns = zip(*(part.categories for part in parts), strict=True)
        of_numbers = None
        if parts[0].moments is not None:
            of_numbers = Moments.merged([part.moments for part in parts])
        return cls(
            sum(part.n_rows for part in parts),
            sum(p.mean_weight * p.n_rows for p in parts) if is_weighted else None,
            np.any([part.has_holes for part in parts], axis=0),
            np.min([part.low for part in parts], axis=0),
            np.max([part.high for part in parts], axis=0),
            of_numbers,
            list(map(Categories.merged, of_columns)),
        )

    def of_sample(self, sample):
        """Return those of a sample of the same table."""
        with_moments = self.moments is not None
        return self.of(sample.X, sample.rows, sample.names, with_moments)

    @property
    def mean_weight(self):
        """Of the rows, one where there are no weights."""
        if self.total_weight is None:
            return 1.0
        return self.total_weight / max(1, self.n_rows)


class Sample(NamedTuple):
    """A sample of the rows of a table: as good as all for quantiles.

    Attributes
    ----------
    X : ndarray or CSR array of shape (n, n_features)
        Numbers, then codes of categories.
    targets : ndarray of shape (n,) or (n, n_outputs)
    rows : Rows
        Those that the sample is of.
    names : list of list of str, or None
        What the codes of each of the last columns stand for, where that may change.
    classes : ndarray or None
        What the targets stand for, where these are indices.
    hashes : ndarray of shape (n_rows,), default=None
        Of the rows; None where there was no need of them.
    """

    X: np.ndarray
    targets: np.ndarray
    rows: Rows
    names: list | None
    classes: np.ndarray | None
    hashes: np.ndarray | None = None

    def cut(self):
        """Return the sample without the rows that are too many.

        Where there are such, equal rows are one, and it is a sample for all members.
        """
        if len(self.rows.index) <= SAMPLED_ROWS:
            return self
        hashes = self.row_hashes() if self.hashes is None else self.hashes
        index, weight = self.rows.index, self.rows.weight
        # By weight too, as the rounding of a sum depends on its order.
        order = np.lexsort((hashes,) if weight is None else (weight, hashes))
        hashes = hashes[order]
        starts = np.flatnonzero(np.append(True, hashes[1:] != hashes[:-1]))
        n_kept = len(order) if len(starts) <= SAMPLED_ROWS else starts[SAMPLED_ROWS]
        starts, order = starts[:SAMPLED_ROWS], order[:n_kept]
        # Equal rows are one, with the weight of all.
        if weight is not None or len(starts) < n_kept:
            weight = np.add.reduceat(self._weights()[order], starts)
            # Which parts it has come from, in which rows were equal, has no say.
            weight = None if (weight == 1).all() else weight
        rows = Rows(index[order[starts]], weight)
        return self._replace(rows=rows, hashes=hashes[starts])

    def packed(self):
        """Return the sample with an array of its own, to be sent or merged."""
        sample = self.cut().whole()
        if sample.hashes is None:
            sample = sample._replace(hashes=sample.row_hashes())
        return sample

    def whole(self):
        """Return all rows, too many or not, as an array that has no others."""
        index = self.rows.index
        if len(index) == self.X.shape[0] and (index == np.arange(len(index))).all():
            return self
        return self._replace(
            X=self.X[index],
            targets=self.targets[index],
            rows=self.rows._replace(index=np.arange(len(index))),
        )

    def take(self, positions):
        """Return some of the rows, by their position among these."""
        hashes = None if self.hashes is None else self.hashes[positions]
        return self._replace(rows=self.rows.take(positions), hashes=hashes).whole()

    @classmethod
    def merged(cls, parts):
        """Return the sample of the union of parts of a table, all packed."""
        last = min(part._last_hash() for part in parts)
        return cls.joined([part._up_to(last) for part in parts]).packed()

    def _last_hash(self):
        """Return the hash up to which rows of a union may be among its sample."""
        hashes = self.hashes
        is_full = len(hashes) == SAMPLED_ROWS and (hashes[1:] > hashes[:-1]).all()
        return hashes[-1] if is_full else np.iinfo(hashes.dtype).max

    def _up_to(self, last):
        """Return the rows with hashes that are no larger."""
        fits = self.hashes <= last
        return self if fits.all() else self.take(np.flatnonzero(fits))

    @classmethod
    def joined(cls, parts):
        """Return the rows of parts one below the other, with codes for all names."""
        if len(parts) == 1:
            return parts[0].whole()
        names, classes = parts[0].names, parts[0].classes
        if names is not None:
            names = list(map(union, zip(*(p.names for p in parts), strict=True)))
        if classes is not None:
            classes = np.unique(np.concatenate([part.classes for part in parts]))
        parts = [part.whole().recoded(names, classes) for part in parts]
        X = np.concatenate([part.X for part in parts])
        targets = np.concatenate([part.targets for part in parts])
        weight = trained_by = hashes = None
        if any(part.rows.weight is not None for part in parts):
            weight = np.concatenate([part._weights() for part in parts])
        if all(part.rows.trained_by is not None for part in parts):
            trained_by = np.concatenate([part.rows.trained_by for part in parts])
        if all(part.hashes is not None for part in parts):
            hashes = np.concatenate([part.hashes for part in parts])
        rows = Rows(np.arange(len(X)), weight, trained_by)
        return cls(X, targets, rows, names, classes, hashes)

    def recoded(self, names, classes):
        """Return the rows with the codes that others have."""
        X, targets = self._recoded(names), self._reclassed(classes)
        return self._replace(X=X, targets=targets, names=names, classes=classes)

    def _weights(self):
        weight = self.rows.weight
        return np.ones(len(self.rows.index)) if weight is None else weight

    def _recoded(self, names):
        """Return X with the codes that others have for the categories."""
        X = self.X
        for k, union_names in enumerate(names or ()):
            own = self.names[k]
            if own != union_names:
                X = X.copy() if X is self.X else X
                column = X[:, k - len(names)]
                column[...] = places(own, union_names)[column.astype(np.intp) - RARE]
        return X

    def _reclassed(self, classes):
        """Return the targets as indices among other classes."""
        if classes is None:
            return self.targets
        return np.searchsorted(classes, self.classes)[self.targets]

    def row_hashes(self):
        """Return hashes of the rows that do not depend on the codes of categories."""
        index, n_codes = self.rows.index, len(self.names or ())
        numbers = [_numbers_of(names) for names in self.names or ()]
        of_classes = None
        if self.classes is not None:
            of_classes = _numbers_of(map(name_of, self.classes.tolist()))
        hashes = np.empty(len(index), dtype=np.uint64)
        for chunk in chunks(len(index), self.X.shape[1]):
            rows = index[chunk]
            X, targets = dense(self.X, rows).astype(np.float64), self.targets[rows]
            for k, of_codes in enumerate(numbers):
                column = X[:, k - n_codes]
                column[...] = of_codes[column.astype(np.intp)]
            # A hole has many bits that it may be of.
            X[np.isnan(X)] = np.nan
            targets = targets if of_classes is None else of_classes[targets]
            hashes[chunk] = hashes_of_rows(X, targets)
        return hashes


def blocks(rows):
    """Return rows as blocks of as many as a sample has, but for the last."""
    n_rows = len(rows.index)
    if n_rows <= SAMPLED_ROWS:
        return [rows]
    return [
        rows.take(slice(start, start + SAMPLED_ROWS))
        for start in range(0, n_rows, SAMPLED_ROWS)
    ]


def sum_of_blocks(weight):
    """Return the sum over rows, block by block, of an array of weights."""
    starts = range(0, max(1, len(weight)), SAMPLED_ROWS)
    return sum(weight[start : start + SAMPLED_ROWS].sum(axis=0) for start in starts)


def sum_of_weights(rows):
    """Return that of rows, or None where all count one."""
    return None if rows.weight is None else float(sum_of_blocks(rows.weight))


def union(parts):
    """Return all names that are in some lists, in the order of codes."""
    first, *others = parts
    if all(other == first for other in others):
        return first
    return in_order(set().union(*parts))


def places(own, names):
    """Return the codes among other names of own codes, from `RARE` on."""
    index = {name: code for code, name in enumerate(names)}
    return np.append(np.arange(RARE, 0), [index[name] for name in own]).astype(np.intp)


def _numbers_of(names):
    """Return a number for each name, whatever others there are, and one for holes."""
    digests = (blake2b(n.encode(errors="surrogatepass"), digest_size=6) for n in names)
    numbers = [float(int.from_bytes(digest.digest())) for digest in digests]
    # What is missing has a code of less than zero.
    return np.array([*numbers, -1.0, -1.0, -1.0])
