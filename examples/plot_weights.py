"""What the first layer looks at: images of its units, or a bar for each column.

On the left, handwritten digits: each unit of the first hidden layer, as the image of
its weights. A strong penalty leaves it no noise to look at; red is where ink makes the
unit stronger, blue where it makes it weaker. On the right, a table with names: how much
of each column goes into the network. Draws both to weights.png.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer, load_digits

from skdnn import DNNClassifier, WeightsDisplay

figure, (left, right) = plt.subplots(1, 2, figsize=(13, 6), layout="constrained")

X, y = load_digits(return_X_y=True)
digits = DNNClassifier(
    (16,),
    recipe="plain",
    activation="tanh",
    alpha=100.0,
    learning_rate=0.01,
    numeric_scaling=None,
    max_iter=100,
    tol=None,
    random_state=0,
).fit(X / 16, y)
print(f"digits: accuracy on training rows {digits.score(X / 16, y):.3f}")
WeightsDisplay.from_estimator(digits, image_shape=(8, 8), ax=left, name="Digits")

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
cancer = DNNClassifier(random_state=0).fit(X, y)
display = WeightsDisplay.from_estimator(cancer, ax=right, name="Breast cancer")
print(f"breast cancer: most of {display.ax_.get_yticklabels()[0].get_text()!r}")
figure.savefig("weights.png")
