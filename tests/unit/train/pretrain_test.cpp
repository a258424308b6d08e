#include "fnet/pretrain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "core/file.h"
#include "fnet/engine.h"
#include "temporary.h"
#include "train/corpus_source.h"
#include "train/pretrain_objective.h"

namespace fnet {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// Documents of some lines in which each colour has its fruit.
std::string documents(int count, int lines = 4) {
  static constexpr const char* kPairs[] = {"red apple", "yellow lemon", "green pear", "blue plum"};
  static constexpr const char* kEnds[] = {"today", "here", "again", "at home", "in town"};
  std::string text;
  for (int i = 0; i < count; ++i) {
    for (int k = 0; k < lines; ++k) {
      text += "line " + std::to_string(k) + " has a " + kPairs[(i * 5 + k * 3) % 4] + " " +
              kEnds[(i + k) % 5] + "\n";
    }
    text += "\n";
  }
  return text;
}

struct Pretraining : testing::Test {
  TemporaryDirectory directory;
  PretrainOptions options;

  Pretraining() {
    options.train = {directory.make("corpus.txt", documents(120))};
    options.out = directory.path() / "model";
    options.cache = directory.path() / "cache";
    options.set = {"hidden_size=32", "intermediate_size=32", "num_hidden_layers=1",
                   "hidden_dropout_prob=0"};
    options.steps = 4;
    options.eval_steps = 3;
    options.batch_size = 4;
    options.threads = 1;
  }

  std::string bytes(const char* name) const { return read_file(options.out / name, 1 << 24); }
};

/// A corpus and all that makes samples of it.
struct Samples : testing::Test {
  TemporaryDirectory directory;
  Tokenizer tokenizer = make_tokenizer();
  Corpus corpus = make_corpus();
  Masker masker{tokenizer, {}};

  Tokenizer make_tokenizer() {
    TokenizerTraining training;
    training.inputs = {directory.make("corpus.txt", documents(300, 6))};
    training.vocab_size = 70;
    training.fewer_pieces = true;
    return train_tokenizer(training);
  }
  Corpus make_corpus() {
    return Corpus::open({.paths = {directory.path() / "corpus.txt"},
                         .cache = directory.path() / "cache",
                         .threads = 1},
                        tokenizer, [](std::string_view) {});
  }
};

bool same(const Sample& a, const Sample& b) {
  return a.texts.at(0).input_ids == b.texts.at(0).input_ids &&
         a.texts[0].token_type_ids == b.texts[0].token_type_ids && a.picks == b.picks &&
         a.targets == b.targets && a.values == b.values;
}

TEST_F(Samples, are_a_function_of_seed_and_position_whatever_the_batches) {
  const SampleOptions options{.max_length = 64, .seed = 3};
  const CorpusTexts texts(corpus, CorpusSamples::room(options), 2);
  const CorpusSamples samples(texts, tokenizer, masker, options);
  CorpusSource by_four(texts, samples, 4, 10), by_six(texts, samples, 6, 10);
  std::vector<Sample> fours, sixes;
  for (const std::int64_t step : {5, 4, 3, 2, 1, 0}) {  // no step needs those before it
    std::vector<Sample> batch = by_four.batch(step);
    fours.insert(fours.begin(), batch.begin(), batch.end());
  }
  for (std::int64_t step = 0; step < 4; ++step) {
    for (Sample& sample : by_six.batch(step)) sixes.push_back(std::move(sample));
  }
  ASSERT_EQ(fours.size(), sixes.size());
  for (std::size_t i = 0; i < fours.size(); ++i) EXPECT_TRUE(same(fours[i], sixes[i])) << i;
  SampleOptions other = options;
  other.seed = 4;
  EXPECT_FALSE(same(CorpusSamples(texts, tokenizer, masker, other).at(0), samples.at(0)));
  EXPECT_THAT(by_four.place(0), HasSubstr("of the corpus"));
}

TEST_F(Samples, of_each_pass_are_all_texts_in_another_order_under_other_masks) {
  const SampleOptions options{.max_length = 32, .seed = 3};
  const CorpusTexts texts(corpus, CorpusSamples::room(options), 2);
  const CorpusSamples samples(texts, tokenizer, masker, options);
  std::vector<std::uint64_t> first, second;
  for (std::uint64_t i = 0; i < texts.size(); ++i) {
    first.push_back(samples.text_at(i));
    second.push_back(samples.text_at(texts.size() + i));
  }
  EXPECT_NE(first, second);
  EXPECT_FALSE(std::ranges::is_sorted(first));
  EXPECT_EQ(std::set(first.begin(), first.end()).size(), texts.size());
  EXPECT_EQ(std::set(second.begin(), second.end()).size(), texts.size());
  const auto again = std::ranges::find(second, first[0]) - second.begin();
  EXPECT_NE(samples.at(0).picks,
            samples.at(texts.size() + static_cast<std::uint64_t>(again)).picks);
}

TEST_F(Samples, of_pairs_fit_and_half_of_them_are_swapped) {
  for (const PairObjective pairs : {PairObjective::order, PairObjective::next}) {
    const SampleOptions options{.pairs = pairs, .max_length = 32, .seed = 1};
    const CorpusTexts texts(corpus, CorpusSamples::room(options), 2);
    const CorpusSamples samples(texts, tokenizer, masker, options);
    double changed = 0;
    constexpr int kCount = 4000;
    for (std::uint64_t i = 0; i < kCount; ++i) {
      const Sample sample = samples.at(i);
      const Encoding& text = sample.texts.at(0);
      ASSERT_LE(text.input_ids.size(), 32U);
      ASSERT_EQ(text.input_ids.size(), text.token_type_ids.size());
      EXPECT_TRUE(std::ranges::is_sorted(text.token_type_ids));
      EXPECT_EQ(text.token_type_ids.back(), 1);
      EXPECT_EQ(std::ranges::count(text.input_ids, tokenizer.special().sep), 2);
      EXPECT_EQ(text.input_ids.front(), tokenizer.special().cls);
      changed += sample.values.at(0);
    }
    EXPECT_NEAR(changed / kCount, 0.5, 0.04);  // five deviations
  }
}

TEST_F(Samples, a_swapped_pair_is_the_text_with_its_parts_exchanged_at_a_line) {
  const SampleOptions options{.pairs = PairObjective::order, .max_length = 200, .seed = 1};
  const CorpusTexts texts(corpus, CorpusSamples::room(options), 2);
  const CorpusSamples samples(texts, tokenizer, masker, options);
  for (std::uint64_t i = 0; i < 50; ++i) {
    const Sample sample = samples.at(i);
    std::vector<std::int32_t> ids = sample.texts[0].input_ids;
    for (std::size_t k = 0; k < sample.targets.size(); ++k)
      ids[static_cast<std::size_t>(sample.picks[0][k])] = sample.targets[k];
    const auto middle = std::ranges::find(ids, tokenizer.special().sep);
    std::vector<std::int32_t> first(ids.begin() + 1, middle), second(middle + 1, ids.end() - 1);
    if (sample.values[0] > 0) std::swap(first, second);
    const std::size_t at = first.size();
    first.insert(first.end(), second.begin(), second.end());
    const CorpusTexts::Text text = texts.at(samples.text_at(i));
    EXPECT_EQ(first, text.piece.ids);
    EXPECT_TRUE(text.piece.begins_line[at]);
  }
}

TEST_F(Samples, a_document_of_two_tokens_makes_a_pair) {
  directory.make("short.txt", "red apple\n\nblue plum\n\nred\n");
  const Corpus own = Corpus::open({.paths = {directory.path() / "short.txt"},
                                   .cache = directory.path() / "cache",
                                   .threads = 1},
                                  tokenizer, [](std::string_view) {});
  const SampleOptions options{.pairs = PairObjective::next, .max_length = 8, .seed = 1};
  const CorpusTexts texts(own, CorpusSamples::room(options), 2);
  const CorpusSamples samples(texts, tokenizer, masker, options);
  for (std::uint64_t i = 0; i < 20; ++i) EXPECT_GE(samples.at(i).targets.size(), 1U);
}

TEST_F(Samples, the_loss_is_the_mean_over_masked_rows_and_is_scored_alike) {
  Config config = Config::preset("tiny");
  config.hidden_size = config.intermediate_size = 16;
  config.num_hidden_layers = 1;
  config.hidden_dropout_prob = 0;
  config.task = "fill-mask";
  config.heads["seq_relationship"] = order_head();
  config.set_vocabulary(tokenizer.vocab_size(), 3, 1, 2);
  const auto model = std::make_shared<nn::FNetWithHeadImpl>(config, 1);
  const SampleOptions options{.pairs = PairObjective::order, .max_length = 40, .seed = 1};
  const CorpusTexts texts(corpus, CorpusSamples::room(options), 2);
  const CorpusSamples samples(texts, tokenizer, masker, options);
  std::vector<Sample> batch;
  for (std::uint64_t i = 0; i < 5; ++i) batch.push_back(samples.at(i));
  PretrainObjective objective(model, tokenizer, batch, 1);
  const double loss = objective.loss(batch, 0).loss.item<double>();
  double masked = 0, order = 0;
  std::int64_t count = 0;
  for (const Sample& sample : batch) {  // by the whole model, text by text, in double
    const std::vector<std::int64_t> ids(sample.texts[0].input_ids.begin(),
                                        sample.texts[0].input_ids.end()),
        types(sample.texts[0].token_type_ids.begin(), sample.texts[0].token_type_ids.end());
    const at::NoGradGuard no_grad;
    nn::Inputs inputs;
    inputs.input_ids = at::tensor(ids, at::kLong).unsqueeze(0);
    inputs.token_type_ids = at::tensor(types, at::kLong).unsqueeze(0);
    const at::Tensor all = at::log_softmax(model->forward(inputs)[0].to(at::kDouble), 1);
    for (std::size_t k = 0; k < sample.targets.size(); ++k, ++count)
      masked -= all[sample.picks[0][k]][sample.targets[k]].item<double>();
    Rows rows;
    rows.add(static_cast<std::int64_t>(ids.size()));
    const at::Tensor hidden = model->fnet->forward(inputs).last_hidden_state[0];
    const at::Tensor scores =
        at::log_softmax(model->scores(hidden, rows, {}, "seq_relationship").to(at::kDouble), 1);
    order -= scores[0][static_cast<std::int64_t>(sample.values[0])].item<double>();
  }
  EXPECT_NEAR(loss, masked / static_cast<double>(count) + order / 5, 2e-5);
  const Evaluation evaluation = objective.evaluate();
  EXPECT_NEAR(evaluation.loss, loss, 2e-5);
  EXPECT_NEAR(evaluation.metric("perplexity"), std::exp(masked / static_cast<double>(count)), 1e-3);
  EXPECT_EQ(evaluation.count, static_cast<std::size_t>(count));
  EXPECT_EQ(evaluation.filled.size(), 5U);
  EXPECT_GE(evaluation.metric("order_accuracy"), 0);
}

TEST_F(Pretraining, leaves_a_model_a_log_and_a_report) {
  const TrainingReport report = pretrain(options);
  EXPECT_EQ(report.step, 4);
  EXPECT_EQ(report.metric, "likelihood");
  ASSERT_EQ(report.epochs.size(), 2U);
  EXPECT_TRUE(report.written);
  const Config config = Config::load(options.out);
  EXPECT_EQ(config.task, "fill-mask");
  EXPECT_THAT(bytes("config.json"), HasSubstr("FNetForMaskedLM"));
  const auto run = nlohmann::json::parse(bytes("run.json"));
  EXPECT_EQ(run["data"]["documents"], 119);
  EXPECT_EQ(run["data"]["dev_documents"], 1);
  EXPECT_EQ(run["steps"], 4);
  EXPECT_THAT(bytes("log.jsonl"), HasSubstr("perplexity"));
  const std::string html = bytes("report.html");
  EXPECT_THAT(html, HasSubstr("model: pretraining on corpus.txt"));
  EXPECT_THAT(html, HasSubstr("Filled in"));
  EXPECT_THAT(html, HasSubstr("losses by step"));
  EXPECT_THAT(html, Not(HasSubstr("Epoch")));
}

TEST_F(Pretraining, the_same_command_gives_the_same_model) {
  pretrain(options);
  const std::string first = bytes("model.safetensors");
  options.out = directory.path() / "again";
  fs::remove_all(options.cache);
  options.no_cache = true;
  pretrain(options);
  EXPECT_EQ(bytes("model.safetensors"), first);
  EXPECT_TRUE(fs::is_empty(options.cache));
  options.out = directory.path() / "other";
  options.seed = 2;
  pretrain(options);
  EXPECT_NE(bytes("model.safetensors"), first);
}

TEST_F(Pretraining, with_pairs_it_is_hugging_faces_model_for_pretraining) {
  options.objective = "mlm+sop";
  options.masking = "whole-word";
  options.dev = {directory.make("dev.txt", documents(7))};
  const TrainingReport report = pretrain(options);
  EXPECT_EQ(report.epochs.back().metrics.back().first, "order_accuracy");
  EXPECT_THAT(bytes("config.json"), HasSubstr("\"FNetForPreTraining\""));
  EXPECT_THAT(bytes("model.safetensors"), HasSubstr("\"cls.seq_relationship.weight\""));
  const Engine engine = Engine::load(options.out);
  const Encoding pair = engine.tokenizer().encode("line 0 has a red apple", "line 1 has a lemon");
  const std::vector<Matrix> order = engine.scores({&pair, 1}, {}, "seq_relationship");
  EXPECT_EQ(order.at(0).cols, 2U);
  // From it, both heads go on; as an encoder it has no more of them than asked for.
  options.from = options.out;
  options.set.clear();
  options.out = directory.path() / "more";
  const TrainingReport more = pretrain(options);
  EXPECT_TRUE(more.start.has_value());
  options.objective = "mlm";
  options.out = directory.path() / "one";
  pretrain(options);
  EXPECT_THAT(bytes("config.json"), HasSubstr("FNetForMaskedLM"));
}

TEST_F(Pretraining, a_decoder_of_its_own_is_trained_and_stored) {
  options.set.emplace_back("tie_word_embeddings=false");
  pretrain(options);
  EXPECT_THAT(bytes("model.safetensors"), HasSubstr("cls.predictions.decoder.weight"));
}

TEST_F(Pretraining, stops_where_it_is_asked_to_and_leaves_what_it_has) {
  TrainingCallbacks callbacks;
  std::vector<std::string> lines;
  bool begun = false;
  callbacks.progress = [&](const TrainingProgress&) { begun = true; };
  callbacks.stop = [&] { return begun; };
  callbacks.log = [&](std::string_view line) { lines.emplace_back(line); };
  const TrainingReport report = pretrain(options, callbacks);
  EXPECT_TRUE(report.interrupted);
  EXPECT_EQ(report.step, 1);
  EXPECT_THAT(lines.back(), HasSubstr("interrupted after step 1 of 4"));
  EXPECT_NO_THROW(Engine::load(options.out));
}

TEST_F(Pretraining, stops_before_the_first_step_too) {
  TrainingCallbacks callbacks;
  callbacks.stop = [] { return true; };
  const TrainingReport report = pretrain(options, callbacks);
  EXPECT_TRUE(report.interrupted);
  EXPECT_EQ(report.step, 0);
  EXPECT_FALSE(fs::exists(options.out));
  EXPECT_TRUE(fs::is_empty(options.cache));
}

TEST_F(Pretraining, refuses_what_makes_no_sense) {
  const auto said = [&](auto&& change) {
    PretrainOptions other = options;
    change(other);
    return message_of([&] { pretrain(other); });
  };
  EXPECT_THAT(said([](auto& o) { o.train.clear(); }), HasSubstr("train: expected files"));
  EXPECT_THAT(said([](auto& o) { o.out.clear(); }), HasSubstr("out: expected a directory"));
  EXPECT_THAT(said([](auto& o) { o.objective = "rtd"; }), HasSubstr("objective: expected"));
  EXPECT_THAT(said([](auto& o) { o.steps = 0; }), HasSubstr("steps: expected"));
  EXPECT_THAT(said([](auto& o) { o.max_length = 3; }), HasSubstr("max_length: expected 8 to 512"));
  EXPECT_THAT(said([](auto& o) { o.documents = "file"; }), HasSubstr("at least two documents"));
  EXPECT_THAT(said([&](auto& o) { o.train = {directory.make("e.txt", "")}; }),
              HasSubstr("training the tokenizer: expected texts"));
  EXPECT_THAT(said([&](auto& o) { o.tokenizer = directory.path() / "none.model"; }),
              HasSubstr("none.model"));
}

}  // namespace
}  // namespace fnet
