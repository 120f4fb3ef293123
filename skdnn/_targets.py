"""What a target is, and what the network sees of it: the encoder's twin for `y`."""

from abc import ABC, abstractmethod


class Targets(ABC):
    """A target: checks it, learns from it, encodes it, and decodes predictions.

    What `check` returns, class indices or numbers, is what all else calls targets.

    Attributes
    ----------
    n_outputs : int
        Number of outputs that a network has for it.
    loss : Loss
        What training minimizes, with the link that suits the target.
    exclusive_sigmoids : bool
        Whether the probabilities of classes are sigmoids, over their sum.
    """

    exclusive_sigmoids = False

    @abstractmethod
    def check(self, y, name="y", learn=False, classes=None):
        """Return `y` as targets; first learn what kind it is of, if so told.

        Parameters
        ----------
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        name : str, default="y"
            Of the argument, for errors.
        learn : bool, default=False
        classes : array-like of shape (n_classes,), default=None
            All that there are, if not those of `y`.

        Returns
        -------
        targets : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """

    @abstractmethod
    def adopt(self, statistics):
        """Learn what kind of target there is from what is known of all rows."""

    @abstractmethod
    def statistics(self, targets, rows):
        """Return what there is to learn from some rows, or from a part of them.

        Returns
        -------
        statistics : ClassStatistics or Moments
        """

    @abstractmethod
    def learn(self, statistics, sample, settings):
        """Learn what encoding and decoding need.

        Parameters
        ----------
        statistics : ClassStatistics or Moments
            Of all training rows.
        sample : Sample
        settings : namespace
        """

    @abstractmethod
    def encode(self, targets):
        """Return targets as the loss reads them."""

    @abstractmethod
    def predict(self, raw):
        """Return predictions, of the kind of `y`, from raw ones.

        Those are of shape (n, n_outputs), or (n_members, n, n_outputs).
        """

    @abstractmethod
    def check_scoring(self, settings):
        """Raise an error for the name of a scorer that does not suit the target."""

    def without_auxiliary(self):
        """Return these without the outputs that are there only to learn from."""
        return self

    def weigh(self, targets, rows):
        """Return `rows` with the weights that their targets give them."""
        return rows

    def total_weight(self, statistics, total):
        """Return what `weigh` makes of rows that weigh `total`, by what is known."""
        return total

    @property
    def labels(self):
        """What targets that are indices stand for, else None."""
        return None

    def strata(self, targets):
        """Return the groups that a validation split keeps in proportion."""
        return None

    def as_given(self, targets):
        """Return targets of the kind of `y`, as scorers see them."""
        return targets

    def missing(self, labels):
        """Return the classes that are not among some labels."""
        return []

    @abstractmethod
    def position(self, target):
        """Return which of its numbers a row is asked for: of a class, or an output.

        None is the only one, or the second of two classes.
        """

    @abstractmethod
    def number(self, raw, position):
        """Return that number of each row: a probability, or what is predicted."""

    @abstractmethod
    def number_slope(self, raw, position):
        """Return the gradient of that number in the raw predictions."""

    def averaged(self, raw):
        """Return raw predictions (n, n_outputs), those of an ensemble as one."""
        return raw if raw.ndim == 2 else self.loss.average(raw)


def n_averaged(raw):
    """Return of how many members raw predictions are."""
    return 1 if raw.ndim == 2 else len(raw)
