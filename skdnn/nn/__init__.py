"""The engine: networks, losses, optimizers and the training loop, on arrays alone.

Users take objects with parameters of their own from the modules in `__all__`; those
objects, and the base classes of one's own, are public.  The rest of the engine is not.

Nothing in here knows scikit-learn, but for `BaseEstimator`, which lets the parameters
of an optimizer, a schedule or a loss be searched over (``optimizer__beta_1``).
"""

__all__ = ["activations", "embeddings", "losses", "optimizers", "schedules"]
