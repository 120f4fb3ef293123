"""Checked data: rows, what each of them counts, and which of them are held out."""

from contextlib import contextmanager
from numbers import Integral
from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse

from skdnn._rows import Rows, canonical_rows, rows_with_weight
from skdnn._sklearn_compat import _check_sample_weight
from skdnn.nn.batches import Batch, Batches

#: Of fewer rows, none is held out unless asked for: so few say nothing.
FEWEST_TO_SPLIT = 20


class Data(NamedTuple):
    """Data that has been checked.

    Attributes
    ----------
    X : ndarray or CSR array of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Class indices or numbers.
    rows : Rows
        Those to use.
    n_rows : int
        How many observations they stand for.
    X_given : array-like, or None
        `X` as it came, for scorers; None where it has gone.
    is_weighted : bool
        Whether the user gave weights.
    n_codes : int
        How many of the last columns of `X` are codes of categories.
    """

    X: np.ndarray
    targets: np.ndarray
    rows: Rows
    n_rows: int
    X_given: object
    is_weighted: bool
    n_codes: int

    @property
    def n_columns(self):
        """How many columns the table has."""
        return self.X.shape[1]

    def split(self, model, settings, rng):
        """Return the training rows, and those that are held out; see `split`."""
        strata = model.targets.strata(self.targets[self.rows.index])
        return split(self, strata, settings, rng)

    def statistics(self, model, rows):
        """Return what a model has to learn from some rows."""
        return model.statistics(self, rows)

    def encode(self, model, rows):
        """Return some rows, encoded."""
        return Encoded(*model.batch(self, rows))

    def in_canonical_order(self):
        """Return the same data, whatever the order in which its rows come."""
        rows, n_rows = canonical_rows(self.X, self.targets, self.rows, self.n_codes)
        return self._replace(rows=rows, n_rows=n_rows)


class Encoded(NamedTuple):
    """Training rows as the network reads them.

    Attributes
    ----------
    batch : Batch
        All rows.
    total_weight : float
        The sum of their weights.
    """

    batch: Batch
    total_weight: float

    @property
    def n_rows(self):
        return len(self.batch.X)

    def batches(self, batch_size, rng):
        """Return them as batches; without `rng`, in their order."""
        return Batches(*self.batch, batch_size, rng)


def check_data(
    estimator,
    model,
    X,
    y,
    sample_weight,
    suffix="",
    learn=False,
    classes=None,
    is_part=False,
):
    """Return data in the form in which a model learns from it.

    Parameters
    ----------
    estimator : BaseDNN
        In whose name it is checked, and which notes the names of the columns.
    model : Model
    X, y, sample_weight : array-like
        As they came.
    suffix : str, default=""
        Of the names of these arguments.
    learn : bool, default=False
        Whether to learn the kinds of columns and of the target, or to insist on them;
        those of columns may come from a pretrained estimator.
    classes : array-like of shape (n_classes,), default=None
        All that there are, if not those of `y`.
    is_part : bool, default=False
        Whether there are other rows, so that all weights may be zero in these.

    Returns
    -------
    data : Data
    """
    has_columns = hasattr(model.encoder, "categorical_columns_")
    with _errors_of("pretrained" if learn and has_columns else suffix and f"X{suffix}"):
        X_checked = model.encoder.validate(estimator, X, reset=not has_columns)
    if y is None:
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but "
            "the target y is None."
        )
    checked = model.targets.check(y, f"y{suffix}", learn, classes)
    n_samples = X_checked.shape[0]
    if n_samples != len(checked):
        raise ValueError(
            f"X{suffix} and y{suffix} must have as many rows, got arrays of shape "
            f"{X_checked.shape} and {np.shape(y)}."
        )
    if sample_weight is not None:
        with _errors_of(suffix and f"sample_weight{suffix}"):
            sample_weight = _check_weight(sample_weight, X_checked, suffix, is_part)
    rows = rows_with_weight(n_samples, sample_weight)
    # Not all sparse formats have rows to take.
    X_given = X_checked if issparse(X) else X
    is_weighted = sample_weight is not None
    return Data(
        X_checked,
        checked,
        rows,
        len(rows.index),
        X_given,
        is_weighted,
        len(model.encoder.categorical_columns_),
    )


def check_validation_arguments(X_val, y_val, sample_weight_val, early_stopping):
    """Raise an error for validation data of which a part is missing, or not used."""
    if X_val is None and y_val is None:
        if sample_weight_val is not None:
            raise ValueError("sample_weight_val is provided, but X_val was not.")
        return
    if y_val is None:
        raise ValueError("X_val is provided, but y_val was not provided.")
    if X_val is None:
        raise ValueError("y_val is provided, but X_val was not provided.")
    if not early_stopping:
        raise ValueError(
            "X_val and y_val are passed to fit while early_stopping is False. To use "
            "them, set early_stopping to True or 'auto'."
        )


@contextmanager
def _errors_of(name):
    """Put a name, if there is one, before the messages of errors."""
    try:
        yield
    except ValueError as error:
        if not name:
            raise
        raise ValueError(f"{name}: {error}") from error


def _check_weight(weight, X, suffix, is_part):
    name = f"sample_weight{suffix}"
    if is_part and not np.any(weight):
        return np.zeros(X.shape[0])  # which scikit-learn would refuse
    weight = _check_sample_weight(weight, X, dtype=np.float64, ensure_non_negative=True)
    if not weight.any():
        raise ValueError(
            f"{name}: all weights are zero, there is nothing to learn from."
        )
    with np.errstate(over="ignore"):
        if not np.isfinite(weight.sum()):
            raise ValueError(f"{name}: the sum of the weights is not finite.")
    return weight


class HeldOut(NamedTuple):
    """Rows to validate on.

    Attributes
    ----------
    parts : list of Data
        Those of the network, or of each member of an ensemble, as many for one as for
        another.
    positions : ndarray of int of shape (n_members, n_rows), default=None
        Where they are among the training rows, as others learn from them.
    """

    parts: list
    positions: np.ndarray | None = None


def split(data, strata, settings, rng):
    """Return the training rows, and those that are held out.

    Members with parameters of their own hold out different rows.  What they have in
    common, as scaling and bins, learns from the rows of all.

    Parameters
    ----------
    data : Data
    strata : ndarray of int of shape (n_rows,), or None
        The groups that are held out in proportion.
    settings : namespace
        Parameters of the estimator, nothing left on ``"auto"``.
    rng : numpy.random.Generator

    Returns
    -------
    rows : Rows
    held_out : HeldOut
    """
    n_rows = len(data.rows.index)
    n_validation = validation_size(settings.validation_fraction, data.n_rows)
    if n_validation >= data.n_rows:
        raise ValueError(
            f"validation_fraction={settings.validation_fraction} leaves no row to "
            f"train on: there are {data.n_rows} rows of non-zero weight, copies "
            "counted once. Set early_stopping=False or lower validation_fraction."
        )
    n_validation = max(1, round(n_validation * n_rows / data.n_rows))
    own = settings.ensemble_weights == "own" and settings.n_members > 1
    n_members = settings.n_members if own else 1
    positions = hold_out(n_rows, n_validation, strata, rng, n_members)
    parts = [data._replace(rows=data.rows.take(p)) for p in positions]
    trains = np.ones((n_rows, n_members), dtype=bool)
    np.put_along_axis(trains, positions.T, False, axis=0)
    if own:
        return data.rows._replace(trained_by=trains), HeldOut(parts, positions)
    return data.rows.take(np.flatnonzero(trains)), HeldOut(parts)


def validation_size(validation_fraction, n_rows):
    """Return the number of validation rows that a fraction or a count stands for."""
    if isinstance(validation_fraction, Integral):
        return int(validation_fraction)
    return max(1, int(np.ceil(validation_fraction * n_rows)))


def hold_out(n_rows, n_validation, strata, rng, n_members=1):
    """Return the positions of the rows that each member holds out, in order.

    Members hold out different rows, as far as there are enough of them.

    Parameters
    ----------
    n_rows, n_validation : int
    strata : ndarray of int of shape (n_rows,), or None
        Each stratum is split in the same proportion, as well as whole rows allow: one
        with a single row goes to training, one with more goes to both sides if there is
        room.
    rng : numpy.random.Generator
    n_members : int, default=1

    Returns
    -------
    positions : ndarray of int of shape (n_members, n_validation)
    """
    shuffled = rng.permutation(n_rows)
    strata = np.zeros(n_rows, int) if strata is None else strata[shuffled]
    _, strata, counts = np.unique(strata, return_inverse=True, return_counts=True)
    rank = _ranks(strata, counts)
    n_held_out = _quotas(strata, counts, rank, n_validation)
    # Members take turns at the rows of a stratum, and all learn from its last.
    n_taken = n_held_out[strata]
    n_in_turn = np.maximum(1, np.maximum(counts - 1, n_held_out))[strata]
    positions = []
    for member in range(n_members):
        place = (rank - member * n_taken) % n_in_turn
        chosen = (rank < n_in_turn) & (place < n_taken)
        positions.append(np.sort(shuffled[chosen]))
    return np.array(positions)


def _ranks(strata, counts):
    """Return each row's position among the rows of its stratum."""
    rank = np.empty(len(strata), dtype=np.intp)
    starts = np.cumsum(counts) - counts
    by_stratum = np.argsort(strata, kind="stable")
    rank[by_stratum] = np.arange(len(rank)) - np.repeat(starts, counts)
    return rank


def _quotas(strata, counts, rank, n_validation):
    """Return how many rows to hold out of each stratum."""
    # One row of each stratum first, then the strata in turn, and the last row of each
    # only if there are no others.
    turn = np.where(rank == counts[strata] - 1, 2, np.minimum(rank, 1))
    seat = (rank + 0.5) / counts[strata]
    first = np.lexsort((seat, turn))[:n_validation]
    return np.bincount(strata[first], minlength=len(counts))
