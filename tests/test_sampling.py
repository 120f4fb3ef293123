"""Samples of the combinations of parameters that the fast tests run."""

from itertools import product

import pytest

from tests.sampling import sample


def combinations(*sizes):
    """Return all combinations of some numbers of values."""
    return [dict(enumerate(values)) for values in product(*map(range, sizes))]


@pytest.mark.parametrize("sizes", [(1,), (5,), (2, 2), (3, 7), (5, 4, 2), (2, 3, 4, 5)])
def test_each_value_is_there(sizes):
    """As many combinations as the longest parameter has values hold each value."""
    every = combinations(*sizes)
    chosen = [every[i] for i in sample(every)]
    assert len(chosen) == max(sizes)
    for name, size in enumerate(sizes):
        assert {values[name] for values in chosen} == set(range(size))


def test_what_comes_often_comes_with_different_values():
    """Where one parameter has more values than another, the latter's take turns."""
    every = combinations(6, 3)
    assert [every[i][1] for i in sample(every)] == [0, 1, 2, 0, 1, 2]


def test_combinations_that_are_missing():
    """Not all combinations need to be there."""
    assert sample([{0: 0, 1: 0}, {0: 1, 1: 0}, {0: 1, 1: 1}]) == [0, 2]
