"""Writes tests/golden/text/: what sentencepiece, Hugging Face, scikit-learn and seqeval answer.

    python3 tools/make_text_goldens.py     (needs sentencepiece transformers protobuf scikit-learn scipy seqeval)
"""

import collections
import io
import itertools
import json
import math
import pathlib
import random
import re
import unicodedata

import numpy as np
import sentencepiece
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from tokenizers import AddedToken, BertWordPieceTokenizer, Tokenizer, models, normalizers, pre_tokenizers, Regex
from transformers.convert_slow_tokenizer import check_number_comma, generate_merges, import_protobuf

from metric_goldens import metrics

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "text"
SPACE = "\u2581"
SPECIALS = ["<unk>", "[SEP]", "<pad>", "[CLS]", "[MASK]"]

SUBJECTS = ["The model", "A reader", "Every token", "Her sister", "The 3rd layer", "An old tree", "Nobody"]
VERBS = ["mixes", "reads", "doesn't see", "was", "adds", "finds", "keeps", "forgets"]
OBJECTS = ["the words", "1,000 sentences", "a café", "the Fourier transform", "20,000 tokens in 2005,", "rain",
           "“quoted” text", "its own name", "the naïve answer", "x = y + 2", "half of it"]
ENDS = [".", "!", ", too.", " in the evening.", "; then it stops.", " (again).", "?"]

TEXTS = [
    "", " ", "\t\n", "Hello world", "  two  spaces   and trailing  ", "The 3rd layer reads 1,000 sentences.",
    "in 2005, and 20,000, too", "``quoted'' text", "A [MASK] B [MASK].", "[CLS] in a text [SEP]", "<pad><unk></s> x",
    "naïve café Ångström ﬁne", "ÀÉÎ õü İstanbul ΑΣ", "한국어 文字 かな", "😀 emoji 👩‍👩‍👧", "a\u00a0b\u3000c\u200bd",
    "e\u0301 combining o\u0308", "ＦＵＬＬ ｗｉｄｔｈ １２，", "tab\tnew\nline", "NUL\0inside", "½ ² ① Ⅷ ㍿", SPACE + "x " + SPACE,
    "The model doesn't see half of it; then it stops.", "x" * 300, "ﷺ",
]


def corpus():
    rng = random.Random(7)
    pick = rng.choice
    return [f"{pick(SUBJECTS)} {pick(VERBS)} {pick(OBJECTS)}{pick(ENDS)}" for _ in range(3000)]


def train(name, **options):
    model = io.BytesIO()  # by name, the model would hold the path of this machine's file
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter(corpus()), model_writer=model, minloglevel=2, num_threads=1,
        unk_id=0, bos_id=1, eos_id=2, pad_id=3, control_symbols=["[CLS]", "[SEP]"], user_defined_symbols=["[MASK]"],
        character_coverage=1.0, **options)
    (OUT / f"{name}.model").write_bytes(model.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def is_space(c):
    return c.isspace() and not 0x1C <= ord(c) <= 0x1F


def raw(processor, text):
    """Ids, and the bytes of each token without the white space before it."""
    ids, spans = [], []
    for piece in processor.encode(text, out_type="immutable_proto").pieces:
        begin, end = piece.begin, piece.end
        while begin < end and is_space(text[begin]):
            begin += 1
        ids.append(piece.id)
        spans.append([len(text[:begin].encode()), len(text[:end].encode())])
    return ids, spans


def strip_accents(text):
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def slow(processor, text, lower, keep_accents):
    """The rules of Hugging Face's Python tokenizer, version 4: peers of tokenization_fnet.py."""
    parts, rest = [], text
    while rest:
        found = min((rest.find(s), s) for s in SPECIALS if s in rest) if any(s in rest for s in SPECIALS) else None
        if found is None:
            parts.append((rest, False))
            break
        at, special = found
        before = rest[:at].rstrip() if special == "[MASK]" else rest[:at]
        parts += [(before, False), (special, True)]
        rest = rest[at + len(special):]
    ids = []
    for part, special in parts:
        if special:
            ids.append(processor.piece_to_id(part))
            continue
        part = " ".join(part.split()).replace("``", '"').replace("''", '"')
        if not keep_accents:
            part = strip_accents(part)
        if lower:
            part = "".join(c.lower() for c in part)
        for piece in processor.encode(part, out_type=str):
            if len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit():
                again = processor.encode(piece[:-1].replace(SPACE, ""), out_type=str)
                if piece[0] != SPACE and again[0][0] == SPACE:
                    again = again[1:] if len(again[0]) == 1 else [again[0][1:]] + again[1:]
                ids += [processor.piece_to_id(p) for p in again + [","]]
            else:
                ids.append(processor.piece_to_id(piece))
    return ids


def fast(name, lower, keep_accents):
    """tokenizer.json as Hugging Face's AlbertConverter (version 4, also for FNet) puts it together."""
    proto = import_protobuf().ModelProto()
    proto.ParseFromString((OUT / f"{name}.model").read_bytes())
    scores = [(p.piece, p.score if check_number_comma(p.piece) else p.score - 100) for p in proto.pieces]
    if proto.trainer_spec.model_type == 1:
        tokenizer = Tokenizer(models.Unigram(scores, unk_id=proto.trainer_spec.unk_id, byte_fallback=False))
    else:
        vocab = {word: i for i, (word, _) in enumerate(scores)}
        tokenizer = Tokenizer(models.BPE(vocab, generate_merges(vocab, scores), unk_token="<unk>", fuse_unk=True))
    steps = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
    if not keep_accents:
        steps += [normalizers.NFKD(), normalizers.StripAccents()]
    if lower:
        steps += [normalizers.Lowercase()]
    if proto.normalizer_spec.precompiled_charsmap:
        steps += [normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap)]
    tokenizer.normalizer = normalizers.Sequence(steps + [normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always")
    control = [p.piece for p in proto.pieces if p.type == 3] + ["<unk>"]
    tokenizer.add_special_tokens([AddedToken(p, normalized=False, special=True) for p in control])
    tokenizer.add_special_tokens([AddedToken("[MASK]", normalized=False, special=True, lstrip=True)])
    return tokenizer


def tokens():
    processors = {
        "bpe": train("bpe", model_type="bpe", vocab_size=350),
        "unigram": train("unigram", model_type="unigram", vocab_size=370, byte_fallback=True,
                         normalization_rule_name="identity"),
    }
    rng = random.Random(11)
    texts = TEXTS + [" ".join(rng.sample(corpus(), 3)) for _ in range(20)]
    out = []
    for name, processor in processors.items():
        for text in texts:
            ids, spans = raw(processor, text)
            out.append({"model": name, "mode": "raw", "text": text, "ids": ids, "spans": spans,
                        "decoded": processor.decode(ids)})
        for lower in (False, True):
            for keep in (True, False):
                flags = {"do_lower_case": lower, "keep_accents": keep}
                hf = fast(name, lower, keep)
                for text in texts:
                    out.append({"model": name, "mode": "hf_slow", **flags, "text": text,
                                "ids": slow(processor, text, lower, keep)})
                    if name == "bpe":  # the converter knows no byte pieces
                        out.append({"model": name, "mode": "hf_fast", **flags, "text": text,
                                    "ids": hf.encode(text, add_special_tokens=False).ids})
    return out


WORDPIECE_TEXTS = TEXTS + [
    "unread, rereading: mixers' tokens", "[MASK]s and [mask] [SEP]x[UNK]", "caf\u00e9s CAFE\u0301S", "x" * 100, "x" * 101, "don't (stop)...",
    "\u4e2d\u6587 \uf900\U0002f800", "soft\u00adhyphen \ufffd\u200d", "Stra\u00dfe \u1e9e \u03a3\u03c3\u03c2", "\u037e \u2260 \u2014 \u166d", "a\x0bb\x85c\u2028d", "\u302e\u0327\u1b44", "\U0001e944\U0001e94a",
]  # fmt: skip


def wordpiece():
    """Ids, bytes of each token and what they decode to, of BERT's tokenizer with a small vocabulary."""
    trained = BertWordPieceTokenizer(lowercase=False, strip_accents=False)
    lines = [t for c in corpus()[:600] for t in (c, c.lower(), strip_accents(c.lower()))] + TEXTS * 3
    trained.train_from_iterator(lines, vocab_size=420, show_progress=False, limit_alphabet=200)
    vocab = trained.get_vocab()
    pieces = sorted(vocab, key=vocab.get)
    (OUT / "wordpiece.txt").write_text("".join(piece + "\n" for piece in pieces), encoding="utf-8")
    out = []
    for lower, strip in itertools.product((True, False), repeat=2):
        theirs = BertWordPieceTokenizer(vocab, lowercase=lower, strip_accents=strip)
        theirs.add_special_tokens(["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"])
        for text in WORDPIECE_TEXTS:
            found = theirs.encode(text, add_special_tokens=False)
            out.append({"do_lower_case": lower, "strip_accents": strip, "text": text, "ids": found.ids,
                        "spans": [[len(text[:at].encode()) for at in span] for span in found.offsets],
                        "decoded": theirs.decode(found.ids, skip_special_tokens=False)})  # fmt: skip
    return out


def words_of(text):
    """Runs of letters, digits and marks in lower case; signs, and letters of scripts without spaces, alone."""
    text = "".join(c.lower() for c in text)
    alone = r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]"
    parts = re.findall(rf"{alone}|[^\W_]|[^\w\s]|_|\s|[\x00-\x1f]", text)
    words, run = [], ""
    for c in parts:
        sign = unicodedata.category(c)[0] in "PS" or re.match(alone, c)
        between = c.isspace() or unicodedata.category(c) == "Cc"
        if sign or between:
            words += [run] if run else []
            words += [c] if sign else []
            run = ""
        else:
            run += c
    return words + ([run] if run else [])


def fnv(text, before=14695981039346656037):
    for byte in text.encode():
        before = (before ^ byte) * 1099511628211 % 2**64
    return before


def key(text):
    h = fnv(text)
    return (h ^ h >> 24 ^ h >> 48) % 2**24


def ngrams_of(text, before=""):
    words = words_of(text)
    return [before + w for w in words] + [f"{before}{a} {b}" for a, b in zip(words, words[1:])]


def counts(text, pair=None):
    found = ngrams_of(text)
    if pair is not None:
        a, b = set(words_of(text)), set(words_of(pair))
        found += ngrams_of(pair, "\1")
        found += [before + w for before, words in (("\2", a & b), ("\3", a - b), ("\4", b - a)) for w in words]
        for before, of in (("\5", a | b), ("\6", a), ("\7", b)):
            found.append(before + chr(ord("a") + math.floor(10 * len(a & b) / max(len(of), 1) + 0.5)))
    return sorted((k, n) for k, n in collections.Counter(map(key, found)).items())


def ngrams():
    """Counts of words by their keys; TF-IDF of a corpus and the logistic regression on it, by scikit-learn."""
    texts = [t for t in TEXTS if "👩" not in t and "\u200b" not in t]
    pairs = [("A man sleeps.", "A man is NOT asleep"), ("", "one"), ("one", ""), ("the the", "the"), ("", "")]
    rng = random.Random(11)
    labels = [rng.randrange(3) for _ in range(90)]
    marks = (("rain", "tree"), ("layer", "café"), ("sister",))
    lines = corpus()
    learnt = [f"{rng.choice(lines)} {rng.choice(marks[label])}" for label in labels]
    vectorizer = TfidfVectorizer(analyzer=lambda t: [str(key(g)) for g in ngrams_of(t)], min_df=2, sublinear_tf=True)
    x = vectorizer.fit_transform(learnt).astype(float)
    fitted = LogisticRegression(C=10, tol=1e-10, max_iter=10000).fit(x, labels)
    several = [[rng.randrange(2) for _ in range(2)] for _ in labels]
    numbers = [rng.uniform(1, 5) + label for label in labels]
    one_by_one = OneVsRestClassifier(LogisticRegression(C=10, tol=1e-10, max_iter=10000)).fit(x, np.array(several))
    ridge = Ridge(alpha=1, tol=1e-12).fit(x, numbers)
    keys = [int(k) for k in vectorizer.get_feature_names_out()]
    rows = [sorted((keys[i], v) for i, v in zip(r.indices, r.data)) for r in x]
    return {
        "texts": [{"text": t, "counts": counts(t)} for t in texts]
        + [{"text": a, "pair": b, "counts": counts(a, b)} for a, b in pairs],
        "corpus": learnt, "labels": labels, "keys": sorted(keys), "tfidf": rows,
        "probabilities": fitted.predict_proba(x).tolist(),
        "several": several, "several_probabilities": one_by_one.predict_proba(x).tolist(),
        "numbers": numbers, "ridge": ridge.predict(x).tolist(),
    }  # fmt: skip


def vocabulary_map(old, new):
    """Of each piece of `new`: the pieces of `old` that its vector begins as the mean of."""

    def sources(piece):
        twin = old.piece_to_id(piece)
        if old.id_to_piece(twin) == piece:
            return [twin]
        if piece in SPECIALS:
            return []
        pieces = old.encode(piece.replace("\u2581", " "), out_type=str)
        if pieces and not piece.startswith("\u2581") and pieces[0].startswith("\u2581"):
            inner = pieces[0][1:]  # SentencePiece put a word's start in front
            known = inner and old.id_to_piece(old.piece_to_id(inner)) == inner
            pieces[:1] = [inner] if known else [] if not inner else [pieces[0]]
        return [i for i in map(old.piece_to_id, pieces) if i != old.unk_id()]

    return [sources(new.id_to_piece(i)) for i in range(new.get_piece_size())]


def write(name, value):
    (OUT / name).write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    write("tokens.json", tokens())
    write("wordpiece.json", wordpiece())
    write("metrics.json", metrics())
    write("ngrams.json", ngrams())
    bpe, unigram = (sentencepiece.SentencePieceProcessor(str(OUT / f"{name}.model")) for name in ("bpe", "unigram"))
    write("vocabulary_map.json", {"bpe_to_unigram": vocabulary_map(bpe, unigram), "unigram_to_bpe": vocabulary_map(unigram, bpe)})
