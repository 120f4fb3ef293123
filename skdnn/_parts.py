"""A table that comes in parts: what each of them tells, and what all do together."""

from typing import NamedTuple

import numpy as np

from skdnn._categories import RARE, is_from_dtype, warn_of_odd
from skdnn._data import check_data
from skdnn._model import Model
from skdnn._tables import are_categories, as_array, as_table


class Columns(NamedTuple):
    """What the columns of a part of a table are.

    Attributes
    ----------
    names : list of str or None
    kinds : list of frozenset
        Of what stands in each.
    is_declared : list of bool
        Whether the dtype of each is one of categories, and nothing else.
    """

    names: list | None
    kinds: list
    is_declared: list

    @classmethod
    def of(cls, X):
        """Return those of a dense table of any kind."""
        table = as_table(X if hasattr(X, "shape") else as_array(X))
        every = range(table.shape[1])
        kinds = [table.kinds_of_values(j) for j in every]
        return cls(table.names, kinds, [table.is_declared(j) for j in every])

    @classmethod
    def merged(cls, parts):
        """Return those of all parts; an error says where they differ."""
        names = parts[0].names
        for part in parts:
            if part.names != names or len(part.kinds) != len(parts[0].kinds):
                raise ValueError(
                    "All parts of a table must have the same columns, in the same "
                    f"order, got {_called(parts[0])} and {_called(part)}."
                )
        kinds = zip(*(part.kinds for part in parts), strict=True)
        is_declared = zip(*(part.is_declared for part in parts), strict=True)
        kinds = [frozenset().union(*of_column) for of_column in kinds]
        return cls(names, kinds, list(map(all, is_declared)))

    def categories(self, wanted):
        """Return the positions of the columns of categories.

        Parameters
        ----------
        wanted : {"from_dtype"}, None, or array-like
            As `categorical_features` of the estimators.
        """
        if not is_from_dtype(wanted):
            return wanted
        is_category = [self.names and are_categories(kinds) for kinds in self.kinds]
        return np.flatnonzero(is_category)


def part_of(estimator, X, y, sample_weight, columns, classes=None):
    """Return what a part of a table tells, or None where it has no rows.

    Parameters are those of `read_part`.

    Returns
    -------
    statistics : Statistics or None
    """
    if not X.shape[0]:
        return None  # which scikit-learn would refuse
    model, data = read_part(estimator, X, y, sample_weight, columns, classes)
    return model.statistics(data, data.rows).packed()


def read_part(estimator, X, y, sample_weight, columns, classes=None):
    """Return checked rows of a part of a table, and a model that knows the part alone.

    Parameters
    ----------
    estimator : BaseDNN
        Stays as it is.
    X, y, sample_weight : array-like
        As they came.
    columns : Columns
        Of all parts.
    classes : array-like of shape (n_classes,), default=None
        All that there are, if not those of all parts.

    Returns
    -------
    model : Model
    data : Data
    """
    reader = object.__new__(type(estimator))
    wanted = columns.categories(estimator.categorical_features)
    reader.__dict__ = vars(estimator) | {"categorical_features": wanted}
    model = Model(reader._new_encoder(), reader._targets_class())
    how = {"learn": True, "classes": classes, "is_part": True}
    return model, check_data(reader, model, X, y, sample_weight, **how)


def begin(estimator, columns, X, statistics):
    """Return a model that knows all of a table but has not learned from it.

    Parameters
    ----------
    estimator : BaseDNN
        Which notes the names of the columns.
    columns : Columns
        Of all parts.
    X : array-like
        Some rows, which there must be.
    statistics : Statistics
        Of all parts.

    Returns
    -------
    model : Model
    """
    if not len(statistics.sample.rows.index):
        raise ValueError(
            "sample_weight: all weights are zero, there is nothing to learn from."
        )
    encoder = estimator._new_encoder()
    model = Model(encoder, estimator._targets_class())
    model.targets.adopt(statistics.targets)
    wanted = encoder.categorical_features
    encoder.categorical_features = columns.categories(wanted)
    encoder.validate(estimator, X, reset=statistics.columns is not None)
    encoder.categorical_features = wanted
    if statistics.columns is not None:
        encoder.know([column.names for column in statistics.columns.categories])
    if statistics.columns is not None and is_from_dtype(wanted):
        warn_of_columns(columns, encoder, statistics)
    return model


def warn_of_columns(columns, encoder, statistics):
    """Warn of columns of text that were not meant as categories, it seems."""
    known = zip(
        encoder.categorical_columns_, statistics.columns.categories, strict=True
    )
    warn_of_odd(
        (repr(columns.names[j]), column.names, column.n_rows[-RARE:].sum())
        for j, column in known
        if not columns.is_declared[j]
    )


def _called(columns):
    """Return what the columns of a part are called, for errors."""
    return columns.names or f"{len(columns.kinds)} columns without names"
