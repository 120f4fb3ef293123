"""The part of the build that pyproject.toml has no words for: an optional extension."""

import os
from glob import glob

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

# No -ffast-math: it would lose infinities and NaN, and change how other code of the
# process rounds.  The pragmas `omp simd` need no OpenMP.
GCC_FLAGS = [
    "-std=c11",
    "-O3",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fopenmp-simd",
    "-fvisibility=hidden",
]
# With C11 comes `restrict`.
MSVC_FLAGS = ["/std:c11", "/O2", "/fp:precise"]


class BuildWithFlags(build_ext):
    """Builds an extension with the flags of the compiler that is there."""

    def build_extension(self, extension):
        is_msvc = self.compiler.compiler_type == "msvc"
        extension.extra_compile_args = MSVC_FLAGS if is_msvc else GCC_FLAGS
        super().build_extension(extension)


extension = Extension(
    "skdnn.nn._compiled",
    ["skdnn/nn/_compiled.pyx", *sorted(glob("skdnn/nn/kernels/*.c"))],
    depends=sorted(glob("skdnn/nn/kernels/*.[hd]*")),
    # Where it can't be built, NumPy computes everything.
    optional=os.environ.get("SKDNN_EXPECT_COMPILED") != "1",
)

setup(ext_modules=[extension], cmdclass={"build_ext": BuildWithFlags})
