# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes `import loom` find this checkout, so that the tests need no installation."""

import os
import sys
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
