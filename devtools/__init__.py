# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What stands behind ./dev: building, booting, testing and measuring Loom."""
