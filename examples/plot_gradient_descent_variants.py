"""Gradient descent on all rows, on a batch of them, or on one row a step.

An epoch is one look at all rows. The fewer rows a step sees, the more steps an epoch
has: it gets further, along a noisier path, and takes longer. Draws the loss of all
three to gradient_descent_variants.png, against epochs and against seconds.
"""

from time import perf_counter

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer

from skdnn import DNNClassifier

N_EPOCHS = 30

X, y = load_breast_cancer(return_X_y=True)
figure, (by_epoch, by_time) = plt.subplots(
    1, 2, figsize=(10, 4), sharey=True, layout="constrained"
)
for solver in ["bgd", "minibatch", "sgd"]:
    clf = DNNClassifier(
        (16,),
        solver=solver,
        batch_size=32,
        optimizer="sgd",
        learning_rate=0.1,
        max_iter=N_EPOCHS,
        tol=None,
        random_state=0,
    )
    started = perf_counter()
    clf.fit(X, y)
    seconds = perf_counter() - started
    print(f"{solver:9}  loss {clf.loss_:.4f} after {N_EPOCHS} epochs, {seconds:.3f} s")
    epochs = range(1, N_EPOCHS + 1)
    by_epoch.plot(epochs, clf.loss_curve_, label=solver)
    by_time.plot([i * seconds / N_EPOCHS for i in epochs], clf.loss_curve_)

by_epoch.set(xlabel="Epoch", ylabel="Loss", yscale="log")
by_time.set(xlabel="Seconds", xscale="log")
by_epoch.legend()
figure.savefig("gradient_descent_variants.png")
