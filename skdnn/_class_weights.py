"""What rows weigh by their classes: the parameter `class_weight`."""

import numpy as np
from sklearn.utils.class_weight import compute_class_weight


def weights_of_classes(class_weight, classes, counts):
    """Return the weight of each class, by its index, in each column of targets.

    Parameters
    ----------
    class_weight : dict, "balanced", list of these or None
        As of the estimator; a list has one for each column.
    classes : ndarray of shape (n_classes,)
        The same in all columns.
    counts : ndarray of shape (n_columns, n_classes)
        How much the rows of each class weigh so far.

    Returns
    -------
    weights : list of ndarray of shape (n_classes,), or None where all weigh the same
    """
    if class_weight is None:
        return None
    several = isinstance(class_weight, list)
    of_columns = class_weight if several else [class_weight] * len(counts)
    if len(of_columns) != len(counts):
        raise ValueError(
            f"class_weight is a list of {len(of_columns)} entries, but y has "
            f"{len(counts)} columns of labels."
        )
    return [
        _of_one_column(of_column, classes, count)
        for of_column, count in zip(of_columns, counts, strict=True)
    ]


def weighed(rows, targets, weights):
    """Return rows that weigh as much more as their classes do.

    Parameters
    ----------
    rows : Rows
    targets : ndarray of int of shape (n_samples,) or (n_samples, n_columns)
        Indices of classes.
    weights : list of ndarray of shape (n_classes,)
        Of the classes, for each column.
    """
    columns = targets[rows.index].reshape(len(rows.index), -1).T
    weight = np.ones(len(rows.index)) if rows.weight is None else rows.weight.copy()
    for of_class, column in zip(weights, columns, strict=True):
        weight *= of_class[column]
    return rows._replace(weight=weight)


def _of_one_column(class_weight, classes, count):
    weights = np.ones(len(classes))
    present = np.arange(len(classes))
    if isinstance(class_weight, str):
        present = np.flatnonzero(count)
    weights[present] = compute_class_weight(
        class_weight,
        classes=classes[present],
        y=classes[present],
        sample_weight=count[present],
    )
    if not np.isfinite(weights).all() or weights.min() < 0 or not weights.any():
        raise ValueError(
            "class_weight must be non-negative, finite and above zero for some class, "
            f"got {class_weight!r}."
        )
    return weights
