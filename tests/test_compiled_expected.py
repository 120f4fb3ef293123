"""Where the compiled engine should have been built, it is there.

Its build is optional, and fails without a word: the Makefile says where it must not.
"""

import os

import pytest

from skdnn.nn import compiled


@pytest.mark.skipif(
    os.environ.get("SKDNN_EXPECT_COMPILED") != "1",
    reason="SKDNN_EXPECT_COMPILED is not 1",
)
def test_the_compiled_engine_is_there():
    """Where there is a C compiler, the extension was built, and can be imported."""
    assert compiled.available, compiled.why_not
