# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The element types a bundle may hold, and their names in model.json."""

# numpy's name (also ml_dtypes' for bfloat16) -> the name in model.json.
NAMES = {
    "float32": "f32",
    "bfloat16": "bf16",
    "float16": "f16",
    "int32": "i32",
    "uint32": "u32",
    "int16": "i16",
    "uint16": "u16",
    "int8": "i8",
    "uint8": "u8",
    "bool": "i1",
    "float64": "f64",
    "int64": "i64",
    "uint64": "u64",
    "complex64": "c64",
}

# What to write instead of a type that no engine has, or that JAX narrows as it is set.
REMEDIES = {
    "float64": "float32",
    "int64": "int32",
    "uint64": "uint32",
    "complex128": "complex64",
    "int4": "int8",
    "uint4": "uint8",
}


def loom_name(dtype: object) -> str | None:
    """The bundle's name of `dtype`, or None where a bundle cannot hold it."""
    return NAMES.get(str(dtype))


def remedy(dtype: object) -> str:
    """One clause that says what to do about an element type that a bundle cannot hold."""
    name = str(dtype)
    if name.startswith("float8"):
        return "convert it to bfloat16"
    if name in REMEDIES:
        return f"convert it to {REMEDIES[name]}"
    return "use one of " + ", ".join(NAMES)
