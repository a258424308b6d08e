// fnet: commands over models. Results go to standard output, log and errors to standard error.
#include <array>

#include "cli/command.h"

namespace {

using namespace fnet::cli;

constexpr std::array kCommands = {
    Command{"init", "make a model with random weights", declare_init},
    Command{"tokenizer", "learn a tokenizer; text to ids and back"},
    Command{"tokenizer train", "learn a SentencePiece model from texts", declare_tokenizer_train},
    Command{"tokenizer encode", "print the tokens of each line", declare_tokenizer_encode},
    Command{"tokenizer decode", "print the text of each line of ids", declare_tokenizer_decode},
    Command{"finetune",
            "train a model for a task, from a model or from nothing (starts fnet-train)", nullptr,
            run_trainer},
    Command{"evaluate", "compare a model with labelled data", declare_evaluate},
    Command{"predict", "label texts or words", declare_predict},
    Command{"embed", "a vector for each text", declare_embed},
    Command{"info", "what a model is; what this build offers", declare_info},
    Command{"quantize", "a copy of a model with smaller weights", declare_quantize},
    Command{"bench", "how fast a model runs here, and what the machine could do", declare_bench},
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
