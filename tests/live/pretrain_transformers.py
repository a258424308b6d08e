"""Pretraining takes the steps that transformers and torch take from the same weights, texts and masks.

    pretrain_transformers.py FNET PRETRAIN_STEPS

The losses of our objective are those of FNetForMaskedLM and FNetForPreTraining, and a training of both by AdamW with the
same schedule goes the same way. Skipped with a message (exit 77) where transformers or torch is missing.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

try:
    import torch
    import transformers
except ImportError as error:
    print("skipped:", error)
    sys.exit(77)

PROGRAM = sys.argv.pop() if len(sys.argv) > 2 else sys.exit(__doc__)
FNET = sys.argv.pop()
torch.set_num_threads(1)  # so small a model only waits for more
STEPS, PEAK, WARMUP, DECAY = 200, 2e-3, 0.1, 0.01
SIZES = dict(hidden_size=48, num_hidden_layers=2, intermediate_size=96, max_position_embeddings=64, hidden_dropout_prob=0)


def corpus():
    words = "the a cat dog bird sat ran flew on under over mat tree house with red green blue old young".split()
    lines = [" ".join(words[(i * 7 + k * k * (i % 5 + 1)) % len(words)] for k in range(6 + i % 9)) for i in range(600)]
    return "\n\n".join("\n".join(lines[i : i + 3]) for i in range(0, len(lines), 3)) + "\n"


def schedule(step):
    up = WARMUP * STEPS
    return (step + 1) / up if step + 1 < up else max(0.0, (STEPS - step) / max(1.0, STEPS - up))


def loss_of(model, samples):
    """The mean over all masked rows of a batch, and over its pairs; each text by itself, as it is mixed over its own rows."""
    rows, targets, orders, labels = [], [], [], []
    for sample in samples:
        out = model(input_ids=torch.tensor([sample["ids"]]), token_type_ids=torch.tensor([sample["types"]]))
        logits = out.prediction_logits if sample["order"] else out.logits
        rows.append(logits[0, sample["picks"]])
        targets += sample["targets"]
        if sample["order"]:
            orders.append(out.seq_relationship_logits[0])
            labels.append(int(sample["order"][0]))
    loss = torch.nn.functional.cross_entropy(torch.cat(rows), torch.tensor(targets))
    if orders:
        loss = loss + torch.nn.functional.cross_entropy(torch.stack(orders), torch.tensor(labels))
    return loss


class Pretraining(unittest.TestCase):
    def same_steps(self, kind):
        with tempfile.TemporaryDirectory(prefix="fnet-live-") as name:
            folder = pathlib.Path(name)
            (folder / "corpus.txt").write_text(corpus())
            subprocess.run([FNET, "tokenizer", "train", "--input", folder / "corpus.txt", "--model", "bpe", "--vocab-size", "60",
                            "--out", folder / "spiece.model"], check=True, capture_output=True)  # fmt: skip
            torch.manual_seed(1)
            model = kind(transformers.FNetConfig(vocab_size=60, **SIZES)).train()
            model.save_pretrained(folder / "model")
            (folder / "spiece.model").rename(folder / "model" / "spiece.model")
            config = json.loads((folder / "model" / "config.json").read_text())
            config["length_policy"] = "exact"
            (folder / "model" / "config.json").write_text(json.dumps(config))
            run = subprocess.run([PROGRAM, folder / "model", folder / "corpus.txt", str(STEPS), folder / "cache"],
                                 check=True, capture_output=True, text=True)  # fmt: skip
        steps = [json.loads(line) for line in run.stdout.splitlines()]
        self.assertEqual(len(steps), STEPS)
        matrices = [p for p in model.parameters() if p.dim() > 1]
        vectors = [p for p in model.parameters() if p.dim() <= 1]
        optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": DECAY}, {"params": vectors, "weight_decay": 0}], eps=1e-8)
        ours, theirs = [], []
        for number, step in enumerate(steps):
            for group in optimizer.param_groups:
                group["lr"] = PEAK * schedule(number)
            loss = loss_of(model, step["samples"])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            ours.append(step["loss"])
            theirs.append(loss.item())
        self.assertAlmostEqual(ours[0], theirs[0], delta=1e-4)
        for begin in range(0, STEPS, 20):
            mine, other = (sum(x[begin : begin + 20]) / 20 for x in (ours, theirs))
            self.assertLess(abs(mine - other) / other, 0.005, f"steps {begin} to {begin + 19}: {mine} against {other}")
        print(f"{kind.__name__}: first loss off by {abs(ours[0] - theirs[0]):.1e}; means of 20 steps: "
              + ", ".join(f"{sum(ours[i:i+20])/20:.4f}/{sum(theirs[i:i+20])/20:.4f}" for i in range(0, STEPS, 20)))  # fmt: skip
        self.assertLess(sum(ours[-20:]), sum(ours[:20]))

    def test_masked_tokens(self):
        self.same_steps(transformers.FNetForMaskedLM)

    def test_masked_tokens_and_order(self):
        self.same_steps(transformers.FNetForPreTraining)


if __name__ == "__main__":
    unittest.main(verbosity=2)
