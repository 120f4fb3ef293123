"""
All hyperparameters in one search
=================================

A network has eleven hyperparameters in a first textbook: learning rate, regularization,
number of layers, units of each, epochs, rows of a batch, encoding of the outputs, cost
function, initial weights, activation function, and the amount of training data. Ten of
them are parameters of the constructor, so that any search of scikit-learn reaches them;
those inside an object, such as the cost function, have two underscores in their name.
The eleventh is what `HalvingRandomSearchCV` gives out: it tries many settings on few
rows, keeps the best third, gives these three times as many rows, and so on.

This is S11 of the :ref:`textbook's systems <textbook>`.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import sklearn.experimental.enable_halving_search_cv
from scipy.stats import loguniform, randint
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import HalvingRandomSearchCV, train_test_split

from skdnn import DNNClassifier
from skdnn.nn.losses import LogLoss, SquaredError

print(f"scikit-learn {sklearn.__version__}")
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)

# %%
# What to search
# --------------
#
# A list is chosen from, and what has a method `rvs` is drawn from. Number of layers and
# units of each are one parameter, which takes a few lines.


class Layers:
    """Draws a number of hidden layers, and the units of each."""

    def rvs(self, random_state):
        n_layers = random_state.randint(1, 4)
        return tuple(random_state.choice([16, 32, 64], size=n_layers).tolist())


# %%
# The encoding of the outputs is the link of the loss: one choice among ten classes
# (softmax), or ten times yes or no (sigmoid).

distributions = {
    "learning_rate": loguniform(0.0003, 0.1),
    "alpha": loguniform(0.001, 10),
    "hidden_layer_dims": Layers(),
    "max_iter": randint(5, 50),
    "batch_size": [32, 64, 128, 256],
    "loss": [LogLoss(), SquaredError()],
    "loss__link": ["softmax", "sigmoid"],
    "weight_init": ["lecun_normal", "he_normal", "glorot_uniform"],
    "activation": ["tanh", "relu", "silu"],
}
# Some of the settings learn nothing, and say so.
warnings.simplefilter("ignore", ConvergenceWarning)
search = HalvingRandomSearchCV(
    DNNClassifier(recipe="plain", tol=None, random_state=0),
    distributions,
    resource="n_samples",
    n_candidates=18,
    min_resources=100,
    factor=3,
    cv=3,
    random_state=0,
).fit(X_train, y_train)

# %%
# What came of it
# ---------------

for name, value in sorted(search.best_params_.items()):
    print(f"{name:>18} = {value}")
print(f"accuracy on test rows {search.score(X_test, y_test):.3f}")

# %%
# On the left, each line is a setting, for as long as it stayed; the winner is the thick
# one. On the right, all settings of the first round: below 0.001, a learning rate is
# of little use, whatever the others are.

results = search.cv_results_
settings = np.array([str(params) for params in results["params"]])
rows, scores = results["n_resources"], results["mean_test_score"]
winner = settings[search.best_index_]

figure, (left, right) = plt.subplots(
    1, 2, figsize=(10, 4), sharey=True, layout="constrained"
)
for setting in np.unique(settings):
    of_setting = settings == setting
    style = {"color": "tab:red", "linewidth": 3, "zorder": 3}
    left.plot(
        rows[of_setting],
        scores[of_setting],
        ".-",
        **(style if setting == winner else {"color": "gray", "linewidth": 0.7}),
    )
left.set(xscale="log", xlabel="Rows", ylabel="Accuracy in cross-validation")
left.set_xticks(np.unique(rows), np.unique(rows))
left.minorticks_off()

first = results["iter"] == 0
rates = np.array([params["learning_rate"] for params in results["params"]])
activations = np.array([params["activation"] for params in results["params"]])
for activation in distributions["activation"]:
    shown = first & (activations == activation)
    right.plot(rates[shown], scores[shown], "o", label=activation)
right.set(xscale="log", xlabel="Learning rate")
right.legend(title="Activation")
plt.show()
