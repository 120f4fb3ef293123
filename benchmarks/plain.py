"""The plain network that other libraries have: no part of the tuned recipe."""

PLAIN = {
    "activation": "relu",
    "residual": False,
    "dropout": 0.0,
    "optimizer": "adam",
    "learning_rate_multipliers": None,
    "schedule": "constant",
    "parametrization": "standard",
    "numeric_embedding": None,
    "input_scaling": False,
    "max_one_hot": None,
    "n_ensemble": 1,
}
