"""What is measured in the layers, and drawn, over the epochs of a training."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss

from skdnn import ActivationsDisplay, HiddenFeatures, LayerMonitor
from skdnn.monitoring import MEASURED_ROWS, measure_layers
from skdnn.nn.layers import Dense
from tests.plain import plain_classifier, plain_regressor
from tests.tables import (
    RECIPES,
    TASKS,
    binary,
    classifier,
    layers,
    multiclass,
    regression,
)

EXACT = {"dtype": "float64", "activation": "tanh"}


def watched(estimator, X, y, **fit_params):
    """Return the monitor of a fit."""
    monitor = LayerMonitor()
    estimator.set_callbacks(monitor).fit(X, y, **fit_params)
    return monitor


# What is measured


@pytest.mark.parametrize("params", [{}, {"parametrization": "ntk"}, {"n_members": 2}])
def test_gradients(params):
    """They are the slopes of the mean loss in the weights, by finite differences."""
    X, y = multiclass()
    clf = plain_classifier((3,), **EXACT, **params).fit(X, y)
    _, gradients, _ = measure_layers(clf, X, y)

    def loss():
        # Each member learns for itself.
        members = range(params.get("n_members", 1))
        alone = [clf._as_estimator(clf._model.member(i)) for i in members]
        models = alone if len(alone) > 1 else [clf]
        return sum(log_loss(y, model.predict_proba(X)) for model in models)

    for dense, gradient in zip(layers(clf, Dense), gradients, strict=True):
        slopes, step = [], 1e-5 / dense.multiplier
        for i in range(dense.weight.size):
            values = []
            for change in (step, -2 * step):
                dense.weight.flat[i] += change
                values.append(loss())
            dense.weight.flat[i] += step
            slopes.append((values[0] - values[1]) / 2e-5)
        expected = np.sqrt(np.mean(np.square(slopes)))
        np.testing.assert_allclose(gradient, expected, rtol=1e-5)


@pytest.mark.parametrize("recipe", RECIPES)
def test_activations(recipe):
    """They are the deviations of the hidden features."""
    X, y = multiclass()
    X[:, 3] = np.arange(len(X)) % 7
    params = {"hidden_layer_dims": (8, 6)} | RECIPES[recipe]
    clf = classifier(**params).fit(X, y)
    activations, _, dead_units = measure_layers(clf, X, y)
    for layer in range(2):
        hidden = HiddenFeatures(FrozenEstimator(clf), layer).fit(X, y).transform(X)
        expected = np.sqrt(np.mean(hidden.astype(float).var(axis=0)))
        np.testing.assert_allclose(activations[layer], expected, rtol=1e-4)
    np.testing.assert_array_equal(dead_units, 0)


def test_dead_units():
    """A rectifier that is always zero is dead, one that never is is not."""
    X, y = binary()
    clf = plain_classifier((4, 5), activation="relu").fit(X, y)
    for bias, dead in zip(clf.intercepts_, (1, 3), strict=False):
        bias[:dead] = -1e3
        bias[dead:] = 1e3
    np.testing.assert_allclose(measure_layers(clf, X, y)[2], [1 / 4, 3 / 5])


def test_saturated_sigmoids():
    """So is a sigmoid that is one for all rows, in the precision of the network."""
    X, y = binary()
    clf = plain_classifier((4,), activation="sigmoid").fit(X, y)
    clf.intercepts_[0][:] = 0, 0, 30, 30
    assert measure_layers(clf, X, y)[2] == 0.5


def test_next_to_nothing():
    """Deep in sigmoids, differences between rows are far below what rounding makes."""
    X, y = binary()
    clf = plain_classifier((8,) * 20, activation="sigmoid", max_iter=1).fit(X, y)
    activations, _, dead_units = measure_layers(clf, X, y)
    assert activations[-1] < 1e-10
    assert dead_units[-1] == 1


def test_measuring_changes_nothing():
    """The network is as before, running averages of batch norm included."""
    X, y = binary()
    clf = plain_classifier(batch_norm=True, dropout=0.5).fit(X, y)
    before = clf.network_.snapshot()
    first, again = (measure_layers(clf, X, y) for _ in range(2))
    for of_first, of_second in zip(first, again, strict=True):
        np.testing.assert_array_equal(of_first, of_second)
    for old, new in zip(before, clf.network_.snapshot(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_frozen_layers():
    """Layers that are not trained have no gradient."""
    X, y = binary()
    pretrained = plain_classifier((6, 6)).fit(X, y)
    params = {"pretrained": pretrained, "n_frozen_layers": 1}
    clf = plain_classifier((6, 6), **params).fit(X, 1 - y)
    _, gradients, _ = measure_layers(clf, X, 1 - y)
    assert (gradients > 0).tolist() == [False, True, True]


def test_weights_are_copies():
    """A row of weight 2 has the gradient of two rows."""
    X, y = binary()
    clf = plain_classifier(**EXACT).fit(X, y)
    weight = np.repeat([1, 2], 30)
    rows = np.repeat(np.arange(60), weight)
    _, weighted, _ = measure_layers(clf, X, y, weight)
    _, copied, _ = measure_layers(clf, X[rows], y[rows])
    np.testing.assert_allclose(weighted, copied, rtol=1e-9)


def test_rows():
    """Of many rows, some are looked at, from the first to the last."""
    X, y = binary(2 * MEASURED_ROWS - 1)
    clf = plain_classifier(max_iter=1).fit(X, y)
    for measured, expected in zip(
        measure_layers(clf, X, y), measure_layers(clf, X[::2], y[::2]), strict=True
    ):
        np.testing.assert_array_equal(measured, expected)
    frame = pd.DataFrame(X)
    clf.fit(frame, y)
    _, gradients, _ = measure_layers(clf, frame, list(y), np.ones(len(y)))
    np.testing.assert_array_equal(gradients, measure_layers(clf, frame, y)[1])


def test_sparse():
    """A sparse table is that of its entries."""
    X, y = binary()
    X = X.clip(0)
    clf = plain_classifier(**EXACT).fit(X, y)
    for dense, sparse in zip(
        measure_layers(clf, X, y), measure_layers(clf, csr_array(X), y), strict=True
    ):
        np.testing.assert_allclose(dense, sparse)


# The callback


@pytest.mark.parametrize("task", TASKS)
def test_monitor(task):
    """There is a measurement for each epoch, that of the network after it."""
    make, data = TASKS[task]
    X, y = data()
    estimator = make(early_stopping=False)
    monitor = watched(estimator, X, y)
    assert len(monitor.gradients) == len(monitor.activations) == estimator.n_iter_
    last = measure_layers(estimator, X, y)
    np.testing.assert_array_equal(monitor.activations[-1], last[0])
    np.testing.assert_array_equal(monitor.gradients[-1], last[1])
    np.testing.assert_array_equal(monitor.dead_units[-1], last[2])


def test_monitor_begins_anew():
    """A second fit takes the place of the first, and weights are those of the fit."""
    X, y = binary()
    clf, weight = plain_classifier(), np.arange(60.0)
    monitor = watched(clf, X, y)
    clf.set_params(max_iter=2).fit(X, y, sample_weight=weight)
    assert len(monitor.gradients) == 2
    np.testing.assert_array_equal(
        monitor.gradients[-1], measure_layers(clf, X, y, weight)[1]
    )


def test_vanishing_gradients():
    """Deep in sigmoids they vanish, and with batch norm they don't."""
    X, y = binary(200)
    shares = {}
    for batch_norm in (False, True):
        clf = plain_classifier((8,) * 8, activation="sigmoid", batch_norm=batch_norm)
        first, *_, last, _ = watched(clf, X, y).gradients[-1]
        shares[batch_norm] = first / last
    assert shares[False] < 1e-3
    assert shares[True] > 1e-2


# What is drawn


def test_display(plt):
    """The lines are what was measured, those of all layers, over the epochs from 1."""
    X, y = binary()
    clf = plain_classifier((8, 6, 4))
    display = ActivationsDisplay.from_estimator(clf, X, y)
    monitor = watched(plain_classifier((8, 6, 4)), X, y)
    assert not hasattr(clf, "network_")
    assert [*display.axes_] == ["activations", "gradients", "dead_units"]
    for name, n_lines in zip(display.axes_, (3, 4, 3), strict=True):
        lines = display.lines_[name]
        assert len(lines) == n_lines
        for layer, line in enumerate(lines):
            np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3, 4, 5])
            of_layer = np.array(getattr(monitor, name))[:, layer]
            np.testing.assert_array_equal(line.get_ydata(), of_layer)
        assert lines[0].axes is display.axes_[name]
    legend = display.axes_["dead_units"].get_legend()
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["hidden 1", "hidden 2", "hidden 3", "output"]
    assert display.axes_["activations"].get_title(loc="left") == "DNNClassifier"


def test_display_of_a_monitor(plt):
    """A fit of one's own can be drawn, with weights as a fit of the display's own."""
    X, y = regression()
    weight = np.arange(60.0)
    monitor = watched(plain_regressor(), X, y, sample_weight=weight)
    mine = ActivationsDisplay.from_monitor(monitor, name="mine")
    other = ActivationsDisplay.from_estimator(
        plain_regressor(), X, y, name="mine", fit_params={"sample_weight": weight}
    )
    np.testing.assert_array_equal(mine.gradients, other.gradients)
    assert mine.axes_["activations"].get_title(loc="left") == "mine"


def test_one_quantity(plt):
    """A single quantity is drawn in the axes that are passed, several beside it."""
    monitor = watched(plain_classifier(), *binary())
    figure, ax = plt.subplots()
    display = ActivationsDisplay.from_monitor(monitor, quantities=["gradients"], ax=ax)
    assert display.axes_ == {"gradients": ax}
    assert (display.ax_, display.figure_) == (ax, figure)
    display.plot(ax=ax, quantities=["dead_units", "gradients"])
    assert [*display.axes_] == ["dead_units", "gradients"]
    assert len(figure.axes) == 3
    with pytest.raises(ValueError, match="one of a grid"):
        display.plot(ax=figure.add_axes((0, 0, 1, 1)))


def test_deep_legend(plt):
    """Of many layers, the legend names some."""
    monitor = watched(plain_classifier((4,) * 20, max_iter=1), *binary())
    display = ActivationsDisplay.from_monitor(monitor, quantities=["activations"])
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert [names[0], names[-1], len(names)] == ["hidden 1", "output", 6]


def test_linear_model(plt):
    """A network without hidden layers has the gradient of its output alone."""
    monitor = watched(plain_classifier(()), *binary())
    display = ActivationsDisplay.from_monitor(monitor)
    assert [len(lines) for lines in display.lines_.values()] == [0, 1, 0]
    display.figure_.canvas.draw()


#: Kinds of members, of which the second has another depth.
KINDS = {
    "portfolio": [{}, {"hidden_layer_dims": (4, 4)}, {"alpha": 1.0}],
    "n_members": 3,
    "early_stopping": True,
}


def test_kinds_of_another_depth_are_not_monitored():
    """What is measured layer by layer has one number of layers."""
    monitor = watched(classifier(**KINDS), *binary())
    assert [len(of_epoch) for of_epoch in monitor.gradients] == [2] * 10


def test_activations_are_those_of_one_kind(plt):
    """As in a figure that has an epoch after the other."""
    display = ActivationsDisplay.from_estimator(classifier(**KINDS), *binary())
    assert len(display.activations) == 5


def test_no_epoch():
    """A monitor that was set nowhere has nothing to draw."""
    with pytest.raises(ValueError, match="has seen no epoch"):
        ActivationsDisplay.from_monitor(LayerMonitor())


def test_unknown_quantity():
    """A quantity that there is none of is an error that names them."""
    display = ActivationsDisplay([[1.0]], [[1.0, 1.0]], [[0.0]])
    with pytest.raises(ValueError, match=r"of \['activations', .* got 'losses'"):
        display.plot(quantities=["losses"])
