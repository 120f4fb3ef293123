"""A search that gives most of its epochs to the candidates that deserve them.

Successive halving tries many settings for a few epochs each, keeps the best third,
gives these three times as many, and so on. The schedules stretch over the epochs, so
that a short run is a small copy of a long one. What is searched is what matters most:
`docs/defaults.md` has the table of parameters and ranges.
"""

import sklearn.experimental.enable_halving_search_cv
from scipy.stats import loguniform
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import HalvingRandomSearchCV, train_test_split

from skdnn import DNNClassifier
from skdnn.nn.activations import Parametric
from skdnn.nn.optimizers import AdamW

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)

default = DNNClassifier(random_state=0).fit(X_train, y_train)

search = HalvingRandomSearchCV(
    DNNClassifier(optimizer=AdamW(beta_2=0.95), random_state=0),
    {
        "learning_rate": loguniform(0.01, 0.3),
        "hidden_layer_dims": [(128,), (128, 128), (256, 256), (128, 128, 128)],
        "dropout": [0.0, 0.1, 0.2, 0.3, 0.4],
        "optimizer__weight_decay": loguniform(0.001, 0.3),
        "numeric_embedding": [None, "periodic", "piecewise_linear"],
        "activation": [Parametric(name) for name in ("silu", "relu", "mish")],
    },
    resource="max_iter",
    min_resources=6,
    max_resources=54,
    factor=3,
    n_candidates=18,
    scoring="neg_log_loss",
    cv=3,
    n_jobs=2,
    random_state=0,
).fit(X_train, y_train)

print(f"scikit-learn {sklearn.__version__}")
for name, clf in {"defaults": default, "search": search}.items():
    loss = log_loss(y_test, clf.predict_proba(X_test))
    accuracy = accuracy_score(y_test, clf.predict(X_test))
    print(f"{name:9} accuracy {accuracy:.3f}  log loss {loss:.4f}")
print("best:", search.best_params_)
