"""`verbose`: what is printed, and that nothing is unless asked for."""

import pytest

from tests import plain
from tests.plain import plain_classifier, plain_regressor
from tests.tables import binary

both = pytest.mark.parametrize("make", [plain_classifier, plain_regressor])
tasks = pytest.mark.parametrize("task", plain.TASKS)


@both
@pytest.mark.parametrize("early_stopping", [False, True])
def test_verbose_prints_a_line_an_epoch(make, early_stopping, capsys):
    """`verbose` prints a line an epoch, with its number and its loss."""
    est = make(verbose=True, max_iter=3, early_stopping=early_stopping).fit(*binary())
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["epoch", str(i)] for i in (1, 2, 3)
    ]
    for line, loss in zip(lines, est.loss_curve_, strict=True):
        assert f"loss {loss:.6f}" in line
        assert ("score" in line) == early_stopping


@both
def test_verbose_tells_kinds_apart(make, capsys):
    """There is a line before the epochs of each kind of members."""
    make(portfolio=[{}, {"alpha": 1.0}], n_members=3, verbose=True, max_iter=1).fit(
        *binary()
    )
    first, epoch, second, again = capsys.readouterr().out.splitlines()
    assert [first, second] == ["kind 1 of 2, n_members=2", "kind 2 of 2, n_members=1"]
    assert epoch.startswith("epoch    1")
    assert again.startswith("epoch    1")


@both
@pytest.mark.parametrize("verbose", [False, 0])
def test_verbose_false_prints_nothing(make, verbose, capsys):
    """Without `verbose`, nothing is printed."""
    make(verbose=verbose, early_stopping=True).fit(*binary())
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


@tasks
def test_fault_37_nothing_is_printed_unless_asked(task, capfd):
    """Without `verbose` nothing is printed, on either stream.

    A peer released a training loop with its debug prints.
    """
    make, data = plain.TASKS[task]
    X, y = data()
    est = make(early_stopping=True).fit(X, y).set_params(early_stopping=False)
    est.partial_fit(X, y)
    est.predict(X)
    est.score(X, y)
    make(solver="bgd", optimizer="lbfgs", verbose=0).fit(X, y)
    assert capfd.readouterr() == ("", "")
    est.set_params(verbose=1).fit(X, y)
    assert capfd.readouterr().out.count("\n") == 5
