# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""With libloom_pjrt.so in loom/ a wheel is for one platform, which LOOM_PLATFORM_TAG names, and for any
Python: nothing is compiled against it. Without, it is the exporter alone. `./dev wheel` makes the former."""

import os
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.dist import Distribution

BINARY = Path(__file__).with_name("loom").joinpath("libloom_pjrt.so").exists()


class PlatformDistribution(Distribution):
    def has_ext_modules(self) -> bool:
        return BINARY


class platform_wheel(bdist_wheel):
    def get_tag(self) -> tuple[str, str, str]:
        platform = super().get_tag()[2]
        return "py3", "none", os.environ.get("LOOM_PLATFORM_TAG", platform) if BINARY else "any"


setup(distclass=PlatformDistribution, cmdclass={"bdist_wheel": platform_wheel})
