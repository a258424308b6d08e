// fnet: commands over models. Results go to standard output, log and errors to standard error.
#include <array>

#include "cli/command.h"

namespace {

using namespace fnet::cli;

constexpr std::array kCommands = {
    Command{"init", "make a model with random weights",
            "init --variant small --tokenizer spiece.model --out model", declare_init},
    Command{"tokenizer", "learn a tokenizer; text to ids and back"},
    Command{"tokenizer train", "learn a SentencePiece model from texts",
            "tokenizer train --input texts.txt --vocab-size 8000 --out spiece.model",
            declare_tokenizer_train},
    Command{"tokenizer encode", "print the tokens of each line", "tokenizer encode model lines.txt",
            declare_tokenizer_encode},
    Command{"tokenizer decode", "print the text of each line of ids",
            "tokenizer decode model ids.txt", declare_tokenizer_decode},
    Command{"tokenizer compare", "where two tokenizers read texts differently",
            "tokenizer compare spiece.model model --data lines.txt", declare_tokenizer_compare},
    Command{"data", "look at data before training on them"},
    Command{"data check", "classes, lengths, duplicates, what stands in train and dev",
            "data check train.tsv --dev dev.tsv", declare_data_check},
    Command{"pretrain", "train a masked language model on texts without labels (starts fnet-train)",
            "pretrain --variant tiny --train corpus.txt --out model --steps 1000", nullptr,
            run_trainer},
    Command{"distill", "train a model to give texts the vectors of a teacher (starts fnet-train)",
            "distill --variant small --tokenizer spiece.model --train texts.txt --out model",
            nullptr, run_trainer},
    Command{
        "finetune", "train a model for a task, from a model or from nothing (starts fnet-train)",
        "finetune --task text-classification --train train.tsv --out model", nullptr, run_trainer},
    Command{"evaluate", "compare a model with labelled data", "evaluate model test.tsv",
            declare_evaluate},
    Command{"predict", "label texts or words", "predict model --top-k 3 lines.txt",
            declare_predict},
    Command{"embed", "a vector for each text", "embed model --format npy lines.txt > vectors.npy",
            declare_embed},
    Command{"similarity", "how alike the two texts of each pair are", "similarity model pairs.tsv",
            declare_similarity},
    Command{"search", "the texts of a file that are most like a query",
            "search model lines.txt --query 'a warm film' --top-k 3", declare_search},
    Command{"fill-mask", "the tokens that fit each [MASK]", "fill-mask model masked.txt --top-k 3",
            declare_fill_mask},
    Command{"info", "what a model is; what this build offers", "info model", declare_info},
    Command{"inspect", "what a text does inside a model: energy by frequency, norms, tokens",
            "inspect model 'a warm and clever film' --html inside.html", declare_inspect},
    Command{"compare", "two models side by side on the same data",
            "compare model model-int8 --data test.tsv", declare_compare},
    Command{"doctor", "whether a model is what its owner made; what this build can do",
            "doctor model", declare_doctor},
    Command{"quantize", "a copy of a model with smaller weights",
            "quantize model --dtype int8 --out model-int8", declare_quantize},
    Command{"export", "write a model for other programs"},
    Command{"export onnx", "write a model as ONNX (starts fnet-export)",
            "export onnx model --out model.onnx", nullptr, run_exporter},
    Command{"bench", "how fast a model runs here, and what the machine could do",
            "bench model --batch 8 --length 128", declare_bench},
    Command{"train-bench", "how fast a model learns here (starts fnet-train)",
            "train-bench --variant base --batch 4 --length 512", nullptr, run_trainer},
};

constexpr Program kProgram = {
    "fnet", "Fourier-mixing encoders: train, run and inspect FNet models",
    "'fnet COMMAND --help' tells a command's flags. FNET_THREADS, FNET_ISA and FNET_LOG stand in\n"
    "for the flags --threads, --isa and --log-level. Exit codes: 0 done, 1 failed, 2 wrong usage "
    "or\n"
    "bad input, 130 interrupted.",
    kCommands, "fnet: %v"};

}  // namespace

int main(int argc, char** argv) { return run_program(kProgram, argc, argv); }
