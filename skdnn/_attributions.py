"""Integrated gradients: an integral along the way from a baseline to a row.

It is taken where the embeddings end.  There, numbers move along what they become, which
need not be straight, so that it is the integral over the numbers themselves; vectors of
categories, between which there is nothing, move in a straight line.
"""

from math import sqrt
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from skdnn._rows import chunks
from skdnn.nn.inputs import embed, input_gradient, sources

#: Chords that the way to a row is cut into, and how often one may be halved, until
#: attributions add up.
FIRST_CHORDS, MOST_HALVINGS = 16, 12

#: Where on a chord the slope is taken (Gauss and Legendre's rule of two points).
GAUSS = 0.5 - 0.5 / sqrt(3), 0.5 + 0.5 / sqrt(3)

#: By how much the attributions of a row may miss their sum, as a share of the range of
#: its numbers on the way, and as one of these numbers themselves, which are rounded.
TOLERANCE, ROUNDING = 1e-4, 1e-10

#: A chord that misses no more than this share of that is not halved.
SMALL_GAP = 1 / 256

#: Chords that pass through the network at a time.
CHORDS = 512


class Ends(NamedTuple):
    """Where ways begin or end: rows as the network reads them, and embedded."""

    encoded: np.ndarray
    embedded: np.ndarray


class Paths:
    """Ways from a baseline to rows, along which changes of one number are attributed.

    Parameters
    ----------
    model : Model
    position : int
        Of that number among all that are predicted of a row.
    """

    def __init__(self, model, position):
        self._model = model
        self._position = position
        encoder = model.encoder
        n_encoded, n_codes = encoder.n_features_out_, len(encoder.cardinalities_)
        self._codes = np.arange(n_encoded - n_codes, n_encoded)
        self._sources = sources(model.network)
        self._is_of_code = np.isin(self._sources, self._codes)
        # Adds up what the columns of the table have become.
        n_embedded = len(self._sources)
        columns = encoder.source_columns_[self._sources]
        entries = np.ones(n_embedded), (np.arange(n_embedded), columns)
        self._sum_columns = csr_array(entries, (n_embedded, encoder.n_features_in_))

    def encode(self, X):
        """Return checked rows as the network reads them, in float64."""
        rows = np.arange(X.shape[0])
        return self._model.encoder.encode_rows(X, rows).astype(np.float64)

    def end(self, encoded):
        return Ends(encoded, embed(self._model.network, encoded))

    def middle(self):
        """Return the middle of each column: of its numbers, or of its categories."""
        encoder = self._model.encoder
        encoded = np.zeros((1, encoder.n_features_out_))
        start = encoder.n_numeric_out_ + len(encoder.missing_columns_)
        for k, levels in enumerate(encoder.levels_):
            if k not in encoder.coded_columns_:
                encoded[:, start : start + len(levels)] = 1 / max(1, len(levels))
                start += len(levels)
        middle = self.end(encoded)
        for code, n_codes in zip(self._codes, encoder.cardinalities_, strict=True):
            # Of those that are known: 0 is all others.
            each = np.repeat(encoded, n_codes - 1, axis=0)
            each[:, code] = np.arange(1, n_codes)
            vectors = self.end(each).embedded[..., self._sources == code]
            mean = vectors.mean(axis=-2, keepdims=True)
            middle.embedded[..., self._sources == code] = mean
        return middle

    @np.errstate(all="ignore")
    def attributions(self, start, ends):
        """Return attributions (n, n_features), and by how much the worst row misses.

        A way is cut into chords, and a chord into halves where its part of the integral
        misses the change of the number: there the slope jumps, or bends.

        Parameters
        ----------
        start, ends : Ends
            Of one row, and of `n` rows.
        """
        n = len(ends.encoded)
        out, missed = np.zeros((n, self._sum_columns.shape[1])), np.zeros(n)
        length, allowed = 1 / FIRST_CHORDS, None
        row = np.repeat(np.arange(n), FIRST_CHORDS)
        low = np.tile(np.arange(FIRST_CHORDS) * length, n)
        for halvings in range(MOST_HALVINGS + 1):
            chords = [
                self._chords(start, ends, row[part], low[part], length)
                for part in chunks(len(row), 1, CHORDS)
            ]
            parts, gap, numbers = map(np.concatenate, zip(*chords, strict=True))
            if allowed is None:
                numbers = numbers.reshape(n, -1)
                allowed = TOLERANCE * np.ptp(numbers, axis=1)
                allowed += ROUNDING * abs(numbers).max(axis=1)
            sums = missed + np.bincount(row, gap, minlength=n)
            is_done = np.abs(sums[row]) <= allowed[row]
            is_done |= np.abs(gap) <= SMALL_GAP * allowed[row]
            is_done |= halvings == MOST_HALVINGS
            np.add.at(out, row[is_done], parts[is_done])
            np.add.at(missed, row[is_done], gap[is_done])
            if is_done.all():
                break
            length /= 2
            row, low = row[~is_done].repeat(2), low[~is_done].repeat(2)
            low[1::2] += length
        return out, (np.abs(missed) / np.maximum(allowed, np.finfo(float).tiny)).max()

    def _chords(self, start, ends, row, low, length):
        """Return the attributions of chords, what they miss, and numbers at both ends.

        Parameters
        ----------
        start, ends : Ends
        row, low : ndarray of shape (n_chords,)
            Of which row each chord is, and where on its way it begins.
        length : float

        Returns
        -------
        attributions : ndarray of shape (n_chords, n_features)
        gap : ndarray of shape (n_chords,)
        numbers : ndarray of shape (n_chords, 2)
        """
        first = self._points(start, ends, row, low)
        last = self._points(start, ends, row, low + length)
        # The embeddings need no slope, which jumps where one is piecewise linear: a
        # chord begins and ends on the way, and is straight.
        chord = last - first
        inner = [first + place * chord for place in GAUSS]
        passed = np.concatenate([*inner, first, last], axis=-2)
        numbers, gradient = self._gradient(passed)
        near, far, *_ = np.split(gradient, 4, axis=-2)
        at_ends = np.stack(np.split(numbers, 4)[2:], axis=1)
        parts = (near + far) / 2 * chord
        parts = parts.sum(axis=0) if parts.ndim == 3 else parts
        gap = parts.sum(axis=1) - np.diff(at_ends)[:, 0]
        return parts @ self._sum_columns, gap, at_ends

    def _points(self, start, ends, row, share):
        """Return points on the ways of rows, each a share of it, as embedded."""
        share = share[:, None]
        encoded = start.encoded + share * (ends.encoded[row] - start.encoded)
        points = embed(self._model.network, encoded)
        # There is nothing between two codes, but there is between their vectors.
        first = start.embedded[..., self._is_of_code]
        last = ends.embedded[..., row, :][..., self._is_of_code]
        points[..., self._is_of_code] = first + share * (last - first)
        return points

    def _gradient(self, points):
        """Return the number at each point (n_points,), and its gradient there."""
        targets, temperature = self._model.targets, self._model.temperature

        def slope(raw):
            return targets.number_slope(raw / temperature, self._position) / temperature

        raw, gradient = input_gradient(self._model.network, points, slope)
        return targets.number(raw / temperature, self._position), gradient
