"""From raw predictions to what a model predicts: `Targets` and a loss as a graph."""

import numpy as np

from skdnn.nn.losses import Loss

#: Methods of a loss that are told again here.
METHODS = "average", "inverse_link", "predict"


def decisions(graph, targets, raw, n_members):
    """Return the raw predictions of each class (n, n_classes), for skl2onnx.

    They are those of ``targets.decisions(raw)``, for two classes with their opposite.
    """
    raw = _averaged(targets, raw, n_members)
    one_column = targets.n_outputs == 1 and not targets.multilabel
    return graph.concat([-raw, raw]) if one_column else raw


def probabilities(graph, targets, raw, n_members):
    """Return what ``targets.probabilities(raw)`` does."""
    if targets.exclusive_sigmoids:
        return _log_sigmoid(_averaged(targets, raw, n_members)).apply(
            "Softmax", axis=-1
        )
    proba = _predictions(targets, raw, n_members)
    if targets.multilabel or targets.n_outputs > 1:
        return proba
    if len(targets.classes) == 1:
        return proba * 0 + 1
    return graph.concat([1 - proba, proba])


def labels(graph, targets, proba):
    """Return what ``targets.predict(raw)`` does, from probabilities."""
    if targets.multilabel:
        return (proba > 0.5).astype(np.int64)
    best = proba.apply("ArgMax", axis=1, keepdims=0)
    return graph.tensor(label_array(targets.classes)).take(best, axis=0)


def label_array(classes):
    """Return the classes in a dtype that tensors have."""
    dtypes = {"O": object, "U": object, "b": bool, "f": np.float64}
    return classes.astype(dtypes.get(classes.dtype.kind, np.int64))


def numbers(graph, targets, raw, n_members):
    """Return what ``targets.predict(raw)`` does, as (n, n_outputs)."""
    y = _predictions(targets, raw, n_members) * targets.scale + targets.location
    limits = np.finfo(np.float64)
    low = limits.tiny if targets.loss.link == "exp" else limits.min
    y = y.clip(float(low), float(limits.max))
    if targets.loss.levels is None:
        return y
    return graph.sort(y, targets.n_outputs).take(targets.ranks, axis=1)


def _predictions(targets, raw, n_members):
    """Return what ``targets.loss.predict(raw)`` does: of members, their mean."""
    link = _link(targets.loss)
    predictions = INVERSE_LINKS[link](raw)
    return predictions if n_members is None else predictions.mean(axis=0)


def mixed(graph, targets, parts, weights):
    """Return raw predictions whose inverse link is a weighted mean of that of others.

    Parameters
    ----------
    parts : list of (raw, n_members)
    weights : ndarray of shape (n_parts,)
    """
    raw = [_averaged(targets, *part) for part in parts]
    side_by_side = graph.concat(raw).reshape(0, len(raw), targets.n_outputs)
    return _mean(targets, side_by_side.transpose(1, 0, 2), weights)


def _averaged(targets, raw, n_members):
    """Return what ``targets.averaged(raw)`` does."""
    if n_members is None:
        return raw
    return _mean(targets, raw, np.full(n_members, 1 / n_members))


def _mean(targets, raw, weights):
    """Return what ``targets.loss.average(raw, weights)`` does."""
    return AVERAGES[_link(targets.loss)](raw, weights[:, None, None])


def _link(loss):
    """Return the link of a loss that does with it what all do."""
    for name in METHODS:
        if getattr(type(loss), name) is not getattr(Loss, name):
            raise NotImplementedError(
                f"There is no ONNX for loss={loss!r}, whose method {name!r} is its own."
            )
    return loss.link


def _log_sigmoid(x):
    tail = ((-x.apply("Abs")).apply("Exp") + 1).apply("Log")
    return x.minimum(0) - tail


#: link -> function of raw predictions, that of ``skdnn/nn/losses.py``
INVERSE_LINKS = {
    "identity": lambda raw: raw,
    "sigmoid": lambda raw: raw.apply("Sigmoid"),
    "softmax": lambda raw: raw.apply("Softmax", axis=-1),
    "exp": lambda raw: raw.apply("Exp"),
}


def _mean_of_members(values, weights):
    return (values * (len(weights) * weights)).mean(axis=0)


def _log_mean_exp(raw, weights):
    with np.errstate(divide="ignore"):
        return (raw + np.log(weights)).log_sum_exp(axis=0)


def _logit_mean_sigmoid(raw, weights):
    above, below = (_log_mean_exp(_log_sigmoid(x), weights) for x in (raw, -raw))
    return above - below


def _log_mean_softmax(raw, weights):
    return _log_mean_exp(raw.apply("LogSoftmax", axis=-1), weights)


#: link -> function (raw, weights), that of ``skdnn/nn/losses.py``
AVERAGES = {
    "identity": _mean_of_members,
    "sigmoid": _logit_mean_sigmoid,
    "softmax": _log_mean_softmax,
    "exp": _log_mean_exp,
}
