"""From a table to the one float array that a network trains on."""

from itertools import count

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from skdnn._categories import (
    categorical_columns,
    encode_levels,
    is_from_dtype,
    learn_levels,
    level_names,
)
from skdnn._doc_link import DocLinkMixin
from skdnn._rows import Rows, chunks, rows_with_weight
from skdnn._scalings import (
    SCALINGS,
    largest_square_root,
    refuse_what_overflows,
    units,
)
from skdnn._sklearn_compat import _check_feature_names_in, _check_sample_weight
from skdnn._statistics import Sample, TableStatistics, blocks
from skdnn._tables import TakesTablesMixin, as_array, as_table, object_array
from skdnn._vocabulary import Vocabulary, warn_of_odd_text, warn_of_unknown
from skdnn.nn.batches import SparseRows

#: Decorates what computes with numbers of any size, whatever the user has made of
#: NumPy's warnings: too far is far enough, and next to nothing is nothing.
rounding = np.errstate(over="ignore", under="ignore")


class TabularEncoder(DocLinkMixin, TakesTablesMixin, TransformerMixin, BaseEstimator):
    """Turn a table of numbers, categories and holes into numbers for a network.

    A missing number becomes the column's median, and each column with holes in training
    gets one more column, after all numbers, that is 1 where the number is missing.

    A column of categories becomes a column for each category, after those, that is 1
    where it stands. Missing ones have such a column too. Of more than 100, the rarest
    share a column, with those that training did not see; where no column is shared,
    unseen ones are zeros. With `max_one_hot`, a column of more categories becomes one
    column of codes instead, at the end: 1, 2, ... for those that are frequent, missing
    ones among them, and 0 for all others.

    A column that is the same in all rows of training says nothing and is left out,
    unless its numbers are to stay as they are. Where all columns are so, the result is
    one of zeros.

    Parameters
    ----------
    numeric_scaling : {"robust", "standard", "quantile"} or None, default="robust"
        - ``"robust"``: ``z = (x - median) / (q75 - q25)``, and of this
          ``z / sqrt(1 + (z / 3)^2)``, which leaves the middle as it is and keeps
          outliers within 3 (Holzmueller et al., 2024). Where the quartiles are equal,
          half the range stands in for their difference.
        - ``"standard"``: zero mean and unit variance. Numbers whose squares would
          overflow `dtype` are cut off there (1.8e19 in float32).
        - ``"quantile"``: through the column's distribution function to a normal one.
        - None: as they are, constant columns included, cut off likewise. Missing
          numbers are an error, and so are, in `fit`, those that would be cut off.
    categorical_features : "from_dtype", array-like of {bool, int, str} or None, \
            default="from_dtype"
        Which columns are categories: those of a data frame whose dtype says so
        (categorical, string, bool, objects that are not all numbers), or a mask,
        positions or names; None is none. What is neither numbers, text nor bool, such
        as dates, is refused.
    max_one_hot : int or None, default=None
        Columns with more categories than that, missing ones counted as one, become
        codes, for an embedding to look up; None is no column.
    min_frequency : int, default=2
        Number of rows in which a category must stand to have a code of its own; those
        that are rarer share 0, and a column of these alone is left out. A row counts as
        often as its weight says; where weights are less than one on average, in units
        of their mean.
    dtype : {"float32", "float64"}, default="float32"
        Of the result.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where all are strings.
    n_features_out_ : int
        Number of columns of the result: numbers, where they are missing, categories,
        codes.
    n_numeric_out_ : int
        Number of these that are scaled numbers, which come first.
    cardinalities_ : list of int
        Number of different codes, 0 included, in each column of codes, which come last.
    numeric_columns_, categorical_columns_ : ndarray of int
        Columns of either kind.
    varying_columns_ : ndarray of int
        Columns of numbers that are in the result, by position among these.
    missing_columns_ : ndarray of int
        Columns of numbers that had holes in training, by position among these; not
        those without any number.
    coded_columns_ : ndarray of int
        Columns of categories that become codes, by position among these.
    source_columns_ : ndarray of int
        Which column each column of the result comes from; the first where nothing
        varies.
    categories_ : list of ndarray of object
        The categories of each column that have a column, or a code, in the result, by
        name: text as it is, numbers as the shortest text for them.
    levels_ : list of ndarray of int
        What has a column, or a code, in the result: -3 is what is shared, -2 is
        missing, and the others are `categories_`, by their rank among all that the
        column had in training.
    known_shares_ : list of float
        The share of each column's rows whose category is in `categories_` and came
        more than once: that of new rows whose category is known.
    """

    _public_module = "skdnn.encoding"

    def __init__(
        self,
        numeric_scaling="robust",
        *,
        categorical_features="from_dtype",
        max_one_hot=None,
        min_frequency=2,
        dtype="float32",
    ):
        self.numeric_scaling = numeric_scaling
        self.categorical_features = categorical_features
        self.max_one_hot = max_one_hot
        self.min_frequency = min_frequency
        self.dtype = dtype

    def fit(self, X, y=None, sample_weight=None):
        """Learn location and scale of each column.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows to learn from.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; one of weight zero is not there.

        Returns
        -------
        self : object
        """
        X = self.validate(self, X, reset=True)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            if not sample_weight.any():
                raise ValueError(
                    "All weights are zero, there is nothing to learn from."
                )
        rows = rows_with_weight(X.shape[0], sample_weight)
        self.fit_rows(X, rows.index, rows.weight)
        self.forget()
        return self

    def transform(self, X):
        """Encode rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows with the columns seen in `fit`.

        Returns
        -------
        encoded : ndarray of shape (n_samples, `n_features_out_`)
            Dense, even where `X` is sparse.
        """
        check_is_fitted(self)
        X = self.validate(self, X, reset=False)
        return self.encode_rows(X, np.arange(X.shape[0]))

    def validate(self, estimator, X, reset):
        """Check `X` and, in the name of `estimator`, its columns.

        Returns
        -------
        X : ndarray or CSR array of shape (n_samples, n_features)
            Columns of numbers first, then the codes of categories.
        """
        finite = True if self.numeric_scaling is None else "allow-nan"
        X = X if hasattr(X, "shape") else as_array(X)
        table = None if issparse(X) or len(X.shape) != 2 else as_table(X)
        if reset:
            wanted = self.categorical_features
            self.categorical_columns_ = categorical_columns(table, wanted)
            self.know([])
            self._names = _names_of(table)
        n_categorical = len(self.categorical_columns_)
        if issparse(X) and n_categorical:
            raise ValueError("Columns of categories need a dense table, X is sparse.")
        if table is None or (table.is_native and not n_categorical):
            X = validate_data(
                estimator, X, reset=reset, ensure_all_finite=finite, accept_sparse="csr"
            )
        else:
            # Which takes longer than all else if the table is small.
            if reset or table.columns != _names_seen_by(estimator):
                validate_data(estimator, X, reset=reset, skip_check_array=True)
            X = check_array(
                self._as_one_array(table, reset),
                ensure_all_finite=finite,
                estimator=estimator,
                input_name="X",
            )
        if reset and hasattr(estimator, "feature_names_in_"):
            self.feature_names_in_ = estimator.feature_names_in_
        return _canonical(X) if issparse(X) else X

    def _as_one_array(self, table, reset):
        """Return numbers, then codes of categories; learn the latter if `reset`."""
        if not len(self.categorical_columns_):
            numbers = table.plain_numbers()
            if numbers is not None:
                return numbers
        numeric = np.delete(np.arange(table.shape[1]), self.categorical_columns_)
        out = np.empty(table.shape)
        table.write_numbers(numeric, out[:, : len(numeric)])
        columns, codes = self.categorical_columns_, out[:, len(numeric) :]
        if reset:
            # Of all categories that there are, some of which the result keeps.
            self._vocabulary = Vocabulary.learned(table, columns, codes)
            if is_from_dtype(self.categorical_features):
                warn_of_odd_text(table, columns, self.names_of_codes, codes)
        else:
            self._vocabulary.write_codes(table, columns, codes)
            known_shares = vars(self).get("known_shares_", 1)
            warn_of_unknown(table, columns, codes, known_shares)
        return out

    @property
    def names_of_columns(self):
        """What columns were called in training, or None where they had no names.

        Of polars, scikit-learn sees them only if its version fits.
        """
        names = getattr(self, "feature_names_in_", None)
        return vars(self).get("_names") if names is None else list(names)

    @property
    def names_of_codes(self):
        """The names of each column's categories, all of them; None after training."""
        return self._vocabulary.names_of_codes

    def know(self, names):
        """Take names for all categories that there are, in each column of codes."""
        self._vocabulary = Vocabulary(names)

    def forget(self):
        """Let go of the categories that have no place in the result."""
        if self.names_of_codes is not None:
            self._vocabulary = Vocabulary.of_levels(self.categories_, self.levels_)

    def __getstate__(self):
        # Categories without a place in the result are nobody's business.
        state = super().__getstate__()
        return {k: v for k, v in state.items() if k != "_vocabulary"}

    def __setstate__(self, state):
        super().__setstate__(state)
        if "levels_" in state:
            self._vocabulary = Vocabulary.of_levels(self.categories_, self.levels_)

    def __copy__(self):
        # Unlike a pickle, a copy may learn from other rows of the same table.
        same = object.__new__(type(self))
        same.__dict__ = vars(self).copy()
        return same

    def fit_rows(self, X, rows, weight=None, drop_constant=True):
        """Learn from some rows of an array that was checked before.

        Parameters
        ----------
        X : ndarray or CSR array of shape (n_samples, n_features)
            What `validate` returned.
        rows : ndarray of int of shape (n_rows,)
            Which of them to learn from.
        weight : ndarray of shape (n_rows,), default=None
            What each of them counts, more than zero.
        drop_constant : bool, default=True
            Whether to leave columns out that hold the same number in all these rows;
            False is for rows that are but the first of many.

        Returns
        -------
        self : object
        """
        rows = Rows(rows, weight)
        sample = Sample(X, np.zeros(X.shape[0]), rows, self.names_of_codes, None)
        return self.learn(self.statistics(X, rows), sample.cut(), drop_constant)

    @rounding
    def statistics(self, X, rows):
        """Return what there is to learn from some rows of a table, or of a part of it.

        Parameters
        ----------
        X : ndarray or CSR array of shape (n_samples, n_features)
            What `validate` returned.
        rows : Rows

        Returns
        -------
        statistics : TableStatistics
        """
        how = self.names_of_codes, self.numeric_scaling == "standard"
        parts = [TableStatistics.of(X, block, *how) for block in blocks(rows)]
        return TableStatistics.merged(parts)

    @rounding
    def learn(self, statistics, sample, drop_constant=True):
        """Learn from what is known of all rows, and from a sample of them.

        Parameters
        ----------
        statistics : TableStatistics
        sample : Sample
            With the same codes of categories.
        drop_constant : bool, default=True
            As in `fit_rows`.

        Returns
        -------
        self : object
        """
        self.know([column.names for column in statistics.categories])
        self.n_features_in_ = len(statistics.low) + len(statistics.categories)
        columns = np.arange(self.n_features_in_)
        self.numeric_columns_ = np.delete(columns, self.categorical_columns_)
        low, high = self._choose_columns(statistics, drop_constant)
        if self.numeric_scaling is not None and self.n_numeric_out_:
            self._unit = units(low, high)
            half_range = 0.5 * high * self._unit - 0.5 * low * self._unit
            self.median_, self._learned = SCALINGS[self.numeric_scaling].learn(
                sample,
                self.varying_columns_,
                self._unit,
                half_range,
                statistics.moments,
            )
        self._learn_levels(statistics)
        n_one_hot = sum(map(len, self.levels_)) - sum(self.cardinalities_)
        n_columns = self.n_numeric_out_ + len(self.missing_columns_)
        n_columns += n_one_hot + len(self.cardinalities_)
        # A network has to have an input: where nothing varies, one of zeros.
        self.n_features_out_ = max(1, n_columns)
        return self

    def _choose_columns(self, statistics, drop_constant):
        """Learn which columns of numbers, and of holes in them, the result has.

        Returns
        -------
        low, high : ndarray of shape (`n_numeric_out_`,)
            The range of each of these columns.
        """
        has_holes, low, high = statistics.has_holes, statistics.low, statistics.high
        varies = np.ones(len(low), dtype=bool)
        if self.numeric_scaling is None:
            names = getattr(self, "feature_names_in_", None)
            refuse_what_overflows(low, high, self.dtype, self.numeric_columns_, names)
        elif drop_constant:
            varies = low < high
            # Of no number at all, low is above high.
            has_holes = has_holes & (low <= high)
        self.varying_columns_ = np.flatnonzero(varies)
        self.missing_columns_ = np.flatnonzero(has_holes)
        self.n_numeric_out_ = len(self.varying_columns_)
        return low[varies], high[varies]

    def _learn_levels(self, statistics):
        """Learn what becomes of the categories of each column."""
        how = statistics.mean_weight, self.max_one_hot, self.min_frequency
        learned = [learn_levels(c.count, *how) for c in statistics.categories]
        self.levels_ = [levels for levels, _ in learned]
        self.coded_columns_ = np.flatnonzero([is_coded for _, is_coded in learned])
        self.cardinalities_ = [len(self.levels_[k]) for k in self.coded_columns_]
        self.categories_, self.known_shares_ = [], []
        for column, levels in zip(statistics.categories, self.levels_, strict=True):
            own = levels[levels >= 0]
            self.categories_.append(object_array(column.names[code] for code in own))
            self.known_shares_.append(column.share_known(own))

    @rounding
    def encode(self, X, out):
        """Encode rows that were checked before into `out`, and return it."""
        n_numbers = len(self.numeric_columns_)
        n, n_missing = self.n_numeric_out_, len(self.missing_columns_)
        numbers, codes = X[:, :n_numbers], X[:, n_numbers:]
        if n_missing:
            out[:, n : n + n_missing] = np.isnan(numbers[:, self.missing_columns_])
        if n < n_numbers:
            numbers = numbers.take(self.varying_columns_, axis=1)
        out[:, :n] = self._scaled(numbers, np.arange(n))
        encode_levels(codes, self.levels_, self.coded_columns_, out[:, n + n_missing :])
        return out

    def _scaled(self, numbers, columns):
        """Return numbers, holes among them, as they are in the result.

        Parameters
        ----------
        numbers : ndarray
        columns : ndarray of int, of the shape of `numbers` or broadcast along its rows
            Of which column of the result each is.
        """
        if self.numeric_scaling is None or not numbers.size:
            limit = largest_square_root(self.dtype)
            return np.clip(numbers, -limit, limit, dtype=np.float64)
        # In float64, as a float32 can't tell 1e9 from 1e9 + 1.
        numbers = np.where(np.isnan(numbers), self.median_[columns], numbers)
        numbers = numbers.astype(np.float64, copy=False)
        numbers *= self._unit[columns]
        limit = largest_square_root(self.dtype)
        SCALINGS[self.numeric_scaling].apply(numbers, columns, limit, **self._learned)
        return numbers

    def encode_rows(self, X, rows, out=None):
        """Return some rows, encoded, in `out` if it is given."""
        if issparse(X):
            return SparseRows(*self.encode_sparse_rows(X, rows))[:]
        if out is None:
            out = np.empty((len(rows), self.n_features_out_), self.dtype)
        for chunk in chunks(len(rows), X.shape[1]):
            self.encode(X[rows[chunk]], out[chunk])
        return out

    def encode_sparse_rows(self, X, rows):
        """Return some rows of a sparse array, encoded, by what sets them apart.

        Returns
        -------
        entries : CSR array of shape (n_rows, `n_features_out_`)
            The entries that differ from those of `common`.
        common : ndarray of shape (`n_features_out_`,)
            What a row of zeros becomes.
        """
        zeros = np.zeros((1, X.shape[1]), X.dtype)
        common = self.encode(zeros, np.empty((1, self.n_features_out_), self.dtype))[0]
        X = X[rows]
        parts = []
        for chunk in chunks(len(rows), X.nnz // len(rows)):
            row, column, entry = self._encode_entries(X[chunk].tocoo())
            own = entry != common[column]
            parts.append((row[own] + chunk.start, column[own], entry[own]))
        row, column, entry = map(np.concatenate, zip(*parts, strict=True))
        shape = len(rows), self.n_features_out_
        return csr_array((entry, (row, column)), shape), common

    @rounding
    def _encode_entries(self, X):
        """Return rows, columns and values in the result of what a table stores."""
        (row, column), value = X.coords, X.data
        place = np.full((2, X.shape[1]), -1)
        place[0, self.varying_columns_] = np.arange(self.n_numeric_out_)
        place[1, self.missing_columns_] = np.arange(len(self.missing_columns_))
        place[1, self.missing_columns_] += self.n_numeric_out_
        number, hole = place[:, column]
        hole[~np.isnan(value)] = -1
        scaled = self._scaled(value[number >= 0], number[number >= 0])
        is_there = np.concatenate([number >= 0, hole >= 0])
        entry = np.append(scaled, np.ones(np.count_nonzero(hole >= 0)))
        row, column = np.tile(row, 2)[is_there], np.append(number, hole)[is_there]
        return row, column, entry.astype(self.dtype)

    @property
    def source_columns_(self):
        numbers = self.numeric_columns_
        categorical = self.categorical_columns_
        lengths = list(map(len, self.levels_))
        one_hot = np.delete(np.arange(len(lengths)), self.coded_columns_)
        parts = [
            numbers[self.varying_columns_],
            numbers[self.missing_columns_],
            *(categorical[[k] * lengths[k]] for k in one_hot),
            categorical[self.coded_columns_],
        ]
        columns = np.concatenate(parts).astype(np.intp)
        return columns if len(columns) else np.zeros(1, np.intp)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns of the result.

        A column of numbers or codes has its own name, one of holes ends in `_missing`,
        one of a category in the category. Names that come up again get `_2`, `_3` and
        so on behind them.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns, where `fit` saw none.

        Returns
        -------
        names : ndarray of str of shape (`n_features_out_`,)
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        numbers = names[self.numeric_columns_]
        missing = [f"{numbers[j]}_missing" for j in self.missing_columns_]
        categorical = names[self.categorical_columns_]
        one_hot = [
            name
            for k, levels in enumerate(self.levels_)
            if k not in self.coded_columns_
            for name in level_names(categorical[k], self.categories_[k], levels)
        ]
        coded = categorical[self.coded_columns_]
        own = [*numbers[self.varying_columns_], *coded]
        # Columns that are in the result keep their names before others are made.
        out = _distinct([*own, *missing, *one_hot])
        n_numbers = self.n_numeric_out_
        out = out[:n_numbers] + out[len(own) :] + out[n_numbers : len(own)]
        return np.array(out or names[:1], dtype=object)


def _distinct(names):
    """Return the names with a number behind those that came up before."""
    taken, seen = set(names), set()
    out = []
    for name in names:
        if name in seen:
            numbered = (f"{name}_{k}" for k in count(2))
            name = next(n for n in numbered if n not in taken)
            taken.add(name)
        seen.add(name)
        out.append(name)
    return out


def _names_of(table):
    """Return the names of the columns of a table, None where they are not all text."""
    columns = None if table is None else table.columns
    is_named = columns and all(isinstance(name, str) for name in columns)
    return columns if is_named else None


def _names_seen_by(estimator):
    """Return the names of the columns that an estimator was fitted to, as a list."""
    return list(getattr(estimator, "feature_names_in_", [None]))


def _canonical(X):
    """Return a sparse table as a CSR array that has each entry once."""
    X = csr_array(X)
    if not X.has_canonical_format:
        # A copy, as it may share the memory of what the user gave.
        X = X.copy()
        X.sum_duplicates()
    return X
