"""Fitted models as arrays, for programs without skdnn."""

from numbers import Real

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from skdnn._categories import MISSING, UNKNOWN, positions
from skdnn._scalings import largest_square_root
from skdnn._version import __version__

__all__ = ["to_arrays"]


def to_arrays(estimator):
    """Return all that prediction needs as a flat dict of arrays.

    They are numbers, bools and text, so that ``numpy.savez`` makes a file of them that
    is read without pickle. ``docs/export.md`` tells what they mean, and has the lines
    of NumPy that predict from them.

    Parameters
    ----------
    estimator : DNNClassifier or DNNRegressor
        A fitted one.

    Returns
    -------
    arrays : dict of str to ndarray
        Copies. The names are paths: ``"encoder/..."`` is what turns a table into
        numbers, ``"network/0/..."`` the first layer, ``"target/..."`` what turns the
        raw predictions of the last one into those of the model.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdnn import DNNClassifier
    >>> from skdnn.export import to_arrays
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = DNNClassifier((16,), recipe="plain", max_iter=20, tol=None).fit(X, y)
    >>> arrays = to_arrays(clf)
    >>> [str(arrays[f"network/{i}/kind"]) for i in range(3)]
    ['Dense', 'Activate', 'Dense']
    >>> arrays["network/0/weight"].shape
    (4, 16)
    """
    check_is_fitted(estimator)
    tree, kinds = {"skdnn": __version__}, estimator.kinds_
    if kinds is None:
        tree |= _predictor(estimator)
    else:
        tree["weights"] = estimator.kind_weights_
        tree["kinds"] = {str(i): _predictor(kind) for i, kind in enumerate(kinds)}
    return dict(_paths(tree))


def _predictor(estimator):
    """Return what predicts with members of one kind."""
    model = estimator._model
    return {
        "dtype": model.network.params.dtype.name,
        "encoder": _encoder(model.encoder),
        "network": {str(i): _layer(ly) for i, ly in enumerate(model.network.layers)},
        "target": _target(model, is_classifier(estimator)),
    }


def _paths(tree, path=""):
    """Yield the entries of dicts in dicts, each with the way to it as its name."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _paths(value, f"{path}{name}/")
        else:
            value = np.array(value)
            yield f"{path}{name}", value.astype(str) if value.dtype == object else value


def _encoder(encoder):
    numeric = encoder.numeric_columns_
    tree = {
        "scaling": encoder.numeric_scaling or "none",
        "numbers": numeric[encoder.varying_columns_],
        "missing": numeric[encoder.missing_columns_],
        "limit": largest_square_root(encoder.dtype),
    }
    if encoder.numeric_scaling is not None and encoder.n_numeric_out_:
        tree |= {"median": encoder.median_, "unit": encoder._unit, **encoder._learned}
    columns = zip(
        encoder.categorical_columns_, encoder.categories_, encoder.levels_, strict=True
    )
    coded = set(encoder.coded_columns_.tolist())
    trees = [
        (k in coded, _category(k in coded, *column))
        for k, column in enumerate(columns)
        if len(encoder.levels_[k])
    ]
    # As in the result: those of codes are the last.
    trees.sort(key=lambda pair: pair[0])
    return tree | {"categories": {str(i): t for i, (_, t) in enumerate(trees)}}


def _category(is_coded, column, names, levels):
    position, is_there = positions(np.array([MISSING, UNKNOWN]), levels)
    missing, other = np.where(is_there, position, -1)
    return {
        "column": column,
        "names": np.array(names, dtype=str),
        "first": len(levels) - len(names),
        "missing": missing,
        "other": other,
        "size": len(levels),
        "coded": is_coded,
    }


def _layer(layer):
    """Return parameters, statistics and settings of a layer, by their names there."""
    kinds = str, Real, np.ndarray
    own = {k: v for k, v in vars(layer).items() if not k.startswith("_")}
    plain = {k: v for k, v in own.items() if isinstance(v, kinds)}
    return {"kind": type(layer).__name__, **plain}


def _target(model, is_classes):
    targets = model.targets
    tree = {"link": targets.loss.link, "temperature": model.temperature}
    if is_classes:
        exclusive = not targets.multilabel
        return tree | {"classes": targets.classes, "exclusive": exclusive}
    tree |= {"location": targets.location, "scale": targets.scale}
    return tree if targets.loss.levels is None else tree | {"ranks": targets.ranks}
