"""Norms and feed-forwards of reference_model.py, written from their papers and from the Keras seed's description.

Each takes a `Place`: `p(name, *shape)` gives a weight of the part at its place, `p.linear(name, x, rows)` a linear
map with a bias where `bias`. `ops` is NumpyOps (float64) or TorchOps (float32); x is [..., N, H], one text.
"""

import math


class Place:
    """Weights under a name."""

    def __init__(self, model, name):
        self.model, self.ops, self.config, self.name = model, model.ops, model.config, name

    def __call__(self, name, *shape):
        return self.model._get(f"{self.name}.{name}", *shape)

    def linear(self, name, x, rows, bias=True):
        return self.model._linear(f"{self.name}.{name}", x, rows, x.shape[-1], bias=bias)

    def option(self, key, name, default):
        return self.config.get(key, {}).get(name, default)


def centred(x):
    return x - x.mean(-1, keepdims=True)


def rms(ops, x, eps):
    return ops.sqrt((x * x).mean(-1, keepdims=True) + eps)


def band_factor(p, ops, logit, default=0.1):
    width = p.option("norm_options", "max_band_width", default)
    return (1 - width) + width * ops.sigmoid(logit)


def band_rms(p, x, eps):
    return x / rms(p.ops, x, eps) * band_factor(p, p.ops, 5 * p("band", 1))


def adaptive_band_rms(p, x, eps):
    h, size = x.shape[-1], rms(p.ops, x, eps)
    statistic = p.ops.log(size.mean(-2, keepdims=True))
    logit = 5 * (statistic * p("band.weight", h) + p("band.bias", h))
    return x / size * band_factor(p, p.ops, logit)


def batch_norm(p, x, eps):
    h = x.shape[-1]
    y = (x - p("running_mean", h)) / p.ops.sqrt(p("running_var", h) + eps)
    return y * p("weight", h) + p("bias", h)


def bias_free_batch_norm(p, x, eps):
    h = x.shape[-1]
    return x / p.ops.sqrt(p("running_var", h) + eps) * p("weight", h)


def global_response_norm(p, x, eps):
    h = x.shape[-1]
    length = p.ops.sqrt((x * x).sum(-2, keepdims=True) + eps)
    share = length / (length.mean(-1, keepdims=True) + eps)
    return p("weight", h) * (x * share) + p("bias", h) + x


def logit_norm(p, x, eps):
    square = p.ops.at_least((x * x).sum(-1, keepdims=True), eps)
    return x / (p.ops.sqrt(square) * p.option("norm_options", "temperature", 0.04))


def max_logit_norm(p, x, eps):
    return x / p.ops.sqrt((x * x).sum(-1, keepdims=True) + eps)


def band_logit_norm(p, x, eps):
    length = p.ops.sqrt((x * x).sum(-1, keepdims=True) + eps)
    return x / length * band_factor(p, p.ops, p.ops.log(length) * p("weight", 1) + p("bias", 1), 0.01)


def dynamic_tanh(p, x, eps):
    h = x.shape[-1]
    return p.ops.tanh(p("alpha", 1) * x) * p("weight", h) + p("bias", h)


def energy_layer_norm(p, x, eps):
    scale = p.ops.at_least(p("weight", 1), 1e-3)
    c = centred(x)
    return scale * c / rms(p.ops, c, eps) + p("bias", x.shape[-1])


def layer_norm(p, x, eps):
    h = x.shape[-1]
    bias = p("bias", h) if p.option("norm_options", "bias", True) else None
    return p.ops.layer_norm(x, p("weight", h), bias, eps)


NORMS = {
    "layer_norm": layer_norm,
    "rms_norm": lambda p, x, eps: p.ops.rms_norm(x, p("weight", x.shape[-1]), eps),
    "zero_centered_rms_norm": lambda p, x, eps: p.ops.rms_norm(centred(x), p("weight", x.shape[-1]), eps),
    "band_rms": band_rms,
    "zero_centered_band_rms": lambda p, x, eps: band_rms(p, centred(x), eps),
    "adaptive_band_rms": adaptive_band_rms,
    "zero_centered_adaptive_band_rms": lambda p, x, eps: adaptive_band_rms(p, centred(x), eps),
    "batch_norm": batch_norm,
    "bias_free_batch_norm": bias_free_batch_norm,
    "global_response_norm": global_response_norm,
    "logit_norm": logit_norm,
    "max_logit_norm": max_logit_norm,
    "band_logit_norm": band_logit_norm,
    "dynamic_tanh": dynamic_tanh,
    "energy_layer_norm": energy_layer_norm,
    "none": lambda p, x, eps: x,
}


def widths(p):
    return p.config["hidden_size"], p.config["intermediate_size"]


def activation(p):
    return getattr(p.ops, p.config["hidden_act"])


def mlp(p, x):
    h, f = widths(p)
    return p.linear("output.dense", activation(p)(p.linear("intermediate.dense", x, f)), h)


def gated(gate, bias=True):
    def apply(p, x):
        h, f = widths(p)
        biased = p.option("ffn_options", "bias", bias)
        act = getattr(p.ops, gate) if gate else lambda v: v
        value = p.linear("intermediate.dense", x, f, biased)
        return p.linear("output.dense", act(p.linear("intermediate.gate", x, f, biased)) * value, h, biased)

    return apply


def residual(p, x):
    h, f = widths(p)
    inner = p.ops.relu(p.linear("intermediate.dense", x, f))
    return p.linear("output.dense", inner, h) + p.linear("residual.dense", x, h)


def lowrank(p, x):
    h, f = widths(p)
    r = p.option("ffn_options", "rank", max(1, f // 4))
    inner = activation(p)(p.linear("intermediate.dense", p.linear("intermediate.reduce", x, r, False), f))
    return p.linear("output.dense", p.linear("output.reduce", inner, r, False), h)


def differential(p, x):
    h, f = widths(p)

    def branch(v, way):
        inner = p.linear(f"{way}.dense", v, f)
        weight, bias = p(f"{way}.LayerNorm.weight", f), p(f"{way}.LayerNorm.bias", f)
        return p.ops.sigmoid(p.linear(f"{way}.output", p.ops.gelu(p.ops.layer_norm(inner, weight, bias, 1e-3)), f // 2))

    difference = branch(p.ops.relu(x), "positive") - branch(p.ops.relu(-x), "negative")
    normed = p.ops.layer_norm(difference, p("difference.LayerNorm.weight", f // 2), None, 1e-3)
    return p.linear("output.dense", normed, h)


def monarch(p, x):
    h, f = widths(p)
    n = p.option("ffn_options", "blocks", 4)

    def block_diagonal(v, name, rows):
        parts = v.reshape(*v.shape[:-1], n, v.shape[-1] // n)
        return [p.linear(f"{name}.{i}", parts[..., i, :], rows // n, False) for i in range(n)]

    def matrix(v, name, rows):
        first = p.ops.stack(block_diagonal(v, f"{name}.first", min(h, f)))  # [..., width, blocks]: transposed
        shuffled = first.reshape(*v.shape[:-1], min(h, f))
        return p.ops.concat(block_diagonal(shuffled, f"{name}.second", rows)) + p(f"{name}.bias", rows)

    return matrix(activation(p)(matrix(x, "intermediate.dense", f)), "output.dense", h)


def power_mlp(p, x):
    h, _ = widths(p)
    k = p.option("ffn_options", "power", 3)
    return p.ops.relu(p.linear("output.dense", x, h)) ** k + p.linear("output.basis", p.ops.silu(x), h, False)


def orthoglu(p, x):
    h, f = widths(p)

    def ortho(v, name, rows, bias):
        c = centred(p.linear(name, v, rows, bias))
        share = -p.ops.at_least(-p.ops.at_least(p(f"{name}.share", rows), 0.0), -1.0)
        return c / rms(p.ops, c, p.config["layer_norm_eps"]) * share

    both = ortho(x, "intermediate.dense", 2 * f, False)
    return ortho(p.ops.gelu(both[..., :f]) * both[..., f:], "output.dense", h, True)


def kan(p, x):
    """B-splines by the recursion of Cox and de Boor."""
    h, _ = widths(p)
    grid = p.option("ffn_options", "grid", 5)
    order = p.option("ffn_options", "order", 3)
    reach = p.option("ffn_options", "range", 2.0)
    step = 2 * reach / grid
    knots = [-reach + step * (i - order) for i in range(grid + 2 * order + 1)]
    basis = [p.ops.inside(x, a, b) for a, b in zip(knots, knots[1:])]
    for k in range(1, order + 1):
        basis = [
            (x - knots[i]) / (knots[i + k] - knots[i]) * basis[i]
            + (knots[i + k + 1] - x) / (knots[i + k + 1] - knots[i + 1]) * basis[i + 1]
            for i in range(len(basis) - 1)
        ]
    y = p.linear("output.base", p.ops.silu(x), h, False)
    for i, b in enumerate(basis):
        y = y + p.linear(f"output.spline.{i}", b, h, False)
    return y


def logic(p, x):
    h, f = widths(p)
    a = p.ops.sigmoid(p.linear("intermediate.left", x, f))
    b = p.ops.sigmoid(p.linear("intermediate.right", x, f))
    gate = p.ops.softmax(p.linear("intermediate.gate", x, 3) / p.option("ffn_options", "temperature", 1.0))
    result = gate[..., 0:1] * (a * b) + gate[..., 1:2] * (a + b - a * b) + gate[..., 2:3] * (a - b) ** 2
    return p.linear("output.dense", result, h)


def counting(p, x):
    h, f = widths(p)
    scope = p.option("ffn_options", "scope", "local")
    c = p.ops.sigmoid(p.linear("intermediate.dense", x, f))
    before, total = c.cumsum(-2), c.sum(-2, keepdims=True)
    if scope == "global":
        t = p.linear("output.dense", total, h)
    else:
        t = p.linear("output.dense", before, h)
        if scope == "local":
            t = t + p.linear("output.after", total - before + c, h, False)
    g = p.ops.sigmoid(p.linear("output.gate", x, h))
    return g * p.ops.gelu(t) + (1 - g) * x


FEED_FORWARDS = {
    "mlp": mlp,
    "swiglu": gated("silu", bias=False),
    "glu": gated("silu"),
    "reglu": gated("relu"),
    "geglu": gated("gelu"),
    "bilinear": gated(None),
    "residual": residual,
    "lowrank": lowrank,
    "differential": differential,
    "monarch": monarch,
    "power_mlp": power_mlp,
    "orthoglu": orthoglu,
    "kan": kan,
    "logic": logic,
    "counting": counting,
}


def sinusoids(positions, hidden, array):
    """[P, H]: Vaswani et al. 2017, §3.5, for any width."""
    rows = [
        [
            (math.sin if c % 2 == 0 else math.cos)(p / 10000 ** (2 * (c // 2) / hidden))
            for c in range(hidden)
        ]
        for p in range(positions)
    ]
    return array(rows)
