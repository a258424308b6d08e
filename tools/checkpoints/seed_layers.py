"""The FNet of dl_techniques, the Keras seed, made again of Keras' layers: the same attributes and so the same places in a
.keras file, and the same formulas, without training. It computes the golden vectors where the seed's own package is not
installed. Source: the behaviour of its FNet, BertEmbeddings, FNetFourierTransform and FNetEncoderBlock."""

from checkpoints.common import library

keras = library("keras")
ops, layers = keras.ops, keras.layers


class RMSNorm(layers.Layer):
    def __init__(self, epsilon, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, shape):
        self.scale = self.add_weight(name="scale", shape=shape[-1:], initializer="ones")

    def call(self, x):
        return x / ops.sqrt(ops.mean(ops.square(x), -1, keepdims=True) + self.epsilon) * self.scale


def norm(kind, epsilon, name):
    kinds = {"layer_norm": layers.LayerNormalization, "rms_norm": RMSNorm, "batch_norm": layers.BatchNormalization}
    return kinds[kind](epsilon=epsilon, name=name)


class Embeddings(layers.Layer):
    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        h = config["hidden_size"]
        self.word_embeddings = layers.Embedding(config["vocab_size"], h)
        self.sinusoidal = config["position_embedding_type"] == "sinusoidal"
        if not self.sinusoidal:
            self.position_embeddings = layers.Embedding(config["max_position_embeddings"], h)
        self.token_type_embeddings = layers.Embedding(config["type_vocab_size"], h)
        self.layer_norm = norm(config["normalization_type"], config["layer_norm_eps"], "layer_norm")

    def call(self, ids, types):
        words = self.word_embeddings(ids)
        place = ops.arange(ids.shape[1])
        if self.sinusoidal:
            h = words.shape[-1]
            angle = ops.cast(place, "float32")[:, None] * 10000.0 ** (-2 * (ops.arange(h) // 2) / h)
            positions = ops.where(ops.arange(h) % 2 == 0, ops.sin(angle), ops.cos(angle))
        else:
            positions = self.position_embeddings(place)
        return self.layer_norm(words + positions + self.token_type_embeddings(types))


class FNetFourierTransform(layers.Layer):
    """Dense DFT matrices of one length, which it stores, and a mask over the rows of its result."""

    def build(self, shape):
        for name, n in (("dft_matrix_seq", shape[-2]), ("dft_matrix_hidden", shape[-1])):
            setattr(self, name, self.add_weight(name=name, shape=(n, n, 2), initializer="zeros", trainable=False))

    def call(self, x, mask):
        rows, columns = self.dft_matrix_seq, self.dft_matrix_hidden
        real = ops.matmul(ops.matmul(rows[..., 0], x), columns[..., 0])
        return (real - ops.matmul(ops.matmul(rows[..., 1], x), columns[..., 1])) * mask[..., None]


class MLP(layers.Layer):
    def __init__(self, inner, outputs, act, **kwargs):
        super().__init__(**kwargs)
        self.fc1, self.fc2, self.act = layers.Dense(inner), layers.Dense(outputs), act

    def call(self, x):
        return self.fc2(self.act(self.fc1(x)))


class GLU(layers.Layer):
    def __init__(self, inner, outputs, act, **kwargs):
        super().__init__(**kwargs)
        self.gate_proj, self.value_proj = layers.Dense(inner), layers.Dense(inner)
        self.output_proj, self.act = layers.Dense(outputs), act

    def call(self, x):
        return self.output_proj(self.act(self.gate_proj(x)) * self.value_proj(x))


class GeGLU(layers.Layer):
    def __init__(self, inner, outputs, act, **kwargs):
        super().__init__(**kwargs)
        self.input_proj, self.output_proj, self.act = layers.Dense(2 * inner), layers.Dense(outputs), act

    def call(self, x):
        gate, inner = ops.split(self.input_proj(x), 2, axis=-1)
        return self.output_proj(self.act(gate) * inner)


class SwiGLU(layers.Layer):
    def __init__(self, inner, outputs, act, **kwargs):
        super().__init__(**kwargs)
        self.gate_proj, self.up_proj = layers.Dense(inner, use_bias=False), layers.Dense(inner, use_bias=False)
        self.down_proj, self.act = layers.Dense(outputs, use_bias=False), act

    def call(self, x):
        return self.down_proj(self.act(self.gate_proj(x)) * self.up_proj(x))


def gelu(x):
    return ops.gelu(x, approximate=False)


FEED_FORWARDS = {
    "mlp": (MLP, gelu), "swin_mlp": (MLP, gelu), "gelu_tanh": (MLP, lambda x: ops.gelu(x, approximate=True)),
    "squared_relu": (MLP, lambda x: ops.square(ops.relu(x))), "glu": (GLU, ops.silu), "reglu": (GLU, ops.relu),
    "bilinear": (GLU, lambda x: x), "geglu": (GeGLU, gelu), "swiglu": (SwiGLU, ops.silu),
}  # fmt: skip


class FNetEncoderBlock(layers.Layer):
    """Its norms have the norm factory's epsilon, whatever the model's layer_norm_eps is."""

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        kind, act = FEED_FORWARDS[config["ffn_type"]]
        self.fourier_transform = FNetFourierTransform()
        self.fourier_layer_norm = norm(config["normalization_type"], 1e-6, "fourier_layer_norm")
        self.ffn_layer = kind(config["intermediate_size"], config["hidden_size"], act, name="ffn")
        self.output_layer_norm = norm(config["normalization_type"], 1e-6, "output_layer_norm")
        self.pre = config["normalization_position"] == "pre"

    def call(self, x, mask):
        if self.pre:
            x = x + self.fourier_transform(self.fourier_layer_norm(x), mask)
            return x + self.ffn_layer(self.output_layer_norm(x))
        x = self.fourier_layer_norm(x + self.fourier_transform(x, mask))
        return self.output_layer_norm(x + self.ffn_layer(x))


class FNet(keras.Model):
    """Of the seed's get_config(); `ids`, `types` and `mask` [B, S], S always the same."""

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        self.settings = {"position_embedding_type": "learned", "normalization_type": "layer_norm",
                         "normalization_position": "post", "ffn_type": "mlp", **config}  # fmt: skip
        self.embeddings = Embeddings(self.settings, name="embeddings")
        self.encoder_layers = [FNetEncoderBlock(self.settings, name=f"encoder_layer_{i}")
                               for i in range(config["num_layers"])]  # fmt: skip
        if self.settings["normalization_position"] == "pre":
            self.final_norm = norm(self.settings["normalization_type"], config["layer_norm_eps"], "final_norm")

    def call(self, inputs):
        ids, types, mask = inputs
        x, mask = self.embeddings(ids, types), ops.cast(mask, "float32")
        for layer in self.encoder_layers:
            x = layer(x, mask)
        return self.final_norm(x) if hasattr(self, "final_norm") else x

    def get_config(self):
        return self.settings
