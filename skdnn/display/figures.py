"""Where displays draw."""

from skdnn._sklearn_compat import check_matplotlib_support


def begin(display, ax, **options):
    """Note the axes that a display draws on, and return them.

    Parameters
    ----------
    display : object
        It gets the attributes `ax_` and `figure_`.
    ax : matplotlib Axes or None
        None is a new figure.
    **options : dict
        Of a new figure.
    """
    check_matplotlib_support(f"{type(display).__name__}.plot")
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(layout="constrained", **options)
    display.ax_, display.figure_ = ax, ax.figure
    return ax


def name_of(estimator, name):
    """Return what a title calls a fitted estimator: by default, what it is.

    What is drawn of several kinds of members is the first.
    """
    if name is not None:
        return name
    name, kinds = type(estimator).__name__, estimator.kinds_
    return name if kinds is None else f"{name} (first of {len(kinds)} kinds)"
