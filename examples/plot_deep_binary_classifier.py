"""The textbook deep binary classifier: 3000 steps of plain gradient descent.

Weights drawn from randn / sqrt(n_in), zero biases, ReLU hidden layers, one sigmoid
output, cross-entropy over all rows, a learning rate of 0.0075. Prints the cost every
500 iterations and draws it to deep_binary_classifier.png.
"""

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from skdnn import DNNClassifier, LossCurveDisplay

X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

clf = DNNClassifier(
    (20, 7, 5),
    activation="relu",
    weight_init="lecun_normal",
    alpha=0.0,
    solver="bgd",
    optimizer="sgd",
    learning_rate=0.0075,
    max_iter=3000,
    tol=None,
    numeric_scaling="standard",
    dtype="float64",
    random_state=0,
).fit(X_train, y_train)

for iteration in range(0, clf.n_iter_, 500):
    print(f"cost after {iteration:4d} iterations: {clf.loss_curve_[iteration]:.4f}")
print(f"accuracy on training rows: {clf.score(X_train, y_train):.3f}")
print(f"accuracy on test rows:     {clf.score(X_test, y_test):.3f}")

display = LossCurveDisplay.from_estimator(clf)
display.figure_.savefig("deep_binary_classifier.png")
