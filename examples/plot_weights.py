"""
What the first layer looks at
=============================

Each unit of the first hidden layer has a weight for each column: for images, that is an
image of what the unit looks for. Handwritten digits show strokes and edges, the parts
that later layers put together. For a table with names, a bar says how much of each
column goes into the network.

This is S15, the hierarchy that layers learn, of the
:ref:`textbook's systems <textbook>`.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer, load_digits

from skdnn import DNNClassifier, WeightsDisplay

# %%
# Images of units
# ---------------
#
# Red is where ink makes the unit stronger, blue where it makes it weaker. A strong
# penalty leaves the weights no noise to look at.

X, y = load_digits(return_X_y=True)
digits = DNNClassifier(
    (16,),
    recipe="plain",
    activation="tanh",
    alpha=100.0,
    learning_rate=0.01,
    numeric_scaling=None,
    max_iter=60,
    tol=None,
    random_state=0,
).fit(X / 16, y)
print(f"digits: accuracy on training rows {digits.score(X / 16, y):.3f}")
WeightsDisplay.from_estimator(digits, image_shape=(8, 8), name="Digits")

# %%
# A bar for each column
# ---------------------

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
cancer = DNNClassifier(n_members=1, random_state=0).fit(X, y)
figure, ax = plt.subplots(figsize=(7, 6), layout="constrained")
display = WeightsDisplay.from_estimator(cancer, ax=ax, name="Breast cancer")
print(f"breast cancer: most of {display.ax_.get_yticklabels()[0].get_text()!r}")
plt.show()
