"""One of infer_peers.py's contenders: `peers.py NAME THREADS FOLDER DEVICE`; training has other devices than cpu.

Reads `[[[batch, length], …], repeats]` lines, runs the batches one after the other, and answers
`{"seconds": […], "peak_bytes": …}`, one for each repeat, or `{"error": …}`; 0 repeats compile and warm up. Models
are the size of fnet-base or bert-base with random weights and 8,192 positions; the work is ids → last hidden
state, or of those that train a whole step of a masked language model.
"""

import functools
import json
import os
import pathlib
import resource
import subprocess
import sys
import time
import warnings

NAME, THREADS, FOLDER, DEVICE = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3]), sys.argv[4]
POSITIONS, VOCABULARY, MASKED = 8192, 32000, 0.15

# Libraries that print to stdout must not break the protocol.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
warnings.filterwarnings("ignore")
os.environ["KERAS_BACKEND"] = "jax"

import numpy as np  # noqa: E402 (after the environment is set)
from machine import BUILT  # noqa: E402


def token_ids(batch, length):
    return np.random.default_rng(0).integers(10, VOCABULARY, (batch, length))


def hugging_face(bert=False, dtype="float32", activation="gelu_new"):
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    torch.set_num_threads(THREADS)
    torch.set_grad_enabled(False)
    torch.manual_seed(0)
    common = dict(vocab_size=VOCABULARY, max_position_embeddings=POSITIONS)
    if bert:
        model = transformers.BertModel(transformers.BertConfig(**common, attn_implementation="sdpa"))
    else:
        model = transformers.FNetModel(transformers.FNetConfig(**common, hidden_act=activation))
        if dtype != "float32":
            patch_mixing(model, lambda x: torch.fft.fftn(x.float(), dim=(1, 2)).real.to(x.dtype))
    return model.eval().to(getattr(torch, dtype))


class RealPart:
    def __init__(self, real):
        self.real = real


def patch_mixing(model, real_transform):
    """transformers reads `.real` of what `fourier_transform` gives. torch's FFT refuses bfloat16 on a
    CPU, so that FNet does not run in it as shipped: the patch transforms in float32."""
    for layer in model.encoder.layer:
        layer.fourier.self.fourier_transform = lambda x: RealPart(real_transform(x))


def runner(model):
    """torch: a function for each shape."""
    import torch

    def prepare(batch, length):
        ids = torch.from_numpy(token_ids(batch, length))
        return lambda: model(input_ids=ids).last_hidden_state

    return prepare


def eager(**options):
    return runner(hugging_face(**options))


def training(bert=False, dtype="float32"):
    """Steps as transformers' Trainer takes them: fused AdamW, the gradient clipped to 1, bfloat16 by autocast; the
    models score every row, whether it is masked or not."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    common = dict(vocab_size=VOCABULARY, max_position_embeddings=POSITIONS)
    if bert:
        config = transformers.BertConfig(**common, attn_implementation="sdpa")
        model = transformers.BertForMaskedLM(config)
    else:
        model = transformers.FNetForMaskedLM(transformers.FNetConfig(**common))
    model.train().to(DEVICE)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

    def prepare(batch, length):
        ids = torch.from_numpy(token_ids(batch, length))
        masked = torch.rand(ids.shape, generator=torch.Generator().manual_seed(0)) < MASKED
        labels = torch.where(masked, ids, -100).to(DEVICE)
        ids = ids.to(DEVICE)

        def step():
            with torch.autocast(DEVICE, torch.bfloat16, enabled=dtype == "bfloat16"):
                loss = model(input_ids=ids, labels=labels).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            return loss.item()

        return step

    return prepare


def compiled(dtype):
    """Weights frozen into the graph; one whole graph for each shape."""
    import torch
    import torch._inductor.config

    torch._inductor.config.freezing = True
    model = hugging_face(dtype=dtype)

    def prepare(batch, length):
        torch.compiler.reset()  # frees the graph of the shape before
        return runner(torch.compile(model, dynamic=False, fullgraph=True))(batch, length)

    return prepare


def onnx_session(path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def exported():
    """ONNX Runtime on what `fnet export onnx` writes: one graph for every batch and length."""
    fnet, model, path = BUILT / "release/bin/fnet", FOLDER / "exported", FOLDER / "exported.onnx"
    if not path.exists():
        subprocess.run([fnet, "init", "--variant", "base", "--set", f"max_position_embeddings={POSITIONS}",
                        "--out", model, "--quiet"], check=True)  # fmt: skip
        subprocess.run([fnet, "export", "onnx", model, "--out", path, "--quiet"], check=True)
    session = onnx_session(path)

    def prepare(batch, length):
        ids = token_ids(batch, length)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        return lambda: session.run(["last_hidden_state"], feed)[0]

    return prepare


def onnx(int8):
    """ONNX Runtime, the mixing as products with cosine and sine matrices: its own DFT is slower."""

    def prepare(batch, length):
        path = FOLDER / f"fnet_{length}.onnx"
        if not path.exists():
            export_onnx(path, length)
        if int8:
            path = quantized(path)
        session = onnx_session(path)
        feed = {"input_ids": token_ids(batch, length)}
        return lambda: session.run(None, feed)[0]

    return prepare


def export_onnx(path, length):
    import torch

    def waves(n):
        k = torch.arange(n)
        angle = (torch.outer(k, k) % n).double() * (2 * torch.pi / n)
        return angle.cos().float(), angle.sin().float()

    class Mixing(torch.nn.Module):
        """Re(DFT) = C x C − S x S, over one product with [C S] and one with [C −S]."""

        def __init__(self, hidden):
            super().__init__()
            self.register_buffer("dft_hidden", torch.cat(waves(hidden), 1))
            cos, sin = waves(length)
            self.register_buffer("dft_sequence", torch.cat([cos, -sin], 1))

        def forward(self, x):
            both = x @ self.dft_hidden
            return self.dft_sequence @ torch.cat(both.chunk(2, -1), 1)

    class LastHiddenState(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model, self.mixing = model, Mixing(model.config.hidden_size)
            patch_mixing(model, self.mixing)

        def forward(self, input_ids):
            return self.model(input_ids=input_ids).last_hidden_state

    model, ids = hugging_face(), torch.from_numpy(token_ids(2, length))
    expected = model(input_ids=ids).last_hidden_state
    torch.onnx.export(
        LastHiddenState(model), (ids,), str(path), dynamo=False, input_names=["input_ids"],
        output_names=["hidden"], dynamic_axes={"input_ids": {0: "batch"}, "hidden": {0: "batch"}},
    )  # fmt: skip
    import onnxruntime

    found = onnxruntime.InferenceSession(str(path)).run(None, {"input_ids": ids.numpy()})[0]
    error = float(np.linalg.norm(found - expected.numpy()) / np.linalg.norm(expected.numpy()))
    if error > 1e-4:
        raise RuntimeError(f"{path}: the exported model is {error:.1e} away from torch's")


def quantized(path):
    """Dynamic int8 of the products with weights; those of the mixing stay float32."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    result = path.with_name(path.stem + "_int8.onnx")
    if not result.exists():
        nodes = onnx.load(path).graph.node
        mixing = [n.name for n in nodes if n.op_type == "MatMul" and "mixing" in n.name.lower()]
        if not mixing:
            raise RuntimeError(f"{path}: no product of the mixing was found by name")
        quantize_dynamic(
            path, result, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"],
            nodes_to_exclude=mixing,
        )  # fmt: skip
    return result


def keras_jax():
    import jax
    import keras_hub

    model = keras_hub.models.FNetBackbone(
        vocabulary_size=VOCABULARY, num_layers=12, hidden_dim=768, intermediate_dim=3072,
        max_sequence_length=POSITIONS,
    )  # fmt: skip
    weights = [v.value for v in model.trainable_variables], [v.value for v in model.non_trainable_variables]
    forward = jax.jit(lambda w, x: model.stateless_call(*w, x)[0]["sequence_output"])

    def prepare(batch, length):
        ids = token_ids(batch, length).astype("int32")
        inputs = {"token_ids": ids, "segment_ids": np.zeros_like(ids)}
        return lambda: forward(weights, inputs).block_until_ready()

    return prepare


CONTENDERS = {
    "hf_float32": eager,
    # gelu_new runs as seven operations in eager torch; this is the same function as one
    "hf_fused_gelu_float32": functools.partial(eager, activation="gelu_pytorch_tanh"),
    "hf_bfloat16": functools.partial(eager, dtype="bfloat16"),
    "compile_float32": functools.partial(compiled, "float32"),
    "compile_bfloat16": functools.partial(compiled, "bfloat16"),
    "exported_float32": exported,
    "onnx_float32": functools.partial(onnx, int8=False),
    "onnx_int8": functools.partial(onnx, int8=True),
    "keras_jax_float32": keras_jax,
    "bert_float32": functools.partial(eager, bert=True),
    "bert_bfloat16": functools.partial(eager, bert=True, dtype="bfloat16"),
    "hf_training_float32": training,
    "hf_training_bfloat16": functools.partial(training, dtype="bfloat16"),
    "bert_training_float32": functools.partial(training, bert=True),
    "bert_training_bfloat16": functools.partial(training, bert=True, dtype="bfloat16"),
}


def peak_bytes():
    if DEVICE == "cpu":
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    import torch

    return torch.cuda.max_memory_allocated()


def main():
    prepare, previous, ready = None, None, {}
    for line in sys.stdin:
        batches, repeats = json.loads(line)
        try:
            prepare = prepare or CONTENDERS[NAME]()
            if batches != previous:
                previous, ready = batches, {}
            for batch, length in batches:
                if (batch, length) not in ready:
                    ready[batch, length] = run = prepare(batch, length)
                    run()  # compiles and warms up
            seconds = []
            for _ in range(repeats):
                begin = time.perf_counter()
                for batch, length in batches:
                    ready[batch, length]()
                seconds.append(time.perf_counter() - begin)
            answer = {"seconds": seconds, "peak_bytes": peak_bytes()}
        except Exception as error:  # whatever a library throws is the driver's to report
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
