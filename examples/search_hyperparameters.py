"""Every hyperparameter can be searched over, and judged by cross-validation.

All of them are parameters of the constructor, so scikit-learn's searches reach them,
and with double underscores what is inside an optimizer, a schedule or a loss. Varies
one after the other, judged by ten-fold cross-validation, three-fold where ten would
leave too few rows in a fold; the amount of training data is the eleventh. Ends with
what tells the chosen from the learned: parameters, and attributes that end in "_".
"""

from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.model_selection import GridSearchCV, cross_val_score, learning_curve

from skdnn import DNNClassifier
from skdnn.nn.losses import LogLoss
from skdnn.nn.optimizers import Adam

ONE_AT_A_TIME = [
    {"learning_rate": [0.0001, 0.001, 0.1]},
    {"alpha": [0.0, 1.0, 100.0]},
    {"hidden_layer_dims": [(), (32,), (32, 32), (32, 16, 8)]},
    {"max_iter": [5, 10, 50]},
    {"batch_size": [8, 64, 1000]},
    {"solver": ["bgd", "sgd"]},
    {"loss": [LogLoss(link="softmax"), LogLoss(link="sigmoid")]},
    {"loss": ["log_loss", "squared_error"]},
    {"weight_init": ["lecun_normal", "he_uniform"]},
    {"activation": ["tanh", "gelu"]},
    {"optimizer__beta_1": [0.8, 0.95]},
]


def n_folds(n_samples):
    """Return 10 if each fold then has 30 rows or more, else 3."""
    return 10 if n_samples >= 300 else 3


clf = DNNClassifier(
    (32,),
    optimizer=Adam(),
    n_members=1,
    learning_rate=0.01,
    max_iter=50,
    tol=None,
    random_state=0,
)

for load in [load_breast_cancer, load_wine]:
    X, y = load(return_X_y=True)
    scores = cross_val_score(clf, X, y, cv=n_folds(len(y)))
    print(f"{load.__name__}: {scores.mean():.3f}, mean accuracy of {len(scores)} folds")

search = GridSearchCV(clf, ONE_AT_A_TIME, cv=n_folds(len(y)), n_jobs=2).fit(X, y)
results = search.cv_results_
for params, score in zip(results["params"], results["mean_test_score"], strict=True):
    (name, value), *_ = params.items()
    print(f"{name:>18} = {value!s:27} {score:.3f}")

sizes, _, scores = learning_curve(
    clf, X, y, train_sizes=[0.1, 0.3, 1.0], cv=3, shuffle=True, random_state=0
)
for size, score in zip(sizes, scores.mean(axis=1), strict=True):
    print(f"{'rows':>18} = {size!s:27} {score:.3f}")

clf.fit(X, y)
shapes = [coef.shape for coef in clf.coefs_]
print(f"chosen:  hidden_layer_dims = {clf.get_params()['hidden_layer_dims']}")
print(f"learned: coefs_ of shapes {shapes}, from {clf.n_iter_} epochs (n_iter_)")
