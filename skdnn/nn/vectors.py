"""Flat vectors of parameters, gradients or statistics, and the views of each layer."""

from math import prod
from typing import NamedTuple

__all__ = [
    "ParameterGroup",
    "share_parameters",
    "share_statistics",
    "without_views",
]


class ParameterGroup(NamedTuple):
    """A run of the flat vector whose entries are trained alike."""

    span: slice
    decayed: bool
    learning_rate: float


def share_parameters(vector, layers, owners, learning_rates, suffix=""):
    """Give each owner the views of `vector` that its layer declares; return the groups.

    Entries that are trained alike lie together, those that decay first.  Frozen ones
    are last, and of no group.
    """
    declared = [
        (layer, parameter, learning_rates.get(parameter.kind, 1.0), owner, name)
        for layer, owner in zip(layers, owners, strict=True)
        for name, parameter in layer.parameters.items()
    ]
    declared.sort(key=lambda d: (d[0].frozen, not d[1].decayed, d[2]))
    groups, start = [], 0
    for layer, (shape, _, decayed), learning_rate, owner, name in declared:
        span = slice(start, start + prod(shape))
        setattr(owner, name + suffix, vector[span].reshape(shape))
        start = span.stop
        if layer.frozen:
            continue
        if groups and groups[-1][1:] == (decayed, learning_rate):
            span = slice(groups.pop().span.start, span.stop)
        groups.append(ParameterGroup(span, decayed, learning_rate))
    return groups


def share_statistics(vector, layers, owners):
    """Give each owner the views of `vector` that are its layer's statistics."""
    start = 0
    for layer, owner in zip(layers, owners, strict=True):
        for name, shape in layer.statistics.items():
            stop = start + prod(shape)
            setattr(owner, name, vector[start:stop].reshape(shape))
            start = stop


def without_views(layer):
    """Return a copy of a layer that holds no parameters and no statistics."""
    copy = object.__new__(type(layer))
    views = {*layer.parameters, *layer.statistics}
    copy.__dict__.update({k: v for k, v in layer.__dict__.items() if k not in views})
    return copy
