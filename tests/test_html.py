"""What a notebook shows: the layers as a table, the loss as a curve."""

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from sklearn import config_context
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdnn import DNNClassifier, DNNRegressor, HiddenFeatures, _html
from skdnn.encoding import TabularEncoder
from tests.docs import listed_names
from tests.plain import plain_classifier
from tests.tables import TASKS, binary, classifier, regressor

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


def shown(est):
    """Return what skdnn adds to scikit-learn's diagram, parsed."""
    html = est._repr_html_()
    return ET.fromstring(html[html.index('<div class="skdnn-network">') :])


def rows(est):
    """Return the cells of each row of the table."""
    return [[cell.text or "" for cell in row] for row in shown(est).iter("tr")]


def points(line):
    """Return the points of a line but the last, which is there twice."""
    pairs = [list(map(float, p.split(","))) for p in line.get("points").split()]
    assert pairs[-1] == pairs[-2]
    return np.array(pairs[:-1])


def test_table():
    """The numbers of units and parameters are those of the textbook."""
    est = plain_classifier((5, 3), dropout=[0.0, 0.1]).fit(*TASKS["multiclass"][1]())
    assert rows(est) == [
        ["Layer", "Units", "", "Parameters"],
        ["input", "4", "4 columns", "0"],
        ["hidden 1", "5", "relu", str(4 * 5 + 5)],
        ["hidden 2", "3", "relu, dropout 0.1", str(5 * 3 + 3)],
        ["output", "3", "softmax", str(3 * 3 + 3)],
    ]
    assert next(shown(est).iter("caption")).text == "Network: 55 parameters"


@pytest.mark.parametrize("task", TASKS)
def test_parameters_add_up(task):
    """Those of all layers are those of the network, of all members."""
    est = TASKS[task][0]().fit(*TASKS[task][1]())
    numbers = [int(row[-1].replace(",", "")) for row in rows(est)[1:]]
    assert sum(numbers) == est.network_.params.size
    caption = next(shown(est).iter("caption")).text
    assert caption == f"Network: {sum(numbers):,} parameters in 2 members"


def test_curve():
    """Each epoch has its point: the highest on top, the lowest on the axis."""
    est = regressor(early_stopping=False, max_iter=7).fit(*TASKS["regression"][1]())
    (line,) = shown(est).iter("polyline")
    x, y = points(line).T
    np.testing.assert_allclose(np.diff(x), np.diff(x)[0], atol=0.11)
    loss = np.array(est.loss_curve_)
    assert y[loss.argmax()] == _html.TOP
    assert y[loss.argmin()] == _html.HEIGHT - _html.BOTTOM
    np.testing.assert_array_equal(np.argsort(-y), np.argsort(loss))


def test_curve_of_validation():
    """The loss on validation rows is there too, and the best epoch is marked."""
    est = classifier(early_stopping=True).fit(*binary())
    training, validation = map(points, shown(est).iter("polyline"))
    assert len(training) == len(validation) == est.n_iter_
    (mark,) = shown(est).iter("circle")
    place = [float(mark.get("cx")), float(mark.get("cy"))]
    np.testing.assert_array_equal(place, validation[est.best_iter_ - 1])


def test_an_epoch_is_a_dot():
    """One epoch, and losses that are all the same, are drawn too."""
    est = classifier(max_iter=1, early_stopping=False).fit(*binary())
    (line,) = shown(est).iter("polyline")
    assert points(line).shape == (1, 2)


def test_what_overflowed_is_left_out():
    """A loss that is not finite has no point, and does not hide the others."""
    est = classifier(early_stopping=True).fit(*binary())
    est.validation_loss_curve_[-1] = np.inf
    training, validation = map(points, shown(est).iter("polyline"))
    assert len(validation) == len(training) - 1
    assert np.isfinite(validation).all()


def test_where_there_is_none():
    """Before `fit`, and in a pipeline, it is scikit-learn's diagram alone."""
    est = classifier()
    assert "skdnn-network" not in est._repr_html_()
    pipe = make_pipeline(StandardScaler(), est).fit(*binary())
    assert "skdnn-network" not in pipe._repr_html_()
    with config_context(display="text"):
        assert not hasattr(pipe[-1], "_repr_html_")
    assert "skdnn-network" in pipe[-1]._repr_mimebundle_()["text/html"]


def test_names_are_escaped(monkeypatch):
    """What people have named can't be taken for HTML."""
    est = classifier().fit(*binary())
    monkeypatch.setattr(type(est), "out_activation_", "<b>&")
    assert rows(est)[-1][2].endswith(", <b>&")


pages = pytest.mark.parametrize(
    "est",
    [DNNClassifier(), DNNRegressor(), HiddenFeatures(classifier()), TabularEncoder()],
    ids=lambda est: type(est).__name__,
)


@pages
def test_links_lead_to_the_pages_of_the_site(est):
    """Each class has its page, which docs/api.md makes."""
    link = est._get_doc_link()
    page = re.fullmatch(r"https://skdnn\.github\.io/skdnn/generated/(.*)\.html", link)
    assert page[1] in listed_names()
    assert f'href="{link}"' in est._repr_html_()


@pages
def test_links_to_parameters_are_the_words_of_the_page(est):
    """A browser finds no type that has the gap of a line that goes on in the source."""
    assert "%20%20" not in est._repr_html_()
    for name in est.get_params(deep=False):
        assert re.search(rf"(?m)^    {name} : ", type(est).__doc__)


def test_classes_of_users_have_no_page():
    """Nor do they get that of ours, which says nothing of what is theirs."""

    class Mine(DNNClassifier):
        pass

    assert Mine()._get_doc_link() == ""


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="needs Chromium (make test-browser)")
@pytest.mark.parametrize("width", [400, 900])
def test_nothing_overflows(width, tmp_path):
    """On narrow and wide screens, all of it is within the window of a browser."""
    measure = (
        "<script>document.title = [...document.querySelectorAll('.skdnn-network, "
        ".skdnn-network *')].map(e => Math.ceil(e.getBoundingClientRect().right))"
        ".reduce((a, b) => Math.max(a, b))</script>"
    )
    est = classifier((300,) * 6, batch_norm=True, early_stopping=True).fit(*binary())
    page = tmp_path / "page.html"
    # A window is 500 pixels wide at least: a frame may be less.
    inner = tmp_path / "inner.html"
    inner.write_text(f"<!doctype html>{est._repr_html_()}{measure}")
    report = "document.title = this.contentDocument.title"
    page.write_text(
        f'<!doctype html><iframe src="{inner.name}" width="{width}" onload="{report}">'
        "</iframe>"
    )
    options = "--headless", "--no-sandbox", "--allow-file-access-from-files"
    command = [BROWSER, *options, "--virtual-time-budget=5000", "--dump-dom"]
    output = subprocess.run(
        [*command, page.as_uri()], capture_output=True, text=True, timeout=60
    ).stdout
    (right,) = re.findall(r"<title>(\d+)</title>", output)
    assert 0.5 * width < int(right) <= width
