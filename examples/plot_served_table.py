"""
From a raw table to answers
===========================

A table as it comes, with categories and holes, is all that a network needs: no encoder,
no imputer, no scaler. Its settings are searched, its probabilities are calibrated, it
is saved to a file, and whoever loads the file answers for one row at a time, holes and
unknown categories included.

Penguins, seen from afar: which species is it, going by the island, the length of the
flippers, the mass and the sex, where that is known?
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_predict,
    train_test_split,
)

from skdnn import DNNClassifier

# In the gallery, too, a script is called by its name.
PENGUINS = Path(sys.argv[0]).parent / "data" / "penguins.csv"
COLUMNS = ["island", "flipper_length_mm", "body_mass_g", "sex"]

table = pd.read_csv(PENGUINS)
X, y = table[COLUMNS], table["species"]
print(X.isna().sum())
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

# %%
# Tuned
# -----
#
# By the log loss, which is about probabilities.

folds = StratifiedKFold(3, shuffle=True, random_state=0)
search = GridSearchCV(
    DNNClassifier(n_members=1, max_iter=30, random_state=0),
    {"hidden_layer_dims": [(16,), (64, 64)], "dropout": [0.0, 0.3]},
    scoring="neg_log_loss",
    cv=folds,
).fit(X_train, y_train)
model = search.best_estimator_
print(f"{search.best_params_}, log loss {-search.best_score_:.3f}")
print(f"accuracy on test rows {model.score(X_test, y_test):.3f}")

# %%
# Calibrated
# ----------
#
# Most networks are surer of themselves than they should be. skdnn's divide by a
# temperature what goes into the last softmax; it is learned from the rows held out,
# where the recipe is the tuned one. The search has chosen dropout, which helps as well:
# what the temperature does is seen best without dropout, and after more epochs.

careless = {"dropout": 0.0, "max_iter": 90}
variants = {
    "careless": {**careless, "temperature_scaling": False},
    "careless, temperature": careless,
    "as searched": {},
}
names = np.unique(y)
figure, ax = plt.subplots(figsize=(6, 5), layout="constrained")
for name, params in variants.items():
    variant = clone(model).set_params(**params)
    p = cross_val_predict(variant, X, y, cv=folds, method="predict_proba")
    right = names[p.argmax(axis=1)] == y
    print(f"{name:22} log loss {log_loss(y, p):.3f}, accuracy {right.mean():.3f}")
    CalibrationDisplay.from_predictions(
        right, p.max(axis=1), n_bins=6, strategy="quantile", name=name, ax=ax
    )
ax.set(
    xlabel="Probability of the class that is predicted",
    ylabel="Share of predictions that are right",
    xlim=(0.4, 1.02),
    ylim=(0.4, 1.02),
)

# %%
# Saved and loaded
# ----------------
#
# The file holds what prediction needs, and no rows of training. (``skops.io`` makes a
# file that is safe to load from strangers, and :func:`skdnn.onnx.to_onnx` one for other
# languages.)

with TemporaryDirectory() as folder:
    path = Path(folder) / "penguins.joblib"
    joblib.dump(model, path, compress=True)
    print(f"{path.stat().st_size / 1000:.0f} kB")
    loaded = joblib.load(path)
assert np.array_equal(loaded.predict_proba(X_test), model.predict_proba(X_test))

# %%
# Served
# ------
#
# One row comes as a dict, from a form or from JSON, and the answer goes out as one.
# What the row does not have is a hole.


def answer(row):
    """Return the probability of each species for a penguin."""
    unknown = set(row).difference(COLUMNS)
    if unknown:
        raise ValueError(f"There is no column {', '.join(sorted(unknown))}.")
    probabilities = loaded.predict_proba(pd.DataFrame([row], columns=COLUMNS))[0]
    return dict(zip(loaded.classes_, probabilities.round(3).tolist(), strict=True))


large = {"island": "Biscoe", "flipper_length_mm": 221, "body_mass_g": 5100}
print("all but the sex:  ", answer(large))
print("nothing but this: ", answer({"island": "Dream", "body_mass_g": 3700}))
print("an unknown island:", answer({**large, "island": "Deception"}))
try:
    answer({"mass": 5.1})
except ValueError as error:
    print("a wrong name:     ", error)
plt.show()
