"""The engine: networks, losses, optimizers and the training loop, on arrays alone.

Nothing in here knows scikit-learn, but for `BaseEstimator`, which lets the parameters
of an optimizer, a schedule or a loss be searched over (``optimizer__beta_1``).
"""
