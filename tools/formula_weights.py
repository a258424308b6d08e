"""Weights that both sides of a parity test compute, so that no golden file has to hold them.

A weight is a pure function of its Hugging Face name (without the `fnet.` prefix), its shape and the
flat index i of the element. `tests/golden.h` computes the same bits in C++:

    h = splitmix64(fnv1a64(name) + (i + 1) · 0x9E3779B97F4A7C15)        64-bit, wrapping
    z = (sum of the four 16-bit words of h − 131070) · 2⁻¹⁶             bell-shaped in (−2, 2), σ = 0.577
    LayerNorm weights   1 + z/8, and running variances
    biases              z/8
    embedding tables    z/8
    deviations          1 + (i mod 5) / 4
    matrices            z · 2^−⌊log2(columns)/2⌋                        about Glorot's scale

Every step is exact in float32 but the sum 1 + z/8, which is rounded once.
"""

import numpy as np

_GOLDEN_RATIO = np.uint64(0x9E3779B97F4A7C15)


def fnv1a64(name: str) -> int:
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def _splitmix64(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The float32 weight `name` of this shape."""
    name = name.removeprefix("fnet.")
    if name.endswith(".std"):
        return (1 + np.arange(int(np.prod(shape))) % 5 / 4).astype(np.float32).reshape(shape)
    index = np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        h = _splitmix64(np.uint64(fnv1a64(name)) + index * _GOLDEN_RATIO)
    words = sum((h >> np.uint64(shift)) & np.uint64(0xFFFF) for shift in (0, 16, 32, 48))
    z = (words.astype(np.float32) - np.float32(131070)) * np.float32(2**-16)
    if name.endswith(("LayerNorm.weight", ".running_var")):
        value = np.float32(1) + z / np.float32(8)
    elif name.endswith(".bias") or "embeddings.weight" in name:
        value = z / np.float32(8)
    else:
        value = z * np.float32(2.0 ** -((shape[-1].bit_length() - 1) // 2))
    return value.reshape(shape)
