"""Exported models beside the models, and a table with columns of all kinds."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import is_classifier

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("skl2onnx")

import onnx  # noqa: E402

from skdnn.onnx import to_onnx  # noqa: E402


def run(onnx_model, X):
    """Return what ONNX Runtime makes of a table: the outputs by name."""
    onnx.checker.check_model(onnx_model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        onnx_model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    is_frame = isinstance(X, pd.DataFrame)
    feed = {name: X[[name]].to_numpy() for name in X} if is_frame else {"X": X}
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, feed), strict=True))


def assert_same(model, X, new=None, rtol=1e-6):
    """Compare an exported model with the model itself, on new rows of a table."""
    new = X if new is None else new
    out = run(to_onnx(model, X), new)
    if is_classifier(model):
        assert list(out) == ["label", "probabilities"]
        np.testing.assert_array_equal(out["label"], model.predict(new))
        proba = model.predict_proba(new)
        np.testing.assert_allclose(out["probabilities"], proba, atol=rtol)
    else:
        y = model.predict(new)
        scale = np.abs(y).max()
        y = y.reshape(len(new), -1)
        np.testing.assert_allclose(out["variable"], y, rtol, atol=rtol * scale)


def table(n=200, seed=0):
    """Return a frame with a column of each kind, and holes."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "number (x)": rng.standard_normal(n),
            "float32": rng.standard_normal(n).astype(np.float32),
            "int": rng.integers(0, 9, n),
            "int8": rng.integers(0, 9, n).astype(np.int8),
            "bool": rng.random(n) > 0.5,
            "täxt": rng.choice(["a", "b c", "ü", "1"], n),
            "many": rng.choice([f"c{i}" for i in range(50)], n),
            "1 category": pd.Categorical(rng.choice(["low", "high"], n)),
            "codes": rng.integers(0, 25, n),
            "floats": np.round(rng.standard_normal(n), 1),
            "constant": 1.0,
        }
    )
    y = (frame["number (x)"] > 0).astype(int) + frame["bool"]
    frame.loc[::7, ["täxt", "1 category"]] = None
    frame.loc[::5, ["number (x)", "floats"]] = np.nan
    return frame, y.to_numpy()


def unseen(frame):
    """Return the frame with numbers and categories that it had not."""
    frame = frame.copy()
    frame.loc[::3, "täxt"] = "new"
    frame.loc[::4, "codes"] = 99
    frame.loc[1::3, "floats"] = 0.123
    frame.loc[2::5, "many"] = None
    frame.loc[3::5, "many"] = "c"
    return frame
