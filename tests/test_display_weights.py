"""The weights that are drawn are those of the first layer."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from skdnn import WeightsDisplay
from skdnn.nn.embeddings import EntityEmbedding
from skdnn.nn.inputs import first_weights
from tests.plain import plain_classifier
from tests.tables import binary, classifier, holes

#: Columns that are pixels of images of 2 x 3, the fourth of which is always dark.
PIXELS, LABELS = binary(d=6)
PIXELS[:, 3] = 0


def labels(display):
    """Return the names beside the bars."""
    return [tick.get_text() for tick in display.ax_.get_yticklabels()]


def test_images(plt):
    """Each unit is an image of its weights, the strongest first."""
    clf = plain_classifier((4,)).fit(PIXELS, LABELS)
    display = WeightsDisplay.from_estimator(clf, image_shape=(2, 3))
    assert display.weights.shape == (6, 4)
    np.testing.assert_allclose(display.weights[[0, 1, 2, 4, 5]], clf.coefs_[0])
    np.testing.assert_array_equal(display.weights[3], 0)
    image = display.image_.get_array()
    assert image.shape == (7, 9)
    strongest = np.linalg.norm(display.weights, axis=0).argmax()
    first = display.weights[:, strongest].reshape(2, 3)
    np.testing.assert_array_equal(image[1:3, 1:4], first)
    assert image.mask[0].all()
    low, high = display.image_.get_clim()
    assert (low, high) == (-high, np.abs(display.weights).max())


def test_one_image(plt):
    """A unit can be drawn alone."""
    clf = plain_classifier((4,)).fit(PIXELS, LABELS)
    display = WeightsDisplay.from_estimator(clf, image_shape=(2, 3), unit=2)
    image = display.weights[:, 2].reshape(2, 3)
    np.testing.assert_array_equal(display.image_.get_array(), image)
    assert display.ax_.get_title() == "DNNClassifier, unit 2"


def test_most_images(plt):
    """Of many units, the strongest are drawn."""
    clf = plain_classifier((7,)).fit(PIXELS, LABELS)
    display = WeightsDisplay.from_estimator(
        clf, image_shape=(2, 3), max_shown=4, name="mine"
    )
    assert display.image_.get_array().shape == (7, 9)
    assert display.ax_.get_title() == "mine, 4 of 7 units"


def test_norms(plt):
    """Where columns are embedded, a pixel is the norm of what becomes of it."""
    params = {"numeric_embedding": "periodic", "n_members": 2}
    clf = classifier((4,), **params).fit(holes(PIXELS), LABELS)
    display = WeightsDisplay.from_estimator(clf, image_shape=(2, 3))
    weights, sources = first_weights(clf.network_)
    of_second = np.linalg.norm(np.hstack(weights)[sources == 1], axis=0)
    np.testing.assert_allclose(display.weights[1], of_second)
    assert display.weights.shape == (6, 8)
    assert display.image_.get_clim()[0] == 0


def test_bars(plt):
    """Each column has a bar: the root mean square of its weights, the longest first."""
    frame = pd.DataFrame(binary()[0], columns=["a", "b" * 40, "c", "d"])
    clf = plain_classifier((8,)).fit(frame, binary()[1])
    display = WeightsDisplay.from_estimator(clf)
    expected = np.sqrt(np.mean(clf.coefs_[0] ** 2, axis=1))
    order = np.argsort(-expected)
    np.testing.assert_allclose(
        [bar.get_width() for bar in display.bars_], expected[order]
    )
    names = np.array(["a", "b" * 29 + "…", "c", "d"])
    assert labels(display) == names[order].tolist()
    assert display.image_ is None


def test_bars_of_a_unit(plt):
    """Those of one unit have signs."""
    clf = plain_classifier((8,)).fit(*binary())
    display = WeightsDisplay.from_estimator(clf, unit=5, max_shown=2)
    weights = clf.coefs_[0][:, 5]
    order = np.argsort(-np.abs(weights))[:2]
    widths = [bar.get_width() for bar in display.bars_]
    np.testing.assert_allclose(widths, weights[order])
    assert labels(display) == [f"x{i}" for i in order]
    assert display.ax_.get_title() == "DNNClassifier, unit 5, 2 of 4 columns"


def test_bars_of_categories(plt):
    """A category has a bar; where it is a code that is embedded, its column has one."""
    X, y = binary()
    frame = pd.DataFrame(X, columns=[*"abcd"]).assign(word=["u", "v"] * 30)
    clf = plain_classifier().fit(frame, y)
    names = {*"abcd", "word_u", "word_v"}
    assert set(labels(WeightsDisplay.from_estimator(clf))) == names
    embedding = EntityEmbedding(max_one_hot=0)
    clf = classifier(categorical_embedding=embedding).fit(frame, y)
    assert set(labels(WeightsDisplay.from_estimator(clf))) == {*"abcd", "word"}


def test_nothing_varies(plt):
    """A table of constants has an input of zeros, and its bar."""
    clf = plain_classifier().fit(np.ones((20, 2)), [0, 1] * 10)
    assert len(WeightsDisplay.from_estimator(clf).bars_) == 1


def test_plain_arrays(plt):
    """A display can be made of an array alone, and drawn again."""
    display = WeightsDisplay(np.array([[1.0, -1.0], [0.0, 3.0]]))
    assert display.plot() is display
    assert labels(display) == ["x1", "x0"]
    _, ax = plt.subplots()
    assert display.plot(ax=ax, unit=0).ax_ is ax


@pytest.mark.parametrize("image_shape", [(2, 2), (6,), (1, 2, 3)])
def test_wrong_shape(image_shape):
    """Images have height and width, and a pixel for each column."""
    clf = plain_classifier().fit(PIXELS, LABELS)
    with pytest.raises(ValueError, match=r"image_shape=.*X has columns, 6"):
        WeightsDisplay.from_estimator(clf, image_shape=image_shape)


def test_categories_are_no_pixels():
    """A column of categories is no pixel."""
    clf = classifier(categorical_features=[0]).fit(np.abs(PIXELS).round(), LABELS)
    with pytest.raises(ValueError, match="1 columns are categories"):
        WeightsDisplay.from_estimator(clf, image_shape=(2, 3))


@pytest.mark.parametrize("unit", [-1, 8])
def test_no_such_unit(unit):
    """A unit that there is none of is an error."""
    clf = plain_classifier((8,)).fit(*binary())
    with pytest.raises(ValueError, match=f"unit={unit}, but there are 8 units"):
        WeightsDisplay.from_estimator(clf, unit=unit)


def test_not_fitted():
    """An estimator that is not fitted has no weights."""
    with pytest.raises(NotFittedError):
        WeightsDisplay.from_estimator(classifier())
