"""Few of many combinations of parameters."""

from collections import Counter


def sample(combinations):
    """Return where the few combinations are that hold each value at least once.

    A combination has a value, which is hashable, for the name of each parameter. Each
    choice adds as many new values as there are to add, and else what came least.
    """
    combinations = [frozenset(combination.items()) for combination in combinations]
    used, missing = Counter(), set().union(*combinations)

    def gain(i):
        values = combinations[i]
        return len(values & missing), -sum(used[value] for value in values)

    chosen = []
    while missing:
        best = max(range(len(combinations)), key=gain)
        chosen.append(best)
        missing -= combinations[best]
        used.update(combinations[best])
    return chosen
