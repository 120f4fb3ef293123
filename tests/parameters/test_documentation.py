"""What the class docstrings say of parameters and attributes is so."""

import inspect
import re

import pytest

from skdnn import DNNClassifier, DNNRegressor
from skdnn._recipe import TUNED
from skdnn.nn.activations import ACTIVATIONS, Parametric
from skdnn.nn.embeddings import NUMERIC_EMBEDDINGS
from skdnn.nn.initializers import INITIALIZERS
from skdnn.nn.losses import CLASSIFIER_LOSSES, REGRESSOR_LOSSES
from skdnn.nn.optimizers import OPTIMIZERS, AdamW
from skdnn.nn.schedules import SCHEDULES
from tests.plain import plain_classifier, plain_regressor
from tests.tables import binary

ESTIMATORS = [DNNClassifier, DNNRegressor]


def documented(Estimator, section):
    """Return name -> (type line, text) of a section of a numpydoc docstring."""
    doc = inspect.getdoc(Estimator)
    body = re.search(rf"\n{section}\n-+\n(.*?)\n\n\S[^\n]*\n---", doc, re.S).group(1)
    items = re.split(r"^(\w+) : ", body, flags=re.M)[1:]
    entries = {}
    for name, text in zip(items[::2], items[1::2], strict=True):
        head, _, rest = text.partition("\n")
        entries[name] = (" ".join(head.split()), " ".join(rest.split()))
    return entries


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_documentation_has_the_parameters_in_order(Estimator):
    """All parameters are documented, in the order of the signature."""
    names = list(inspect.signature(Estimator).parameters)
    assert list(documented(Estimator, "Parameters")) == names


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_documentation_has_the_defaults(Estimator):
    """The defaults that are documented are those of the signature."""
    for name, (head, _) in documented(Estimator, "Parameters").items():
        default = inspect.signature(Estimator).parameters[name].default
        stated = head.split("default=")[1]
        assert eval(stated, {"__builtins__": {}}) == default


def test_documentation_of_shared_parameters_is_alike():
    """Both classes document what they share in the same words."""
    one, two = (documented(Estimator, "Parameters") for Estimator in ESTIMATORS)
    shared = set(one) & set(two)
    assert set(one) - shared == {"class_weight", "temperature_scaling"}
    assert set(two) - shared == {"target_scaling", "auxiliary_quantiles"}
    # The classes' losses differ, and only classes can be held out in proportion.
    for name in shared - {"loss", "validation_fraction"}:
        assert one[name] == two[name]


def test_documentation_of_shared_attributes_is_alike():
    """Both classes document the attributes that they share in the same words."""
    one, two = (documented(Estimator, "Attributes") for Estimator in ESTIMATORS)
    assert set(one) - set(two) == {"classes_"}
    # A regressor has nothing to calibrate.
    for name in set(two) - {"out_activation_", "temperature_"}:
        assert one[name] == two[name]


@pytest.mark.parametrize("make", [plain_classifier, plain_regressor])
def test_documentation_has_the_attributes(make):
    """All public attributes are documented, and all that are documented exist."""
    est = make().fit(*binary())
    learned = {name for name in dir(est) if re.fullmatch(r"[a-z]\w*[a-z]_", name)}
    stated = set(documented(type(est), "Attributes"))
    assert stated - learned == {"feature_names_in_"}
    assert learned - stated == set()


@pytest.mark.parametrize(
    ("parameter", "tables"),
    [
        ("activation", [ACTIVATIONS, ACTIVATIONS]),
        ("optimizer", [OPTIMIZERS, OPTIMIZERS]),
        ("schedule", [SCHEDULES, SCHEDULES]),
        ("numeric_embedding", [NUMERIC_EMBEDDINGS, NUMERIC_EMBEDDINGS]),
        ("weight_init", [INITIALIZERS, INITIALIZERS]),
        ("loss", [CLASSIFIER_LOSSES, REGRESSOR_LOSSES]),
    ],
)
def test_documentation_has_all_names(parameter, tables):
    """Each name in a table is in the documentation of its parameter."""
    for Estimator, table in zip(ESTIMATORS, tables, strict=True):
        head, _ = documented(Estimator, "Parameters")[parameter]
        stated = set(re.findall(r'"(\w+)"', head.split("default=")[0])) - {"auto"}
        assert stated == set(table)


DOCUMENTED = set(TUNED) - {
    *("input_scaling", "temperature_scaling"),
}


@pytest.mark.parametrize("parameter", sorted(DOCUMENTED))
def test_documentation_has_the_tuned_recipe(parameter):
    """What `"auto"` is said to be in the tuned recipe is what it is."""
    for Estimator in ESTIMATORS:
        _, text = documented(Estimator, "Parameters")[parameter]
        stated = re.search(r'`"auto"` is (`*)(.*?)\1 in the tuned recipe', text)[2]
        names = {"AdamW": AdamW, "Parametric": Parametric}
        value = eval(stated, {"__builtins__": {}, **names})
        if parameter in ("optimizer", "activation"):
            assert type(value) is type(TUNED[parameter])
            value, expected = value.get_params(), TUNED[parameter].get_params()
        else:
            expected = TUNED[parameter]
        assert value == expected
