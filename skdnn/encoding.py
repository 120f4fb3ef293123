"""From a table to the one float array that a network trains on."""

import numpy as np
from scipy.sparse import csr_array, issparse
from scipy.special import ndtri
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import (
    _check_feature_names_in,
    check_array,
    check_is_fitted,
    validate_data,
)

from skdnn._categories import (
    categorical_columns,
    codes,
    encode_levels,
    learn_categories,
    learn_levels,
    level_names,
)
from skdnn._rows import chunks, dense

#: Rows looked at to estimate quantiles; their error is well under a percent.
QUANTILE_ROWS = 100_000

#: Steps of the empirical distribution that quantile scaling interpolates.
N_QUANTILES = 1001

#: From here on, the smooth clip gives 3; squares of larger numbers may overflow.
FAR = 1e12

#: Where quantile scaling cuts the normal distribution off, as its reach is infinite.
EDGE = 1e-7


class TabularEncoder(TransformerMixin, BaseEstimator):
    """Turn a table of numbers, categories and holes into numbers for a network.

    A missing number becomes the column's median, and each column with holes in training
    gets one more column, after all numbers, that is 1 where the number is missing.

    A column of categories becomes a column for each category, at the end, that is 1
    where it stands. Missing ones have such a column too. Of more than 100, the rarest
    share a column, with those that training did not see; where no column is shared,
    unseen ones are zeros.

    Parameters
    ----------
    numeric_scaling : {"robust", "standard", "quantile"} or None, default="robust"
        - ``"robust"``: ``z = (x - median) / (q75 - q25)``, and of this
          ``z / sqrt(1 + (z / 3)^2)``, which leaves the middle as it is and keeps
          outliers within 3 (Holzmueller et al., 2024). Where the quartiles are equal,
          half the range stands in for their difference.
        - ``"standard"``: zero mean and unit variance.
        - ``"quantile"``: through the column's distribution function to a normal one.
        - None: as they are; missing numbers are an error.
    categorical_features : "from_dtype", array-like of {bool, int, str} or None, \
            default="from_dtype"
        Which columns are categories: those of a data frame whose dtype says so
        (categorical, string, object, bool), or a mask, positions or names; None is
        none. Dates and times are refused.
    dtype : {"float32", "float64"}, default="float32"
        Of the result.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where all are strings.
    n_features_out_ : int
        Number of columns of the result.
    numeric_columns_, categorical_columns_ : ndarray of int
        Columns of either kind.
    missing_columns_ : ndarray of int
        Columns of numbers that had holes in training, by position among these.
    categories_ : list of ndarray of object
        What was seen in each column of categories.
    levels_ : list of ndarray
        The codes, positions in `categories_`, that have a column in the result; -2 is
        missing, -3 is what columns share.
    """

    def __init__(
        self,
        numeric_scaling="robust",
        *,
        categorical_features="from_dtype",
        dtype="float32",
    ):
        self.numeric_scaling = numeric_scaling
        self.categorical_features = categorical_features
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
            Weights of the rows.

        Returns
        -------
        self : object
        """
        X = self.validate(self, X, reset=True)
        return self.fit_rows(X, np.arange(X.shape[0]), sample_weight)

    def transform(self, X):
        """Encode rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows with the columns seen in `fit`.

        Returns
        -------
        encoded : ndarray of shape (n_samples, n_features_out_)
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
        if isinstance(X, list | tuple) and not isinstance(
            self.categorical_features, str | None
        ):
            X = np.array(X, dtype=object)
        if reset:
            columns = categorical_columns(X, self.categorical_features)
            self.categorical_columns_ = columns
            self.categories_ = learn_categories(X, columns)
        if len(self.categorical_columns_):
            X = self._with_codes(estimator, X, reset, finite)
        else:
            X = validate_data(
                estimator, X, reset=reset, ensure_all_finite=finite, accept_sparse="csr"
            )
        if reset and hasattr(estimator, "feature_names_in_"):
            self.feature_names_in_ = estimator.feature_names_in_
        return _canonical(X) if issparse(X) else X

    def _with_codes(self, estimator, X, reset, finite):
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        numeric = np.delete(np.arange(np.shape(X)[1]), self.categorical_columns_)
        numbers = np.empty((np.shape(X)[0], 0))
        if len(numeric):
            numbers = check_array(
                _safe_indexing(X, numeric, axis=1),
                dtype=np.float64,
                ensure_all_finite=finite,
                input_name="X",
            )
        categories = codes(X, self.categorical_columns_, self.categories_)
        return np.hstack([numbers, categories])

    def fit_rows(self, X, rows, weight=None):
        """Learn from some rows of an array that was checked before."""
        self.n_features_in_ = X.shape[1]
        columns = np.arange(self.n_features_in_)
        self.numeric_columns_ = np.delete(columns, self.categorical_columns_)
        self._n_numbers = len(self.numeric_columns_)
        numbers = X[:, : self._n_numbers]
        self.missing_columns_ = _columns_with_holes(numbers, rows)
        if self.numeric_scaling is not None and self._n_numbers:
            getattr(self, f"_fit_{self.numeric_scaling}")(numbers, rows, weight)
        self.levels_ = [
            learn_levels(X[rows, j], weight) for j in columns[self._n_numbers :]
        ]
        self.n_features_out_ = (
            self._n_numbers
            + len(self.missing_columns_)
            + sum(len(levels) for levels in self.levels_)
        )
        return self

    def _fit_robust(self, X, rows, weight):
        low, q25, self.median_, q75, high = _quantiles(
            X, rows, weight, [0, 0.25, 0.5, 0.75, 1]
        )
        scale = np.where(q75 > q25, q75 - q25, 0.5 * high - 0.5 * low)
        self.scale_ = np.where(scale > 0, scale, 1)

    def _fit_standard(self, X, rows, weight):
        low, self.median_, high = _quantiles(X, rows, weight, [0, 0.5, 1])
        scaler = StandardScaler()
        # A column without a number has no mean.
        with np.errstate(invalid="ignore", divide="ignore"):
            for chunk in chunks(len(rows), X.shape[1]):
                numbers = dense(X, rows[chunk]).astype(np.float64)
                part = None if weight is None else weight[chunk]
                scaler.partial_fit(numbers, None, part)
        # The sums of a large constant leave rounding errors, which are no scale.
        varies = (low < high) & (scaler.scale_ > 0)
        self.mean_ = np.where(varies, scaler.mean_, self.median_)
        self.scale_ = np.where(varies, scaler.scale_, 1)

    def _fit_quantile(self, X, rows, weight):
        self.quantiles_ = _quantiles(X, rows, weight, np.linspace(0, 1, N_QUANTILES))
        self.median_ = self.quantiles_[N_QUANTILES // 2]

    def encode(self, X, out):
        """Encode rows that were checked before into `out`, and return it."""
        n, n_missing = self._n_numbers, len(self.missing_columns_)
        numbers = X[:, :n]
        if self.numeric_scaling is None:
            out[:, :n] = numbers
        elif n:
            missing = np.isnan(numbers)
            np.copyto(out[:, n : n + n_missing], missing[:, self.missing_columns_])
            # In float64, as a float32 can't tell 1e9 from 1e9 + 1.
            numbers = np.where(missing, self.median_, numbers)
            numbers = numbers.astype(np.float64, copy=False)
            with np.errstate(over="ignore"):
                out[:, :n] = getattr(self, f"_scale_{self.numeric_scaling}")(numbers)
        encode_levels(X[:, n:], self.levels_, out[:, n + n_missing :])
        return out

    def encode_rows(self, X, rows):
        """Return some rows, encoded."""
        out = np.empty((len(rows), self.n_features_out_), self.dtype)
        for chunk in chunks(len(rows), X.shape[1]):
            self.encode(dense(X, rows[chunk]), out[chunk])
        return out

    def encode_sparse_rows(self, X, rows):
        """Return some rows of a sparse array, encoded, by what sets them apart.

        Returns
        -------
        entries : CSR array of shape (n_rows, n_features_out_)
            The entries that differ from those of `common`.
        common : ndarray of shape (n_features_out_,)
            What a row of zeros becomes.
        """
        zeros = np.zeros((1, X.shape[1]), X.dtype)
        common = self.encode(zeros, np.empty((1, self.n_features_out_), self.dtype))[0]
        parts = []
        for chunk in chunks(len(rows), X.shape[1]):
            encoded = self.encode_rows(X, rows[chunk])
            row, column = np.nonzero(encoded != common)
            parts.append((row + chunk.start, column, encoded[row, column]))
        row, column, entry = map(np.concatenate, zip(*parts, strict=True))
        shape = len(rows), self.n_features_out_
        return csr_array((entry, (row, column)), shape), common

    def _scale_robust(self, X):
        X -= self.median_
        X /= self.scale_
        np.clip(X, -FAR, FAR, out=X)
        X /= np.sqrt(1 + np.square(X / 3))
        return X

    def _scale_standard(self, X):
        X -= self.mean_
        X /= self.scale_
        return X

    def _scale_quantile(self, X):
        levels = np.linspace(0, 1, N_QUANTILES)
        for j, quantiles in enumerate(self.quantiles_.T):
            # Both ways, so that a value that many rows share gets the middle of its
            # step.
            upper = np.interp(X[:, j], quantiles, levels)
            lower = 1 - np.interp(-X[:, j], -quantiles[::-1], levels)
            X[:, j] = ndtri(np.clip(0.5 * (lower + upper), EDGE, 1 - EDGE))
        return X

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.numeric_scaling is not None
        tags.input_tags.sparse = True
        tags.input_tags.categorical = self.categorical_features is not None
        return tags

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns of the result.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns, where `fit` saw none.

        Returns
        -------
        names : ndarray of str of shape (n_features_out_,)
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        numbers = names[self.numeric_columns_]
        missing = [f"{numbers[j]}_missing" for j in self.missing_columns_]
        kinds = zip(
            names[self.categorical_columns_],
            self.categories_,
            self.levels_,
            strict=True,
        )
        levels = [name for kind in kinds for name in level_names(*kind)]
        return np.array([*numbers, *missing, *levels], dtype=object)


def _canonical(X):
    """Return a sparse table as a CSR array that has each entry once."""
    X = csr_array(X)
    if not X.has_canonical_format:
        # A copy, as it may share the memory of what the user gave.
        X = X.copy()
        X.sum_duplicates()
    return X


def _columns_with_holes(X, rows):
    if X.dtype.kind != "f":
        return np.empty(0, dtype=np.intp)
    holes = np.zeros(X.shape[1], dtype=bool)
    for chunk in chunks(len(rows), X.shape[1]):
        holes |= np.isnan(dense(X, rows[chunk])).any(axis=0)
    return np.flatnonzero(holes)


def _quantiles(X, rows, weight, levels):
    """Return weighted quantiles (n_levels, n_features) that pass over holes."""
    if len(rows) > QUANTILE_ROWS:
        chosen = np.linspace(0, len(rows) - 1, QUANTILE_ROWS).astype(np.intp)
        rows, weight = rows[chosen], None if weight is None else weight[chosen]
    columns = _sparse_columns if issparse(X) else _dense_columns
    return np.column_stack(
        [
            _column_quantiles(column.astype(np.float64), weight, levels)
            for column, weight in columns(X, rows, weight)
        ]
    )


def _dense_columns(X, rows, weight):
    """Yield some rows of each column, and their weights."""
    for j in range(X.shape[1]):
        yield X[rows, j], weight


def _sparse_columns(X, rows, weight):
    """Yield the same of a sparse array, all zeros of a column as one number."""
    X = X[rows].tocsc()
    weight = np.ones(len(rows)) if weight is None else weight
    total = weight.sum()
    for j in range(X.shape[1]):
        entries = slice(*X.indptr[j : j + 2])
        column, weight_of_entry = X.data[entries], weight[X.indices[entries]]
        if len(column) < len(rows):
            column = np.append(column, 0)
            rest = total - weight_of_entry.sum()
            weight_of_entry = np.append(weight_of_entry, max(0, rest))
        yield column, weight_of_entry


def _column_quantiles(column, weight, levels):
    """Return the smallest numbers at or below which each share of the weight lies.

    Of all definitions of a quantile, that is the one for which weights are as good as
    repeated rows.
    """
    seen = ~np.isnan(column)
    if not seen.any():
        return np.zeros(len(levels))
    # Shares that differ by rounding errors are one.
    column, levels = column[seen], np.subtract(levels, 1e-10)
    if weight is None:
        column = np.sort(column)
        position = np.ceil(levels * len(column)).astype(np.intp) - 1
    else:
        order = np.argsort(column)
        column, below = column[order], np.cumsum(weight[seen][order])
        position = np.searchsorted(below, levels * below[-1])
        # Rows without weight may come before the first that counts.
        position = np.maximum(position, np.searchsorted(below, 0, side="right"))
    return column[np.clip(position, 0, len(column) - 1)]
