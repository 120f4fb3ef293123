"""The columns of a table as numbers for a network: `TabularEncoder` as a graph.

By which names a category is found, and what becomes of it, is not told a second time:
the encoder's own functions look up all that can be found, and the graph has a table of
what they say.
"""

import re
from itertools import groupby

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial
from scipy.special import ndtri

from skdnn._categories import MISSING, UNKNOWN, index_of, look_up, positions
from skdnn._scalings import EDGE, N_QUANTILES, largest_square_root
from skdnn._tables import object_array

#: What stands for missing text, as tensors have no holes: nothing, or what ONNX Runtime
#: makes of None, NaN and NA.  Where one of them is a category, it is that.
MISSING_TEXT = "", "None", "nan", "<NA>"

#: Names of categories that are whole numbers, and what of these is an int64.
WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
INT64 = range(-(2**63), 2**63)

#: Of the polynomial for quantiles of the normal distribution: an error below 1e-10.
DEGREE = 28


def encode(graph, encoder, columns):
    """Return what ``encoder.encode`` does, as float64, from a list of `Column`."""
    numeric = [columns[j] for j in encoder.numeric_columns_]
    parts = []
    if encoder.n_numeric_out_:
        numbers = _side_by_side(graph, numeric, encoder.varying_columns_)
        parts.append(_scaled(graph, encoder, numbers))
    if len(encoder.missing_columns_):
        numbers = _side_by_side(graph, numeric, encoder.missing_columns_)
        parts.append(numbers.apply("IsNaN").astype(np.float64))
    one_hot, coded = [], []
    categories = zip(
        encoder.categorical_columns_, encoder.categories_, encoder.levels_, strict=True
    )
    for k, (j, names, levels) in enumerate(categories):
        if not len(levels):
            continue
        position = _position(graph, columns[j], names, levels)
        if k in encoder.coded_columns_:
            coded.append(position.astype(np.float64))
        else:
            is_it = position.equals(np.arange(len(levels)))
            one_hot.append(is_it.astype(np.float64))
    parts += one_hot + coded
    encoded = graph.concat(parts) if parts else _zeros(graph, columns[0].tensor)
    return encoded.rounded_to(encoder.dtype)


def _zeros(graph, rows):
    """Return a column of zeros."""
    n = rows.apply("Shape").take(np.array([0]), axis=0)
    return graph.add("Expand", np.zeros((1, 1)), graph.concat([n, np.array([1])]))


def _side_by_side(graph, columns, chosen):
    """Return some columns as one tensor of float64."""
    parts = []
    chosen = [columns[j] for j in chosen]
    for column in chosen:
        if column.kind == "text":
            raise ValueError(
                f"{column.title} enters as text, and the model was fitted to numbers. "
                "In a data frame, each column enters as what it is."
            )
    for _, group in groupby(chosen, key=lambda column: column.tensor.name):
        some = list(group)
        parts.append(_places(some[0], [c.place for c in some]).astype(np.float64))
    return graph.concat(parts)


def _places(column, places):
    """Return columns of the tensor that a column is in."""
    if places == list(range(column.width)):
        return column.tensor
    return column.tensor.take(np.array(places), axis=1)


# Numbers


def _scaled(graph, encoder, x):
    limit = largest_square_root(encoder.dtype)
    if encoder.numeric_scaling is None:
        return x.clip(-limit, limit)
    median = encoder.median_.astype(np.float64)
    x = graph.where(x.apply("IsNaN"), median, x) * encoder._unit
    scale = SCALINGS[encoder.numeric_scaling]
    return scale(graph, x, limit, **encoder._learned)


def _robust(graph, x, limit, center, scale):
    z = _standard(graph, x, limit, center, scale)
    third = z / 3.0
    return z / (third * third + 1).apply("Sqrt")


def _standard(graph, x, limit, center, scale):
    return ((x - center) / scale).clip(-limit, limit)


def _quantile(graph, x, limit, runs, first):
    start = np.flatnonzero(first % N_QUANTILES == 0)[1:]
    runs, first = np.split(runs, start), np.split(first % N_QUANTILES, start)
    last = [np.append(f[1:], N_QUANTILES) - 1.0 for f in first]
    middle = [0.5 * (f + la) for f, la in zip(first, last, strict=True)]
    way = [np.append(np.diff(r), 1) for r in runs]
    low, high = (np.array([r[k] for r in runs]) for k in (0, -1))

    within = x.minimum(high).maximum(low)
    tables = runs, way, last, middle
    value, way, last, middle = _at_last_below(graph, within, *tables)
    step = within - value
    rank = graph.where(step > 0, step / way + last, middle)
    rank = graph.where(x < low, 0, graph.where(x > high, N_QUANTILES - 1, rank))
    return _normal_quantile((rank / (N_QUANTILES - 1)).clip(EDGE, 1 - EDGE))


#: name -> function (graph, x, limit, **learned), as in ``skdnn/_scalings.py``
SCALINGS = {"robust": _robust, "standard": _standard, "quantile": _quantile}


def _at_last_below(graph, x, keys, *tables):
    """Return the entries of the last of the keys that is not above `x`.

    Parameters
    ----------
    x : Tensor of shape (n, n_columns)
    keys : list of ndarray
        In order, those of each column.
    *tables : list of ndarray
        Like the keys.

    Returns
    -------
    entries : list of Tensor of shape (n, n_columns)
        Of the keys and each of the tables.  Where all are above, of the first.
    """
    # By halves, in rows of a power of two that the last fills up.
    width = 1 << (max(map(len, keys)) - 1).bit_length()
    flat = [
        graph.tensor(
            np.concatenate([np.pad(a, (0, width - len(a)), "edge") for a in t])
        )
        for t in (keys, *tables)
    ]
    at = graph.tensor(width * np.arange(len(keys))[None])
    step = width // 2
    while step:
        further = at + np.array(step)
        at = graph.where(flat[0].take(further, axis=0) <= x, further, at)
        step //= 2
    return [table.take(at, axis=0) for table in flat]


def _normal_quantile(p):
    """Return the quantiles of the normal distribution, for p from `EDGE` on.

    With ``w = -log(4 p (1 - p))``, they are a polynomial of `w` times its root.
    """
    w = (-(p * (1 - p) * 4).apply("Log")).maximum(0)
    polynomial = _quantile_polynomial()
    offset, scale = polynomial.mapparms()
    t = w * scale + offset
    *others, z = polynomial.coef
    for coefficient in reversed(others):
        z = t * z + coefficient
    return z * w.apply("Sqrt") * (p - 0.5).apply("Sign")


def _quantile_polynomial():
    domain = [0, -np.log(4 * EDGE * (1 - EDGE))]
    nodes = np.cos(np.pi * (np.arange(4 * DEGREE) + 0.5) / (4 * DEGREE))
    w = domain[1] * (nodes + 1) / 2
    root = np.sqrt(-np.expm1(-w))
    z = -ndtri(np.exp(-w) / (2 + 2 * root))
    fit = Chebyshev.fit(w, z / np.sqrt(w), DEGREE, domain)
    return fit.convert(kind=Polynomial, domain=domain)


# Categories


def _position(graph, column, names, levels):
    """Return the position of each row's level (n, 1), -1 where it has none."""
    index = index_of(names, levels[levels >= 0].tolist())

    def of_codes(codes):
        position, is_there = positions(np.asarray(codes), levels)
        return np.where(is_there, position, -1)

    missing, unknown = of_codes([MISSING, UNKNOWN])
    x = _places(column, [column.place])
    values = CANDIDATES[column.kind](index)
    found = of_codes(look_up(values, index))
    if column.kind == "text":
        holes = dict.fromkeys(MISSING_TEXT, missing)
        known = dict(zip(values, found, strict=True))
        return graph.labels(x, holes | known, unknown)
    if column.kind == "bool":
        return graph.tensor(found).take(x.astype(np.int64), axis=0)
    x = x.astype(values.dtype)
    key, position = _at_last_below(graph, x, [values], [found])
    position = graph.where(key.equals(x), position, np.array(unknown))
    if column.kind == "integers":
        return position
    return graph.where(x.apply("IsNaN"), np.array(missing), position)


def _texts(index):
    return object_array(key for key in index if isinstance(key, str))


def _bools(index):
    return np.array([False, True])


def _integers(index):
    whole = {int(k) for k in index if isinstance(k, float) and k.is_integer()}
    # Beyond 2^53, not all of them are floats.
    whole |= {int(k) for k in _texts(index) if WHOLE.fullmatch(k)}
    return np.array(sorted(k for k in whole if k in INT64) or [0], dtype=np.int64)


def _numbers(index):
    numbers = {k for k in index if isinstance(k, float)}
    numbers |= {float(k) for k in _texts(index) if k in ("inf", "-inf")}
    return np.array(sorted(numbers) or [0.0])


#: kind of column -> function of an index that returns all the values it can have there
CANDIDATES = {
    "text": _texts,
    "bool": _bools,
    "integers": _integers,
    "numbers": _numbers,
}
