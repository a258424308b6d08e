"""Which golden files tools/make_goldens.py writes: of each its reference, its config and the lengths of its texts."""

LENGTHS = (1, 7, 100, 128, 509, 512)

STOCK = dict(
    model_type="fnet",
    vocab_size=97,
    hidden_size=64,
    num_hidden_layers=3,
    intermediate_size=160,
    hidden_act="gelu_new",
    max_position_embeddings=512,
    type_vocab_size=4,
    layer_norm_eps=1e-12,
    pad_token_id=3,
    fourier_norm="backward",
    embedding_projection=True,
    embedding_norm_eps=0,
    pooler=True,
    norm_type="layer_norm",
    norm_position="post",
    ffn_type="mlp",
    mixers=["fourier"],
    length_policy="exact",
    pooling="pooler",
)
SEED_FAMILY = dict(
    hidden_act="gelu",
    fourier_norm="ortho",
    embedding_projection=False,
    embedding_norm_eps=1e-12,
    layer_norm_eps=1e-6,
    pooler=False,
    pooling="mean",
)
BERT = dict(mixers=["attention"], hidden_act="gelu", embedding_projection=False)
HEADS = dict(mixer_options={"num_attention_heads": 4})
TAGGER = dict(architectures=["FNetForTokenClassification"])  # only a model with a head may have its options
SMALL = dict(hidden_size=37, intermediate_size=50)
BASE = dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=2)
EVERY = [[n] for n in LENGTHS] + [[n] * 5 for n in LENGTHS] + [[128, 1, 509, 7, 100]]
SOME = [[1], [7], [100], [512], [100, 1, 128, 7, 60]]
FEW = [[7], [100], [60, 1, 30, 20, 50, 10]]
PADDED = [[1], [128], [7, 128, 1, 100, 127], [64] * 5, [30, 60, 90, 20, 10]]

# name: (reference, config, lengths of the texts of each case)
GOLDENS = {
    "hf_37": ("transformers", {**SMALL}, EVERY),
    "hf_64": ("transformers", {}, EVERY),
    "hf_64_gelu": ("transformers", dict(hidden_act="gelu"), EVERY),
    "hf_768": ("transformers", {**BASE}, EVERY),
    "hf_heads": ("heads", {}, [[n] * 5 for n in LENGTHS] + PADDED),
    "head_layers": (
        "head-layers",
        dict(TAGGER, head_options=dict(norm_type="layer_norm", intermediate_size=48, ffn_type="mlp",
                                       ffn_expansion_factor=2)),
        FEW,
    ),  # fmt: skip
    "head_layers_attention": (
        "head-layers",
        dict(TAGGER, head_options=dict(norm_type="layer_norm", intermediate_size=80, num_attention_heads=4,
                                       ffn_type="mlp", ffn_expansion_factor=3)),
        FEW,
    ),  # fmt: skip
    "hf_64_fixed": ("transformers", dict(length_policy="fixed:128"), PADDED),
    "hf_64_batch": ("transformers", dict(length_policy="batch"), PADDED),
    "hf_37_states": ("states", {**SMALL}, FEW),
    "keras_37": ("keras-hub", {**SMALL}, SOME),
    "keras_64": ("keras-hub", {}, EVERY),
    "seed_37": ("numpy", {**SEED_FAMILY, **SMALL}, SOME),
    "seed_64": ("numpy", {**SEED_FAMILY}, SOME + [[128] * 5, [509], [512] * 5]),
    "seed_768": ("numpy", {**SEED_FAMILY, **BASE}, SOME),
    "rms_norm": ("numpy", dict(norm_type="rms_norm", pooling="max"), SOME),
    "swiglu": ("numpy", dict(ffn_type="swiglu", pooling="cls"), SOME),
    "pre_norm": ("numpy", dict(norm_position="pre", pooling="mean"), SOME),
    "pre_rms_swiglu_ortho_37": (
        "numpy",
        dict(norm_position="pre", norm_type="rms_norm", ffn_type="swiglu", fourier_norm="ortho",
             embedding_projection=False, pooler=False, pooling="mean", layer_norm_eps=1e-6, **SMALL),
        SOME,
    ),  # fmt: skip
    "rms_norm_swiglu_768": ("numpy", dict(norm_type="rms_norm", ffn_type="swiglu", **BASE), SOME),
    "identity": ("numpy", dict(mixers=["identity"], pooling="mean"), SOME),
    "bert_64": ("bert", {**BERT, **HEADS}, EVERY),
    "bert_768": ("bert", {**BERT, **BASE, "mixer_options": {"num_attention_heads": 12}}, SOME),
    "bert_64_fixed": ("bert", {**BERT, **HEADS, "length_policy": "fixed:128"}, PADDED),
    "seed_64_mask": (
        "numpy",
        {**SEED_FAMILY, "mixer_options": {"mask": "output"}, "length_policy": "fixed:128"},
        PADDED,
    ),
    "hybrid_top": ("numpy", dict(mixers=["top:1"], **HEADS), SOME),
    "hybrid_middle": ("numpy", dict(mixers=["middle:1"], norm_position="pre", pooling="mean", **HEADS), SOME),
    "hartley": ("numpy", dict(mixers=["hartley"]), SOME),
    "hartley_37": ("numpy", dict(mixers=["hartley"], fourier_norm="ortho", **SMALL), EVERY),
    "linear": ("numpy", dict(mixers=["linear"]), SOME),
    "random_37": ("numpy", dict(mixers=["random"], **SMALL), SOME),
    "gfilter": ("numpy", dict(mixers=["gfilter"]), SOME),
    "gfilter_37": ("numpy", dict(mixers=["gfilter"], norm_position="pre", pooling="mean", **SMALL), SOME),
    "mixed_mixers": ("numpy", dict(mixers=["fourier", "identity", "fourier"]), SOME),
    "relu": ("numpy", dict(hidden_act="relu"), SOME),
    "silu": ("numpy", dict(hidden_act="silu"), SOME),
    "tanh": ("numpy", dict(hidden_act="tanh"), SOME),
    "pooling_last": ("numpy", dict(pooling="last", length_policy="fixed:128"), PADDED),
    "pooling_attention": ("numpy", dict(pooling="attention", length_policy="fixed:128"), PADDED),
    "hf_masked_lm": ("masked-lm", dict(vocab_size=5000), SOME),
    "vectors": ("numbers", dict(input_type="vectors", input_size=5), FEW),
    "vectors_frames_fixed": (
        "numbers",
        dict(input_type="vectors", input_size=3, patch_length=4, patch_stride=2, length_policy="fixed:64"),
        FEW,
    ),
    "patches": (
        "numbers",
        dict(input_type="patches", image_size=12, image_width=8, patch_size=4, num_channels=3),
        [[6], [6] * 4],
    ),
}
# Norms and feed-forwards in pairs, with activations and options for the rest.
PARTS = {
    ("zero_centered_rms_norm", "glu"): {},
    ("band_rms", "reglu"): {},
    ("zero_centered_band_rms", "geglu"): dict(ffn_options={"bias": False}),
    ("adaptive_band_rms", "bilinear"): dict(norm_position="pre"),
    ("zero_centered_adaptive_band_rms", "residual"): {},
    ("batch_norm", "lowrank"): dict(fourier_norm="ortho"),
    ("bias_free_batch_norm", "differential"): dict(fourier_norm="ortho"),
    ("global_response_norm", "monarch"): dict(mixers=["identity"], norm_position="pre"),
    ("max_logit_norm", "power_mlp"): {},
    ("band_logit_norm", "orthoglu"): {},
    ("energy_layer_norm", "kan"): {},
    ("dynamic_tanh", "logic"): dict(fourier_norm="ortho"),
    ("logit_norm", "counting"): dict(fourier_norm="ortho"),
    ("none", "mlp"): dict(fourier_norm="ortho", hidden_act="quick_gelu"),
    ("layer_norm", "mlp"): dict(norm_options={"bias": False}, position_embedding="sinusoidal",
                                hidden_act="squared_relu"),
}  # fmt: skip
GOLDENS |= {
    f"{norm}_{ffn}": ("numpy", dict(norm_type=norm, ffn_type=ffn, **changes), FEW)
    for (norm, ffn), changes in PARTS.items()
}
