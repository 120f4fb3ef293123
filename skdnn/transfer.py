"""What a network has learned, for other estimators to use."""

from numbers import Integral

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, TransformerMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.validation import check_is_fitted

from skdnn._base import BaseDNN
from skdnn._doc_link import DocLinkMixin
from skdnn._sklearn_compat import StrOptions, _check_feature_names_in, _fit_context


class HiddenFeatures(DocLinkMixin, MetaEstimatorMixin, TransformerMixin, BaseEstimator):
    """Turn a table into the activations of a hidden layer.

    Hidden layers learn columns in which the target is easier to see, so that a simple
    estimator is enough for what is left to do: a linear model, neighbors, a clustering.

    The activations are those of prediction: without dropout, and with the running
    averages of batch norm.

    Parameters
    ----------
    estimator : DNNClassifier, DNNRegressor or FrozenEstimator
        The network. `fit` trains a clone of it, with members of one kind
        (``portfolio=False``); one that is trained already goes into a
        :class:`~sklearn.frozen.FrozenEstimator`, and stays as it is: of several kinds,
        the hidden layers are those of the first.

    layer : int, default=-1
        Which hidden layer, as in a list of them: 0 is the first, -1 the last. Its
        output is what the next layer reads: after batch norm, activation and residual
        connection.

    members : {"concatenate", "mean"}, default="concatenate"
        What to do with several networks (`n_members`, by default 2 to 8): put their
        units side by side, or take the mean of the first units, of the second ones and
        so on. Units of networks that share no weights (`ensemble_weights="own"`) have
        nothing in common but their number, so that the mean is a random projection of
        what they know.

    Attributes
    ----------
    estimator_ : DNNClassifier, DNNRegressor or FrozenEstimator
        The fitted network.

    n_features_in_ : int
        Number of columns of `X`.

    feature_names_in_ : ndarray of str of shape (`n_features_in_`,)
        Their names, if `X` had names that are all strings.

    See Also
    --------
    DNNClassifier : A network that predicts classes.
    DNNRegressor : A network that predicts numbers.

    Notes
    -----
    The activations of the rows that a network has learned from are not what they are
    for new rows: what is then fitted on them trusts them too much. Where rows abound,
    train the network on some, freeze it, and fit what follows on others.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skdnn import DNNClassifier, HiddenFeatures
    >>> X, y = load_iris(return_X_y=True)
    >>> network = DNNClassifier((16, 8), n_members=1, random_state=0)
    >>> hidden = HiddenFeatures(network).fit(X, y)
    >>> hidden.transform(X).shape
    (150, 8)
    >>> clf = make_pipeline(HiddenFeatures(network), LogisticRegression()).fit(X, y)
    >>> clf.score(X, y) > 0.95
    True
    """

    _parameter_constraints = {
        "estimator": "no_validation",  # with an error that names the estimators
        "layer": [Integral],
        "members": [StrOptions({"concatenate", "mean"})],
    }

    def __init__(self, estimator, layer=-1, *, members="concatenate"):
        self.estimator = estimator
        self.layer = layer
        self.members = members

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **fit_params):
        """Train the network, if it is not frozen.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets. A frozen network needs none.

        **fit_params : dict
            Further arguments of the network's `fit`, such as `sample_weight` or
            `X_val`; with `enable_metadata_routing=True`, those that it requests.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        TypeError
            If `estimator` is no network.
        ValueError
            If the network has no such layer.
        """
        network, estimator = _network(self.estimator), clone(self.estimator)
        if network is self.estimator:
            self._position(np.size(network.hidden_layer_dims))
            # Those of others would be left out.
            estimator.portfolio = False
        if get_config()["enable_metadata_routing"]:
            fit_params = process_routing(self, "fit", **fit_params).estimator.fit
        estimator.fit(X, y, **fit_params)
        self._position(_network(estimator).network_.n_hidden)
        self.estimator_ = estimator
        return self

    def transform(self, X):
        """Return the activations of the hidden layer.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows with the columns seen in `fit`.

        Returns
        -------
        activations : ndarray of shape (n_samples, n_units) or \
                (n_samples, n_members * n_units)
            In the network's `dtype`.
        """
        check_is_fitted(self)
        network = _network(self.estimator_)
        layer = self._position(network.network_.n_hidden)
        join = np.hstack if self.members == "concatenate" else _mean
        return network._outputs_of_hidden(
            X, layer, lambda units: units if units.ndim == 2 else join(units)
        )

    def get_feature_names_out(self, input_features=None):
        """Return the names of the units.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Not used, but that they must be as many as the columns of `X`, and its names
            if it has some.

        Returns
        -------
        names : ndarray of str of shape (n_units,) or (n_members * n_units,)
            `"hiddenfeatures_unit0"` and so on; of several networks side by side,
            `"hiddenfeatures_member0_unit0"`.
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features, generate_names=False)
        network = self._model.network
        prefixes = [type(self).__name__.lower()]
        if network.n_members is not None and self.members == "concatenate":
            prefixes = [f"{prefixes[0]}_member{i}" for i in range(network.n_members)]
        units = range(network.n_outputs)
        names = [f"{prefix}_unit{i}" for prefix in prefixes for i in units]
        return np.array(names, dtype=object)

    def get_metadata_routing(self):
        """Return what is passed on to the network.

        Returns
        -------
        routing : MetadataRouter
        """
        # Pipelines of scikit-learn 1.7 look for what `fit_transform` passes on.
        mapping = MethodMapping().add(caller="fit", callee="fit")
        mapping.add(caller="fit_transform", callee="fit")
        return MetadataRouter(owner=self).add(
            estimator=self.estimator, method_mapping=mapping
        )

    @property
    def n_features_in_(self):
        return self._of_estimator("n_features_in_")

    @property
    def feature_names_in_(self):
        return self._of_estimator("feature_names_in_")

    @property
    def _model(self):
        """The model whose raw predictions are the outputs of the hidden layer."""
        model = _network(self.estimator_)._first_model
        return model.up_to(self._position(model.network.n_hidden))

    def _of_estimator(self, name):
        if "estimator_" not in vars(self):
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}, as it is "
                "not fitted yet."
            )
        return getattr(self.estimator_, name)

    def _position(self, n_hidden):
        """Return the index of the layer among so many, from the first on."""
        try:
            return range(n_hidden)[self.layer]
        except IndexError:
            raise ValueError(
                f"layer={self.layer}, but the network has {n_hidden} hidden layers"
                + (f": {-n_hidden} to {n_hidden - 1}." if n_hidden else ".")
            ) from None

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        of_estimator = get_tags(self.estimator)
        tags.input_tags = of_estimator.input_tags
        tags.target_tags = of_estimator.target_tags
        tags.transformer_tags.preserves_dtype = []
        return tags


def _network(estimator):
    """Return the DNN estimator, where it is frozen that inside."""
    is_frozen = isinstance(estimator, FrozenEstimator)
    network = estimator.estimator if is_frozen else estimator
    if not isinstance(network, BaseDNN):
        raise TypeError(
            "HiddenFeatures takes a DNNClassifier or a DNNRegressor, or a "
            f"FrozenEstimator around one, got {estimator!r}. What comes before a "
            "network goes before HiddenFeatures, in a pipeline."
        )
    return network


def _mean(units):
    return units.mean(axis=0)
