"""A deep neural network that predicts classes."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skdnn._base import BaseDNN
from skdnn._class_targets import ClassTargets
from skdnn._fitting import optimizer_takes_steps
from skdnn._sklearn_compat import StrOptions, _fit_context
from skdnn.nn.losses import CLASSIFIER_LOSSES, Loss
from skdnn.streaming import named_columns


class DNNClassifier(ClassifierMixin, BaseDNN):
    """Deep neural network classifier.

    A fully connected network, trained on the log loss of its sigmoid output (two
    classes, or several labels a row) or softmax outputs (more classes).

    A recipe is what stands in for all parameters that are `"auto"`. The tuned one is
    what measured best on tables of many kinds: an ensemble of networks with embeddings,
    dropout and a schedule of its own. The plain one is the network of the textbook.
    What is set by hand is taken as it is, in both.

    Parameters
    ----------
    hidden_layer_dims : array-like of int of shape (n_hidden_layers,), \
            default=(128, 128)
        Number of units of each hidden layer, from the input to the output. `()` is a
        linear model.

    recipe : {"auto", "tuned", "plain"}, default="auto"
        What all other `"auto"` stand for, see above. `"auto"` is `"tuned"` where Adam
        takes mini-batches (``solver="minibatch"`` and `optimizer` `"auto"`, `"adam"`,
        `"adamw"` or an instance of these), else `"plain"`.

    activation : {"auto", "identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", \
            "selu", "gelu", "silu", "mish", "softplus"}, Parametric or list of these, \
            default="auto"
        Activation of the hidden units, the same for all or one a hidden layer. A name
        is the plain function, also in the tuned recipe; with an instance such as
        ``Parametric("mish")`` of :class:`~skdnn.nn.activations.Parametric`, each unit
        learns how strong it is. `"auto"` is ``Parametric("silu")`` in the tuned recipe,
        else `"relu"`.

    batch_norm : bool, default=False
        Whether to standardize each unit over the batch, before its activation.
        Predictions use running averages.

    residual : bool or "auto", default="auto"
        Whether to add its input to the output of each hidden layer but the first, see
        :class:`~skdnn.nn.layers.Join`: the input is cut, or filled up with zeros,
        to the width of the layer, and the output is divided by the number of such
        layers. `"auto"` does so in the tuned recipe with 5 hidden layers or more.

    dropout : float in [0, 1), list of float or "auto", default="auto"
        Share of hidden units that each training step leaves out, the same for all or
        one a hidden layer, rounded to multiples of 1 / 65536 below 1. `"auto"` is 0.2
        in the tuned recipe, else 0.

    alpha : float >= 0 or "auto", default="auto"
        Strength of the L2 penalty on the weights (biases are free). The objective is
        ``(sum_i w_i loss_i + alpha / 2 * sum(coefs_^2)) / sum_i w_i``, so that its
        minimum does not depend on `batch_size`. `"auto"` is 1e-4, and where the weights
        ``w_i`` are below 1 on average, 1e-4 times their mean.

    loss : {"log_loss", "squared_error"} or Loss, \
            default="log_loss"
        What training minimizes: log loss, or half the squared error of the class
        probabilities (Brier score). An instance from :mod:`skdnn.nn.losses` sets its
        own parameters, e.g. ``LogLoss(label_smoothing=0.1)``.

    solver : {"bgd", "sgd", "minibatch"}, default="minibatch"
        How many rows each step looks at: all, one, or `batch_size`.

    batch_size : int or "auto", default="auto"
        Rows a step of ``solver="minibatch"``; not used by the others. More than there
        are means all. `"auto"` is 200, in the tuned recipe 32 to 512: the power of two
        next to 1.6 times the root of the number of rows.

    optimizer : {"auto", "sgd", "momentum", "nesterov", "rmsprop", "adagrad", "adam", \
            "adamw", "lbfgs"} or Optimizer, default="auto"
        The rule of the steps; an instance from :mod:`skdnn.nn.optimizers` sets its own
        parameters, e.g. ``Adam(beta_1=0.8)``. `"lbfgs"` needs ``solver="bgd"``.
        `"auto"` is ``AdamW(beta_2=0.95, weight_decay=0.01)`` in the tuned recipe, else
        `"adam"`.

    learning_rate : float > 0 or "auto", default="auto"
        Size of the steps. `"auto"` is 0.1 for `"sgd"`, 0.01 for `"momentum"`,
        `"nesterov"` and `"adagrad"`, and 0.001 for the others. With the neural-tangent
        parametrization it is 0.05 for a classifier and 0.12 for a regressor, if the
        optimizer makes steps of a size of its own (`"adam"`, `"adamw"`, `"rmsprop"`,
        `"adagrad"`).

    learning_rate_multipliers : dict, "auto" or None, default="auto"
        What to multiply the learning rate of a kind of parameters with; the kinds are
        `"weight"`, `"bias"`, `"norm"` (of batch norm), `"scale"` (of inputs),
        `"activation"` and `"embedding"`. 0 freezes them. `"auto"` is ``{"scale": 6,
        "bias": 0.1, "activation": 0.1, "embedding": 0.1}`` in the tuned recipe, else
        None.

    schedule : {"auto", "constant", "inverse_scaling", "step", "exponential", \
            "cosine", "flat_cosine", "one_cycle", "coslog", "adaptive"} or Schedule, \
            default="auto"
        How the learning rate changes over the epochs; an instance from
        :mod:`skdnn.nn.schedules` sets its own parameters, e.g. ``Cosine(warm_up=5)``.
        `"adaptive"` divides it by 5 whenever training would stop. `"auto"` is
        `"coslog"` in the tuned recipe, else `"constant"`.

    weight_init : {"auto", "lecun_normal", "lecun_uniform", "he_normal", "he_uniform", \
            "glorot_normal", "glorot_uniform"}, default="auto"
        Distribution of the initial weights. `"lecun_normal"` is ``randn / sqrt(n_in)``;
        `"auto"` is what suits the activation. Biases start at zero.

    parametrization : {"auto", "standard", "ntk"}, default="auto"
        What a dense layer computes: ``x @ weight + bias``, or with `"ntk"` (neural
        tangent) ``x @ weight / sqrt(n_in) + bias``, with larger weights in return. The
        latter makes steps of Adam the same for wide and for narrow layers. `"auto"` is
        `"ntk"` in the tuned recipe.

    max_iter : int or "auto", default="auto"
        Maximum number of epochs. `"auto"` is 200, in the tuned recipe
        ``60 (5000 / n_samples)^(1/4)`` and at most 90.

    max_time : float > 0 or None, default=None
        Seconds that `fit` may take; no epoch begins that would end later, and schedules
        end with the last one. At least one epoch is run. With `refit`, each of the two
        trainings has half of it. With ``n_members="auto"``, the tuned recipe has as
        many members as there is time for, from 1 to 16, told by a short trial, so that
        a longer time is a better model; with a stream, and on a cluster, as many as
        ever.

    tol : float >= 0 or None, default=1e-4
        What counts as progress, of the loss or of the validation score. None runs all
        epochs.

    n_iter_no_change : int or "auto", default="auto"
        Training stops after more than so many epochs in a row without progress.
        `"auto"` is 10, in the tuned recipe four fifths of `max_iter`.

    shuffle : bool, default=True
        Whether to visit the rows in a new order each epoch. The order of the rows of
        `X` then makes no difference. Rows that are equal in all columns and in the
        target are one row with the sum of their weights, unless the table has so few
        different rows that they are observations of their own. False takes the rows as
        they come.

    early_stopping : bool or "auto", default="auto"
        Whether to hold rows out, watch the score on them instead of the training loss,
        and keep the weights of the best epoch. `"auto"` does so in the tuned recipe
        with 20 rows or more, else with more than 10,000, or if `fit` gets `X_val`.

    validation_fraction : float in (0, 1) or int, default=0.1
        Share or number of the rows that early stopping holds out, copies counted once,
        of all classes in proportion. Members of an ensemble with parameters of their
        own hold out different rows, which they alone predict while training is watched.

    scoring : str or callable, default="loss"
        What early stopping watches: `"loss"`, the name of a scorer, or a callable
        ``scorer(estimator, X, y)``. Weights given to `fit`, and those of classes, are
        passed as `sample_weight` to a scorer that takes it; one that takes none sees a
        row of weight 2 twice. Where members hold out rows of their own, each is scored,
        and the mean counts.

    refit : bool, default=False
        Whether to train a new network on all rows afterwards, those that early stopping
        held out included, for as many epochs as were best. All that is told of training
        (`loss_curve_`, `n_iter_` and so on) is that of the first, which was watched. If
        the second is interrupted, diverges or has no time, the first network stays.

    numeric_scaling : {"robust", "standard", "quantile"} or None, default="robust"
        How columns are scaled, see :class:`~skdnn.encoding.TabularEncoder`. Unless
        None, NaN is a missing number: the median stands in, and columns with holes in
        training get an indicator column.

    numeric_embedding : {"auto", "periodic", "piecewise_linear"}, Periodic, \
            PiecewiseLinear or None, default="auto"
        What each number becomes before the first layer, beside itself: learned waves,
        or how far it reaches into each of a row of bins. An instance from
        :mod:`skdnn.nn.embeddings` sets its own parameters. `"auto"` is
        `"piecewise_linear"` in the tuned recipe for at most 200 columns, else None.

    input_scaling : bool or "auto", default="auto"
        Whether each input of the first layer, embeddings included, is multiplied by a
        number that is learned. `"auto"` does so in the tuned recipe.

    categorical_features : "from_dtype", array-like of {bool, int, str} or None, \
            default="from_dtype"
        Which columns are categories: those of a data frame whose dtype says so
        (categorical, string, bool, objects that are not all numbers), or a mask,
        positions or names; None is none. See :class:`~skdnn.encoding.TabularEncoder`.

    categorical_embedding : {"auto", "entity"}, EntityEmbedding or None, \
            default="auto"
        What each category of a column of many becomes: a vector that is learned; those
        of few become a column for each category. An instance of
        :class:`~skdnn.nn.embeddings.EntityEmbedding` says what is many, and how long
        the vectors are. None embeds none. `"auto"` is `"entity"` in the tuned recipe,
        else None.

    min_frequency : int, default=2
        Number of rows in which a category of an embedded column must stand to have a
        vector of its own. Rarer ones, and those that training did not see, share one.
        A row counts as often as its weight says; where weights are less than one on
        average, in units of their mean.

    n_members : int or "auto", default="auto"
        Number of networks that are trained side by side, on the same batches, from
        different initial parameters; the mean of their predictions, for a classifier of
        their probabilities, is the prediction. `"auto"` is 2 in the tuned recipe, 4 for
        fewer than 10,000 rows and 8 for fewer than 1,000, else 1. Time grows in
        proportion.

    ensemble_weights : {"own", "shared"}, default="own"
        Whether each member has parameters of its own, or all have the matrices of the
        hidden layers and the embeddings in common (TabM, Gorishniy et al., 2025).

    portfolio : bool, list of dict or "auto", default="auto"
        Kinds of members. Each dict says in what a kind differs from the estimator, as
        ``{"dropout": 0.0}``, and ``{}`` in nothing. It may set `hidden_layer_dims`,
        `activation`, `batch_norm`, `residual`, `dropout`, `alpha`, `batch_size`,
        `optimizer`, `learning_rate`, `learning_rate_multipliers`, `schedule`,
        `weight_init`, `parametrization`, `max_iter`, `n_iter_no_change`,
        `numeric_embedding`, `input_scaling`, `linear_share` and, of a regressor,
        `auxiliary_quantiles`. Members are shared out among the kinds, with one more for
        the first ones where they can't be as many; with fewer members than kinds, the
        last kinds are left out, and ``n_members="auto"`` is no fewer than a list has
        kinds. Kinds are trained one
        after the other, and the rows that are held out choose by the loss what each
        counts in the mean (convex weights, drawn to equal ones; equal ones where no
        rows are held out). True is a portfolio that helps many tables: with and without
        dropout, with the embedding of numbers of the tuned recipe and with a periodic
        one; kinds that would change what was set by hand are left out. `"auto"` is True
        for 8 members and 2000 rows or more in the tuned recipe, with early stopping and
        rows in memory, without `warm_start`, `pretrained`, L-BFGS and shared
        `ensemble_weights`. False is members of one kind. After `fit`, `partial_fit`
        trains each kind on, and leaves its weight as it is.

    linear_share : bool or "auto", default="auto"
        Whether a linear model of the columns, trained when the network has been, has a
        share in the raw predictions: ``(1 - share) * network + share * linear``. The
        validation rows choose its L2 penalty, and a share from 0 to 1, by the loss. Few
        rows do not tell a network that a straight line would do. The model reads
        numbers and categories that are columns of zeros and ones. `"auto"` has it in
        the tuned recipe with fewer than 1000 rows, where there is early stopping but
        are no residual connections. Not with `warm_start`, nor on a cluster; curves and
        scores of epochs are those of the network alone.

    class_weight : dict, list of dict, "balanced" or None, default=None
        Weights of the classes, multiplied with `sample_weight`: in the loss, in the
        validation score and in batch norm. `"balanced"` gives each class the same
        total.

    temperature_scaling : bool or "auto", default="auto"
        Whether to divide the raw predictions by what makes the loss on the validation
        rows smallest. Epochs are then compared by the loss that they have with that, so
        that sharp probabilities do not end training (Berta et al., 2025). Needs early
        stopping, but for fewer than 20 rows: they are made as sure as their number
        allows, ``(n + 1) / (n + n_classes)`` by Laplace's rule. `"auto"` does so in the
        tuned recipe.

    pretrained : DNNClassifier, DNNRegressor, FrozenEstimator or None, default=None
        A fitted estimator whose encoder, embeddings, input scaling and hidden layers
        are taken over; the output layer, and hidden layers beyond its own, are new. The
        columns must be those that it was trained on, and so must all parameters that
        these layers depend on; `"auto"` then stands for what they were. Members take
        over those of a pretrained ensemble in turn, a single network takes over the
        first. scikit-learn's `clone`, as in a search, would forget what was learned;
        :class:`sklearn.frozen.FrozenEstimator` around the estimator keeps it.

    n_frozen_layers : int, default=0
        How many hidden layers of `pretrained`, from the input on and with all that lies
        below them, training leaves as they are, without dropout; with 0, all are
        trained further.

    warm_start : bool, default=False
        Whether `fit` goes on from where the last call ended: weights, optimizer,
        batch norm's averages, scaling, calibration and random streams. `"auto"` then
        stands for what it stood for when training began, where it is about these.

    verbose : bool or int, default=False
        Whether to print a line an epoch.

    random_state : int, RandomState instance or None, default=None
        Of initial weights, order of rows, validation split and dropout, which each have
        a stream of their own. An int gives the same network, to the bit, at every call.

    dtype : {"float32", "float64"}, default="float32"
        Of all computations, whatever the dtype of `X`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels; for multilabel targets, the numbers of the columns.

    n_features_in_ : int
        Number of columns of `X`.

    feature_names_in_ : ndarray of str of shape (`n_features_in_`,)
        Their names, if `X` had names that are all strings.

    n_outputs_ : int
        Number of outputs of the network.

    n_layers_ : int
        Number of layers, input and output included.

    out_activation_ : {"sigmoid", "softmax"}
        From the raw outputs of the network to probabilities.

    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each dense layer, the first of which reads what embeddings and input
        scaling make of the columns. Of an ensemble, (n_members, n_in, n_out), but for
        weights that members share.

    intercepts_ : list of ndarray of shape (n_out,)
        Biases of each dense layer; for layers with batch norm, its shifts. Of an
        ensemble, (n_members, 1, n_out).

    temperature_ : float
        What raw predictions are divided by; 1 without `temperature_scaling`. Training
        that goes on without validation rows keeps it.

    linear_share_ : float
        What share of the raw predictions is a linear model's; 0 is none. Its weights
        are those of the last layer, ``network_.layers[-1]``.

    kinds_ : list of estimators, or None
        One for each kind of members (see `portfolio`), fitted, with its parameters and
        all these attributes of its own; None without a portfolio. What this estimator
        has of one network (`network_`, `coefs_`, `intercepts_`, `n_layers_`,
        `temperature_`, `linear_share_`), and what it tells of training, is that of the
        first.

    kind_weights_ : ndarray of shape (n_kinds,), or None
        What each of `kinds_` counts in the mean, with a sum of 1.

    encoder_ : TabularEncoder
        What scales the columns.

    network_ : Network
        The network, with all parameters in ``network_.params``.

    learning_rate_ : float or None
        The learning rate that `schedule` multiplies; None with `"lbfgs"`.

    n_iter_ : int
        Number of epochs: of the last `fit`, or of all calls to `partial_fit`. With
        `refit`, this and what follows is about the training that was watched.

    best_iter_ : int
        Number of epochs after which loss or score was best.

    loss_ : float
        The objective in the last epoch.

    best_loss_ : float or None
        The lowest objective; None with early stopping.

    loss_curve_ : list of float
        The objective in each epoch: measured before each step, averaged over the rows.

    validation_loss_curve_ : list of float or None
        Loss on the validation rows after each epoch; None without early stopping.

    validation_scores_ : list of float or None
        Score on the validation rows after each epoch; None without early stopping.

    best_validation_score_ : float or None
        The best of `validation_scores_`; None without early stopping.

    learning_rate_curve_ : list of float or None
        The learning rate at the first step of each epoch, after `schedule` and before
        `learning_rate_multipliers`; None with `"lbfgs"`.

    See Also
    --------
    DNNRegressor : The same network for regression.

    References
    ----------
    Goodfellow, Bengio and Courville, "Deep Learning", MIT Press, 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.model_selection import train_test_split
    >>> from skdnn import DNNClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> clf = DNNClassifier((32,), learning_rate=0.01, random_state=0)
    >>> clf.fit(X_train, y_train).score(X_test, y_test) > 0.95
    True
    """

    _parameter_constraints = {
        **BaseDNN._parameter_constraints,
        "loss": [StrOptions(set(CLASSIFIER_LOSSES)), Loss],
        "class_weight": [StrOptions({"balanced"}), dict, list, None],
        "temperature_scaling": [StrOptions({"auto"}), "boolean"],
    }

    _fixed = (*BaseDNN._fixed, "class_weight")
    _targets_class = ClassTargets

    def __init__(
        self,
        hidden_layer_dims=(128, 128),
        *,
        recipe="auto",
        activation="auto",
        batch_norm=False,
        residual="auto",
        dropout="auto",
        alpha="auto",
        loss="log_loss",
        solver="minibatch",
        batch_size="auto",
        optimizer="auto",
        learning_rate="auto",
        learning_rate_multipliers="auto",
        schedule="auto",
        weight_init="auto",
        parametrization="auto",
        max_iter="auto",
        max_time=None,
        tol=1e-4,
        n_iter_no_change="auto",
        shuffle=True,
        early_stopping="auto",
        validation_fraction=0.1,
        scoring="loss",
        refit=False,
        numeric_scaling="robust",
        numeric_embedding="auto",
        input_scaling="auto",
        categorical_features="from_dtype",
        categorical_embedding="auto",
        min_frequency=2,
        n_members="auto",
        ensemble_weights="own",
        portfolio="auto",
        linear_share="auto",
        class_weight=None,
        temperature_scaling="auto",
        pretrained=None,
        n_frozen_layers=0,
        warm_start=False,
        verbose=False,
        random_state=None,
        dtype="float32",
    ):
        self.hidden_layer_dims = hidden_layer_dims
        self.recipe = recipe
        self.activation = activation
        self.batch_norm = batch_norm
        self.residual = residual
        self.dropout = dropout
        self.alpha = alpha
        self.loss = loss
        self.solver = solver
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.learning_rate_multipliers = learning_rate_multipliers
        self.schedule = schedule
        self.weight_init = weight_init
        self.parametrization = parametrization
        self.max_iter = max_iter
        self.max_time = max_time
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.shuffle = shuffle
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.scoring = scoring
        self.refit = refit
        self.numeric_scaling = numeric_scaling
        self.numeric_embedding = numeric_embedding
        self.input_scaling = input_scaling
        self.categorical_features = categorical_features
        self.categorical_embedding = categorical_embedding
        self.min_frequency = min_frequency
        self.n_members = n_members
        self.ensemble_weights = ensemble_weights
        self.portfolio = portfolio
        self.linear_share = linear_share
        self.class_weight = class_weight
        self.temperature_scaling = temperature_scaling
        self.pretrained = pretrained
        self.n_frozen_layers = n_frozen_layers
        self.warm_start = warm_start
        self.verbose = verbose
        self.random_state = random_state
        self.dtype = dtype

    @available_if(optimizer_takes_steps)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train for one epoch on a part of the data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Some of the training data.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        classes : array-like of shape (n_classes,), default=None
            All classes that any call may see; needed in the first call only.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        self : object
            The trained estimator.
        """
        self._check_partial_fit_classes(classes)
        return self._partial_fit(X, y, sample_weight, classes)

    def _check_partial_fit_classes(self, classes):
        """Raise an error for classes that are missing, or not those of before."""
        if not hasattr(self, "classes_"):
            if classes is None:
                raise ValueError(
                    "classes must be passed on the first call to partial_fit."
                )
        elif classes is not None and not np.array_equal(
            self.classes_, np.unique(np.asarray(classes))
        ):
            raise ValueError(
                f"classes={classes!r} is not the same as on the last call to "
                f"partial_fit, was: {self.classes_!r}."
            )

    def predict(self, X):
        """Predict classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or Stream
            Rows to predict.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Class labels, of the kind seen in `fit`.
        """
        return self._predict(X, "predict")

    def predict_proba(self, X):
        """Predict probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or Stream
            Rows to predict.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`; for multilabel targets, of each
            label on its own. In float64, whatever `dtype`.
        """
        return self._predict(X, "probabilities")

    def predict_log_proba(self, X):
        """Predict logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or Stream
            Rows to predict.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            ``log(predict_proba(X))``, finite where a probability rounds to 0.
        """
        return self._predict(X, "log_probabilities")

    def decision_function(self, X):
        """Return the raw outputs of the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or Stream
            Rows to predict.

        Returns
        -------
        raw : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Log odds of the second of two classes, or of each label; for more classes,
            what the softmax turns into probabilities.
        """
        return self._predict(X, "decisions", dtype=None)

    def score(self, X, y, sample_weight=None):
        """Return the share of rows whose prediction is right, all labels of it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or Stream
            Rows to predict.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs), str or list
            Their classes. With a stream, the name of their column, or a list of names.

        sample_weight : array-like of shape (n_samples,) or str, default=None
            Weights of the rows. With a stream, the name of their column.

        Returns
        -------
        score : float
        """
        check_is_fitted(self)
        y, sample_weight = named_columns(X, y, sample_weight)
        return super().score(X, y, sample_weight)

    @property
    def classes_(self):
        return self._model.targets.classes

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
