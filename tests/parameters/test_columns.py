"""Parameters of the columns: numbers, categories, and what is made of them."""

import numpy as np
import pandas as pd
import pytest

from skdnn._recipe import MAX_EMBEDDED
from skdnn.nn.embeddings import (
    NUMERIC_EMBEDDINGS,
    EntityEmbedding,
    EntityEmbeddingLayer,
    NumericEmbedding,
    Periodic,
    PiecewiseLinear,
)
from skdnn.nn.layers import Scale
from tests.plain import plain_classifier, plain_regressor
from tests.tables import (
    STILL,
    UNSCALED,
    binary,
    layers,
    parameters,
    raw_predictions,
)

both = pytest.mark.parametrize("make", [plain_classifier, plain_regressor])


def words(n=60):
    """Return a column of numbers and one of five words, and classes."""
    X, y = binary(n)
    word = np.array(list("abcde"))[np.arange(n) % 5]
    return pd.DataFrame({"x": X[:, 0], "word": word}), y


# Numbers


@both
@pytest.mark.parametrize("scaling", ["robust", "standard", "quantile", None])
def test_numeric_scaling_is_the_encoders(make, scaling):
    """The network sees the columns as the encoder of that scaling gives them."""
    X, y = binary()
    X = 10 * X + 5
    est = make(numeric_scaling=scaling, dtype="float64").fit(X, y)
    encoded = est.encoder_.transform(X)
    assert est.encoder_.numeric_scaling == scaling
    assert np.array_equal(encoded, X) == (scaling is None)
    np.testing.assert_allclose(
        raw_predictions(est, X), est.network_.forward(encoded), rtol=1e-12, atol=1e-12
    )


@both
def test_numeric_embedding_none_is_the_columns_themselves(make):
    """Without an embedding, columns enter the first layer as they are."""
    est = make(numeric_embedding=None).fit(*binary())
    assert not layers(est, NumericEmbedding)
    assert est.coefs_[0].shape == (4, 8)


@both
@pytest.mark.parametrize("name", sorted(NUMERIC_EMBEDDINGS))
def test_numeric_embedding_name_is_its_defaults(make, name):
    """A name is an instance of its class, whose layer is the first."""
    X, y = binary()
    embedding = NUMERIC_EMBEDDINGS[name]()
    one, two = (make(numeric_embedding=e).fit(X, y) for e in (name, embedding))
    np.testing.assert_array_equal(parameters(one), parameters(two))
    assert isinstance(one.network_.layers[0], NumericEmbedding)
    assert one.coefs_[0].shape == (4 * (1 + embedding.width), 8)


@both
def test_numeric_embedding_periodic_by_hand(make):
    """A number becomes itself and a linear map of waves that are learned."""
    X, y = binary()
    params = {"learning_rate": 0.05, **UNSCALED}
    est = make((), numeric_embedding=Periodic(5, 2, 0.3), **params).fit(X, y)
    layer = est.network_.layers[0]
    waves = np.cos(2 * np.pi * layer.frequency * X.T[..., None] + layer.phase)
    vectors = np.concatenate(list(waves @ layer.weight + layer.bias), axis=1)
    expected = np.hstack([X, vectors]) @ est.coefs_[0] + est.intercepts_[0]
    assert layer.frequency.shape == (4, 1, 5)
    assert vectors.shape == (60, 4 * 2)
    np.testing.assert_allclose(
        raw_predictions(est, X), expected, rtol=1e-10, atol=1e-12
    )


@both
def test_numeric_embedding_piecewise_linear_by_hand(make):
    """A number becomes itself and a map of how far it reaches into bins of rows."""
    X, y = binary()
    params = {"shuffle": False, "learning_rate": 0.05, **UNSCALED}
    est = make((), numeric_embedding=PiecewiseLinear(4, 3), **params).fit(X, y)
    layer = est.network_.layers[0]
    edges = np.sort(X, axis=0)[[0, 14, 29, 44, 59]]
    low, high = edges[:-1], edges[1:]
    reach = np.clip((X[:, None] - low) / (high - low), 0, 1)
    vectors = np.einsum("ntj,jtw->njw", reach, layer.weight) + layer.bias[:, 0]
    inputs = np.hstack([X, vectors.reshape(60, 4 * 3)])
    expected = inputs @ est.coefs_[0] + est.intercepts_[0]
    np.testing.assert_allclose(
        raw_predictions(est, X), expected, rtol=1e-10, atol=1e-12
    )


@both
def test_numeric_embedding_has_parameters_of_its_own(make):
    """Those of an instance can be set from outside."""
    X, y = binary()
    est = make(numeric_embedding=Periodic())
    est.set_params(numeric_embedding__width=3, numeric_embedding__n_frequencies=7)
    assert est.fit(X, y).coefs_[0].shape == (4 * (1 + 3), 8)
    other = make(numeric_embedding=Periodic(n_frequencies=7, width=3)).fit(X, y)
    np.testing.assert_array_equal(parameters(est), parameters(other))
    est.set_params(numeric_embedding=PiecewiseLinear(), numeric_embedding__n_bins=0)
    with pytest.raises(ValueError, match="'n_bins' parameter of PiecewiseLinear"):
        est.fit(X, y)


@both
def test_numeric_embedding_is_for_numbers(make):
    """Columns that say what is missing, and those of categories, are left alone."""
    table, y = words()
    table["hole"] = np.where(np.arange(60) % 4, np.arange(60.0), np.nan)
    est = make(numeric_embedding=Periodic(width=3)).fit(table, y)
    assert est.coefs_[0].shape == (2 * (1 + 3) + 1 + 5, 8)


@both
@pytest.mark.parametrize("n_more", [0, 1])
def test_numeric_embedding_auto_is_for_few_columns(make, n_more):
    """`"auto"` embeds no table of very many columns."""
    X, y = binary(40, MAX_EMBEDDED + n_more)
    est = make(recipe="tuned", numeric_embedding="auto").fit(X, y)
    assert len(layers(est, NumericEmbedding)) == (n_more == 0)


@both
@pytest.mark.parametrize("embedding", [None, "periodic"])
def test_input_scaling_multiplies_each_input(make, embedding):
    """Each input of the first layer has a factor that is learned, and starts at 1."""
    X, y = binary()
    params = {"numeric_embedding": embedding, "learning_rate": 0.05, **UNSCALED}
    est = make((), input_scaling=True, **params).fit(X, y)
    (scale,) = layers(est, Scale)
    inputs = X if embedding is None else est.network_.layers[0].forward(X)
    assert scale.gain.shape == (inputs.shape[1],)
    assert (scale.gain != 1).all()
    expected = inputs * scale.gain @ est.coefs_[0] + est.intercepts_[0]
    np.testing.assert_allclose(
        raw_predictions(est, X), expected, rtol=1e-10, atol=1e-12
    )
    start = make((), input_scaling=True, **{**params, **STILL}).fit(X, y)
    assert (layers(start, Scale)[0].gain == 1).all()
    assert not layers(make((), input_scaling=False, **params).fit(X, y), Scale)


# Categories


@both
def test_categorical_features_become_columns(make):
    """The columns that it names are one-hot encoded, and are no numbers then."""
    X, y = binary()
    X[:, 1] = np.arange(60) % 3
    assert make().fit(X, y).encoder_.n_features_out_ == 4
    est = make(categorical_features=[1]).fit(X, y)
    assert est.encoder_.n_features_out_ == 3 + 3
    assert est.coefs_[0].shape == (6, 8)


@both
@pytest.mark.parametrize(
    ("max_one_hot", "cardinalities"), [(None, []), (5, []), (4, [6]), (0, [6])]
)
def test_categorical_embedding_is_for_more_categories_than_max_one_hot(
    make, max_one_hot, cardinalities
):
    """More categories than that become a vector each, and one for all others."""
    entity = max_one_hot is not None and EntityEmbedding(max_one_hot, width=3)
    est = make(categorical_embedding=entity or None).fit(*words())
    assert est.encoder_.cardinalities_ == cardinalities
    shapes = [ly.vectors.shape for ly in layers(est, EntityEmbeddingLayer)]
    assert shapes == [(n, 3) for n in cardinalities]
    assert est.coefs_[0].shape == (1 + (3 if cardinalities else 5), 8)


@both
@pytest.mark.parametrize(("min_frequency", "n_vectors"), [(1, 6), (2, 5), (3, 3)])
def test_min_frequency_is_what_a_category_needs_for_a_vector(
    make, min_frequency, n_vectors
):
    """A category in fewer rows shares the first vector with what is unknown."""
    words = np.repeat(list("abcde"), [9, 5, 2, 2, 1])
    table = pd.DataFrame({"word": words, "n": np.arange(19)})
    entity = EntityEmbedding(max_one_hot=4)
    est = make(categorical_embedding=entity, min_frequency=min_frequency)
    est.fit(table, np.arange(19) % 2)
    (embedding,) = layers(est, EntityEmbeddingLayer)
    assert embedding.vectors.shape[-2:] == (n_vectors, entity.width)
    rare = table.iloc[[-1]]
    alike = np.array_equal(est.predict(rare), est.predict(rare.assign(word="new")))
    codes = est.encoder_.transform(pd.concat([rare, rare.assign(word="new")]))[:, -1]
    assert (codes[0] == codes[1] == 0) == (min_frequency > 1) <= alike
    with pytest.raises(ValueError, match="min_frequency was"):
        est.set_params(min_frequency=7).partial_fit(table, np.arange(19) % 2)


@both
@pytest.mark.parametrize("width", [1, 2, 7])
def test_width_is_the_length_of_the_vectors(make, width):
    """A category enters the first layer as so many numbers, which are learned."""
    table, y = words()
    params = {"learning_rate": 0.05, "dtype": "float64"}
    entity = EntityEmbedding(max_one_hot=0, width=width)
    est = make((), categorical_embedding=entity, **params).fit(table, y)
    (embedding,) = layers(est, EntityEmbeddingLayer)
    assert embedding.vectors.shape == (6, width)
    encoded = est.encoder_.transform(table)
    vectors = embedding.vectors[encoded[:, 1].astype(int)]
    inputs = np.hstack([encoded[:, :1], vectors])
    expected = inputs @ est.coefs_[0] + est.intercepts_[0]
    raw = raw_predictions(est, table)
    np.testing.assert_allclose(raw, expected, rtol=1e-10, atol=1e-12)
