"""Forward pass of every architecture that `fnet` knows, written for reading, over an algebra `ops`.

`NumpyOps` in float64 is the reference of the golden files: norms, activations and the transform are
spelled out from their definitions. `TorchOps` in float32 runs the same architecture on torch's own
fused functions; its distance from the reference is the yardstick of the parity tests.
"""

import math

import numpy as np
import scipy.special

from reference_parts import FEED_FORWARDS, NORMS, Place, sinusoids


class NumpyOps:
    """float64, by definition."""

    def array(self, value):
        return np.asarray(value, dtype=np.float64)

    def layer_norm(self, x, weight, bias, eps):
        mean = x.mean(-1, keepdims=True)
        variance = ((x - mean) ** 2).mean(-1, keepdims=True)
        y = (x - mean) / np.sqrt(variance + eps) * weight
        return y if bias is None else y + bias

    def rms_norm(self, x, weight, eps):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * weight

    def gelu(self, x):
        return 0.5 * x * (1 + scipy.special.erf(x / math.sqrt(2)))

    def gelu_new(self, x):
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))

    def relu(self, x):
        return np.maximum(x, 0)

    def silu(self, x):
        return x * scipy.special.expit(x)

    def tanh(self, x):
        return np.tanh(x)

    def sigmoid(self, x):
        return scipy.special.expit(x)

    def squared_relu(self, x):
        return np.maximum(x, 0) ** 2

    def quick_gelu(self, x):
        return x * scipy.special.expit(1.702 * x)

    def softmax(self, x):
        return scipy.special.softmax(x, axis=-1)

    def sqrt(self, x):
        return np.sqrt(x)

    def log(self, x):
        return np.log(x)

    def at_least(self, x, low):
        return np.maximum(x, low)

    def inside(self, x, low, high):
        return ((x >= low) & (x < high)).astype(np.float64)

    def stack(self, parts):
        return np.stack(parts, axis=-1)

    def concat(self, parts):
        return np.concatenate(parts, axis=-1)

    def linear(self, x, weight, bias=None):
        y = x @ weight.T
        return y if bias is None else y + bias

    def fourier(self, x, norm):
        """Re of the DFT over the last two axes, as two matrix products with exact angles."""
        (cos_n, sin_n), (cos_h, sin_h) = self._dft(x.shape[-2]), self._dft(x.shape[-1])
        y = cos_n @ x @ cos_h - sin_n @ x @ sin_h
        return y / math.sqrt(x.shape[-2] * x.shape[-1]) if norm == "ortho" else y

    def _dft(self, n):
        k = np.arange(n, dtype=np.int64)
        angle = np.outer(k, k) % n * (2 * math.pi / n)
        return np.cos(angle), np.sin(angle)

    def mean_rows(self, x):
        return x.mean(-2)

    def max_rows(self, x):
        return x.max(-2)


class TorchOps:
    """float32, by torch's own functions."""

    def __init__(self):
        import torch

        self.torch, self.f = torch, torch.nn.functional

    def array(self, value):
        return self.torch.as_tensor(np.asarray(value, dtype=np.float32))

    def layer_norm(self, x, weight, bias, eps):
        return self.f.layer_norm(x, x.shape[-1:], weight, bias, eps)

    def rms_norm(self, x, weight, eps):
        return self.f.rms_norm(x, x.shape[-1:], weight, eps)

    def gelu(self, x):
        return self.f.gelu(x)

    def gelu_new(self, x):
        return self.f.gelu(x, approximate="tanh")

    def relu(self, x):
        return self.f.relu(x)

    def silu(self, x):
        return self.f.silu(x)

    def tanh(self, x):
        return self.torch.tanh(x)

    def sigmoid(self, x):
        return self.torch.sigmoid(x)

    def squared_relu(self, x):
        return self.f.relu(x) ** 2

    def quick_gelu(self, x):
        return x * self.torch.sigmoid(1.702 * x)

    def softmax(self, x):
        return self.torch.softmax(x, -1)

    def sqrt(self, x):
        return self.torch.sqrt(x)

    def log(self, x):
        return self.torch.log(x)

    def at_least(self, x, low):
        return x.clamp(min=low)

    def inside(self, x, low, high):
        return ((x >= low) & (x < high)).float()

    def stack(self, parts):
        return self.torch.stack(parts, -1)

    def concat(self, parts):
        return self.torch.cat(parts, -1)

    def linear(self, x, weight, bias=None):
        return self.f.linear(x, weight, bias)

    def fourier(self, x, norm):
        return self.torch.fft.fft2(x, norm=norm).real

    def mean_rows(self, x):
        return x.mean(-2)

    def max_rows(self, x):
        return x.amax(-2)


class ReferenceModel:
    """`config` has the keys of config.json; `weight(name, shape)` gives a float32 array."""

    def __init__(self, config, weight, ops):
        self.config, self.ops = config, ops
        self._weight, self._cache = weight, {}

    def _get(self, name, *shape):
        if name not in self._cache:
            self._cache[name] = self.ops.array(self._weight(name, shape))
        return self._cache[name]

    def _norm(self, name, x, eps):
        return NORMS[self.config["norm_type"]](Place(self, name), x, eps)

    def _linear(self, name, x, rows, columns, bias=True):
        bias = self._get(f"{name}.bias", rows) if bias else None
        return self.ops.linear(x, self._get(f"{name}.weight", rows, columns), bias)

    def _mix(self, layer, x):
        mixers = self.config["mixers"]
        if mixers[layer % len(mixers)] == "identity":
            return x
        return self.ops.fourier(x, self.config["fourier_norm"])

    def _feed_forward(self, layer, x):
        return FEED_FORWARDS[self.config["ffn_type"]](Place(self, layer), x)

    def _positions(self, name):
        rows, hidden = self.config["max_position_embeddings"], self.config["hidden_size"]
        if self.config.get("position_embedding") == "sinusoidal":
            return sinusoids(rows, hidden, self.ops.array)
        return self._get(name, rows, hidden)

    def hidden(self, ids, types):
        """Last hidden state [..., N, H] of ids and types [..., N]."""
        c = self.config
        hidden = c["hidden_size"]
        table = "embeddings.{}_embeddings.weight".format
        x = (
            self._get(table("word"), c["vocab_size"], hidden)[ids]
            + self._get(table("token_type"), c["type_vocab_size"], hidden)[types]
            + self._positions(table("position"))[: ids.shape[-1]]
        )
        x = self._norm("embeddings.LayerNorm", x, c["embedding_norm_eps"] or c["layer_norm_eps"])
        if c["embedding_projection"]:
            x = self._linear("embeddings.projection", x, hidden, hidden)
        eps = c["layer_norm_eps"]
        for i in range(c["num_hidden_layers"]):
            layer = f"encoder.layer.{i}"
            mix_norm, out_norm = f"{layer}.fourier.output.LayerNorm", f"{layer}.output.LayerNorm"
            if c["norm_position"] == "pre":
                x = x + self._mix(i, self._norm(mix_norm, x, eps))
                x = x + self._feed_forward(layer, self._norm(out_norm, x, eps))
            else:
                x = self._norm(mix_norm, x + self._mix(i, x), eps)
                x = self._norm(out_norm, x + self._feed_forward(layer, x), eps)
        if c["norm_position"] == "pre":
            x = self._norm("encoder.LayerNorm", x, eps)
        return x

    def pooled(self, hidden, pooling):
        """[..., H] of the text's rows [..., N, H]."""
        if pooling == "mean":
            return self.ops.mean_rows(hidden)
        if pooling == "max":
            return self.ops.max_rows(hidden)
        first = hidden[..., 0, :]
        if pooling == "cls":
            return first
        size = self.config["hidden_size"]
        return self.ops.tanh(self._linear("pooler.dense", first, size, size))

    def classify(self, x, labels):
        """Logits [..., labels] of pooled vectors or of rows."""
        return self._linear("classifier", x, labels, self.config["hidden_size"])
