"""Parameters that make no sense, alone or together, are clear errors."""

import re

import numpy as np
import pytest

from skdnn.nn.losses import Huber, LogLoss, Quantile, SquaredError
from skdnn.nn.optimizers import LBFGS, Adam, AdamW, Momentum, RMSprop
from skdnn.nn.schedules import Adaptive, Constant, Cosine, OneCycle, Step
from tests.tables import (
    binary,
    classifier,
    multiclass,
    multilabel,
    numbers,
    regression,
    regressor,
)

# Pairs

BGD_LBFGS = {"optimizer": "lbfgs", "solver": "bgd"}


@pytest.mark.parametrize("make", [classifier, regressor])
@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"optimizer": "lbfgs", "solver": "minibatch"}, ["optimizer", "solver"]),
        ({"optimizer": "lbfgs", "solver": "sgd"}, ["optimizer", "solver"]),
        ({"optimizer": LBFGS(), "solver": "minibatch"}, ["optimizer", "solver"]),
        ({**BGD_LBFGS, "dropout": 0.1}, ["optimizer", "dropout"]),
        ({**BGD_LBFGS, "dropout": [0.1]}, ["optimizer", "dropout"]),
        ({**BGD_LBFGS, "learning_rate": 0.1}, ["optimizer", "learning_rate"]),
        ({**BGD_LBFGS, "schedule": "cosine"}, ["optimizer", "schedule"]),
        ({**BGD_LBFGS, "schedule": Adaptive()}, ["optimizer", "schedule"]),
        ({**BGD_LBFGS, "schedule": Constant(warm_up=3)}, ["optimizer", "schedule"]),
        ({"activation": ["relu", "tanh"]}, ["activation", "hidden_layer_dims"]),
        ({"activation": []}, ["activation", "hidden_layer_dims"]),
        ({"dropout": [0.1, 0.2]}, ["dropout", "hidden_layer_dims"]),
        (
            {"early_stopping": True, "validation_fraction": 60},
            ["early_stopping", "validation_fraction"],
        ),
        (
            {"early_stopping": True, "validation_fraction": 1000},
            ["early_stopping", "validation_fraction"],
        ),
    ],
)
def test_pairs_of_parameters(make, params, names):
    """A pair that makes no sense is an error that names both parameters."""
    with pytest.raises(ValueError) as error:
        make(**params).fit(*binary(60))
    assert all(name in str(error.value) for name in names)


@pytest.mark.parametrize("make", [classifier, regressor])
def test_validation_data_without_early_stopping(make):
    """Validation data that nothing would use are an error that names both."""
    X, y = binary()
    with pytest.raises(ValueError, match=r"X_val and y_val .* early_stopping is False"):
        make(early_stopping=False).fit(X, y, X_val=X, y_val=y)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["X_val"], "X_val is provided, but y_val was not"),
        (["y_val"], "y_val is provided, but X_val was not"),
        (["sample_weight_val"], "sample_weight_val is provided, but X_val was not"),
        (["X_val", "sample_weight_val"], "X_val is provided, but y_val was not"),
    ],
)
def test_incomplete_validation_data(given, message):
    """Validation data that are not complete are an error that names what is missing."""
    X, y = binary()
    data = {"X_val": X, "y_val": y, "sample_weight_val": np.ones(60)}
    with pytest.raises(ValueError, match=message):
        classifier().fit(X, y, **{name: data[name] for name in given})


@pytest.mark.parametrize(
    ("dropout", "named"), [(0.9999999, "0.9999999"), ([0.0, 0.999], "0.999")]
)
@pytest.mark.parametrize("way", ["fit", "partial_fit"])
def test_dropout_that_keeps_nothing(dropout, named, way):
    """It trains, with one warning, which names the rate and the line of the user."""
    reg = regressor((8, 8), dropout=dropout)
    with pytest.warns(UserWarning, match=f"dropout={named} keeps") as record:
        getattr(reg, way)(*regression())
    assert len(record) == 1
    assert record[0].filename == __file__
    assert np.isfinite(reg.predict(numbers())).all()


# Parts


def test_log_loss_for_numbers():
    """Log loss is an error for a regressor."""
    with pytest.raises(ValueError, match=r"LogLoss.*DNNClassifier"):
        regressor(loss=LogLoss()).fit(*regression())


@pytest.mark.parametrize(
    ("loss", "data"),
    [
        (SquaredError(link="identity"), binary),
        (SquaredError(link="identity"), multiclass),
        (SquaredError(link="softmax"), binary),
        (LogLoss(link="softmax"), binary),
        (LogLoss(link="softmax"), multilabel),
        (SquaredError(link="softmax"), multilabel),
        (LogLoss(link="nonsense"), binary),
    ],
)
def test_link_that_does_not_fit_the_classes(loss, data):
    """A link that gives these classes no probabilities is an error that names it."""
    with pytest.raises(ValueError, match="link"):
        classifier(loss=loss).fit(*data())


@pytest.mark.parametrize("link", ["softmax", "nonsense"])
def test_link_that_does_not_fit_numbers(link):
    """A link that does not predict numbers is an error that names it."""
    with pytest.raises(ValueError, match="link"):
        regressor(loss=SquaredError(link=link)).fit(*regression())


@pytest.mark.parametrize(
    "params",
    [
        {"loss": Quantile(quantile=2)},
        {"loss": Quantile(quantile=0)},
        {"loss": Huber(delta=-1)},
        {"optimizer": Adam(beta_1=2.0)},
        {"optimizer": Adam(beta_2=1.0)},
        {"optimizer": AdamW(weight_decay=-1.0)},
        {"optimizer": Momentum(momentum=1.5)},
        {"optimizer": RMSprop(epsilon=-1.0)},
        {"schedule": Step(every=0)},
        {"schedule": Cosine(warm_up=-1)},
        {"schedule": OneCycle(rise=2)},
        {"schedule": Adaptive(divisor=0.5)},
    ],
    ids=repr,
)
def test_parameters_of_losses_optimizers_and_schedules(params):
    """An object with a parameter that makes no sense is an error that names it."""
    (value,) = params.values()
    with pytest.raises(ValueError) as error:
        regressor(**params).fit(*regression())
    assert any(name in str(error.value) for name in value.get_params())


def test_label_smoothing_that_makes_no_sense():
    """Label smoothing beyond 1 is an error that names it."""
    with pytest.raises(ValueError, match="label_smoothing"):
        classifier(loss=LogLoss(label_smoothing=2)).fit(*binary())


# Values


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_layer_dims", 5),
        ("hidden_layer_dims", [0]),
        ("hidden_layer_dims", [2.5]),
        ("hidden_layer_dims", [[2]]),
        ("hidden_layer_dims", "ab"),
        ("hidden_layer_dims", ["a"]),
        ("activation", "nonsense"),
        ("activation", ["nonsense"]),
        ("activation", [3]),
        ("batch_norm", "yes"),
        ("dropout", 1.0),
        ("dropout", -0.1),
        ("dropout", np.nan),
        ("dropout", [1.0]),
        ("dropout", ["a"]),
        ("alpha", -1),
        ("alpha", np.inf),
        ("loss", "nonsense"),
        ("solver", "nonsense"),
        ("batch_size", 0),
        ("batch_size", 1.5),
        ("optimizer", "nonsense"),
        ("optimizer", Adam),
        ("learning_rate", 0),
        ("learning_rate", np.inf),
        ("schedule", "nonsense"),
        ("weight_init", "nonsense"),
        ("max_iter", 0),
        ("tol", -1),
        ("n_iter_no_change", 0),
        ("shuffle", 1.5),
        ("early_stopping", "yes"),
        ("validation_fraction", 0.0),
        ("validation_fraction", 1.0),
        ("validation_fraction", 0),
        ("scoring", "nonsense"),
        ("scoring", 3),
        ("numeric_scaling", "nonsense"),
        ("warm_start", "yes"),
        ("verbose", "loud"),
        ("random_state", "today"),
        ("dtype", "float16"),
    ],
)
@pytest.mark.parametrize("make", [classifier, regressor])
def test_parameter_out_of_range(make, name, value):
    """A value out of range is an error that names the parameter or the value."""
    est = make(**{name: value})
    with pytest.raises(ValueError, match=f"{name}|{re.escape(repr(value))}"):
        est.fit(*binary())
    assert vars(est) == est.get_params(deep=False)
