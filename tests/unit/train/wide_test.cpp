#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/file.h"
#include "fnet/engine.h"
#include "fnet/finetune.h"
#include "fnet/train.h"
#include "temporary.h"
#include "text/data.h"
#include "text/ngrams.h"
#include "train/linear_fit.h"
#include "train/wide_head.h"
#include "words.h"

namespace fnet {
namespace {

using testing::HasSubstr;

constexpr std::size_t kClasses = 3;

/// The corpus of the golden file, its labels, and scikit-learn's probabilities for it.
struct Fitted {
  nlohmann::json golden =
      nlohmann::json::parse(read_file(FNET_SOURCE_DIR "/tests/golden/text/ngrams.json", 1 << 20));
  std::vector<std::int32_t> labels = golden["labels"];
  Bags bags;
  std::size_t features;

  Fitted() {
    std::vector<std::vector<NgramCount>> texts;
    for (const auto& text : golden["corpus"])
      texts.push_back(count_ngrams(text.get<std::string>()));
    const NgramTable table(texts, 1'000'000);
    for (const auto& text : texts) table.add(text, bags);
    features = table.keys().size();
  }

  LinearTargets classes() const { return {.scores = kClasses, .classes = labels}; }

  std::vector<double> scores(const LinearFit& fit, std::size_t text) const {
    std::vector<double> p(fit.bias.begin(), fit.bias.end());
    for (auto e = static_cast<std::size_t>(bags.offsets[text]);
         e < static_cast<std::size_t>(bags.offsets[text + 1]); ++e) {
      for (std::size_t c = 0; c < p.size(); ++c) {
        p[c] += double{bags.values[e]} *
                double{fit.weight[static_cast<std::size_t>(bags.ids[e]) * p.size() + c]};
      }
    }
    return p;
  }

  std::vector<double> probabilities(const LinearFit& fit, std::size_t text) const {
    std::vector<double> p = scores(fit, text);
    double sum = 0;
    for (double& v : p) sum += v = std::exp(v);
    for (double& v : p) v /= sum;
    return p;
  }

  double furthest(const LinearFit& fit) const {
    double most = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const std::vector<double> expected = golden["probabilities"][i],
                                found = probabilities(fit, i);
      for (std::size_t c = 0; c < kClasses; ++c)
        most = std::max(most, std::abs(found[c] - expected[c]));
    }
    return most;
  }
};

TEST(LinearFit, is_the_logistic_regression_of_scikit_learn) {
  const Fitted data;
  EXPECT_LT(data.furthest(fit_linear(data.bags, data.features, data.classes(),
                                     {.tolerance = 1e-9, .most_steps = 1000})),
            1e-5);
  // What training asks for is near enough.
  EXPECT_LT(data.furthest(fit_linear(data.bags, data.features, data.classes())), 5e-3);
}

TEST(LinearFit, a_class_that_counts_twice_is_as_its_texts_given_twice) {
  Fitted data;
  const std::vector<double> weights = {1, 2, 1};
  const LinearFitOptions exact = {.class_weights = weights, .tolerance = 1e-9, .most_steps = 1000};
  const LinearFit weighted = fit_linear(data.bags, data.features, data.classes(), exact);
  const std::size_t count = data.labels.size();
  for (std::size_t i = 0; i < count; ++i) {
    if (data.labels[i] != 1) continue;
    for (auto e = static_cast<std::size_t>(data.bags.offsets[i]);
         e < static_cast<std::size_t>(data.bags.offsets[i + 1]); ++e) {
      data.bags.ids.push_back(data.bags.ids[e]);
      data.bags.values.push_back(data.bags.values[e]);
    }
    data.bags.offsets.push_back(static_cast<std::int64_t>(data.bags.ids.size()));
    data.labels.push_back(1);
  }
  const LinearFit doubled =
      fit_linear(data.bags, data.features, data.classes(), {.tolerance = 1e-9, .most_steps = 1000});
  for (std::size_t i = 0; i < weighted.weight.size(); ++i) {
    EXPECT_NEAR(weighted.weight[i], doubled.weight[i], 1e-3);
  }
}

TEST(LinearFit, of_texts_without_words_is_the_classes_shares) {
  Bags bags;
  bags.offsets.assign(5, 0);
  const std::vector<std::int32_t> labels = {0, 0, 0, 1};
  const LinearFit fit = fit_linear(bags, 0, {.scores = 2, .classes = labels}, {.tolerance = 1e-9});
  EXPECT_TRUE(fit.weight.empty());
  EXPECT_NEAR(fit.bias[0] - fit.bias[1], std::log(3.0), 1e-4);
}

constexpr LinearFitOptions kExact = {.tolerance = 1e-9, .most_steps = 1000};

TEST(LinearFit, of_several_labels_is_a_logistic_regression_of_each) {
  const Fitted data;
  std::vector<float> values;
  for (const auto& text : data.golden["several"])
    for (const float value : text) values.push_back(value);
  const LinearFit fit =
      fit_linear(data.bags, data.features,
                 {.loss = Loss::binary_cross_entropy, .scores = 2, .values = values}, kExact);
  for (std::size_t i = 0; i < data.labels.size(); ++i) {
    const std::vector<double> expected = data.golden["several_probabilities"][i],
                              found = data.scores(fit, i);
    for (std::size_t c = 0; c < 2; ++c)
      EXPECT_NEAR(1 / (1 + std::exp(-found[c])), expected[c], 1e-5);
  }
}

TEST(LinearFit, of_numbers_is_a_ridge_regression) {
  const Fitted data;
  const std::vector<float> values = data.golden["numbers"];
  const LinearFit fit =
      fit_linear(data.bags, data.features,
                 {.loss = Loss::squared_error, .scores = 1, .values = values}, kExact);
  const std::vector<double> expected = data.golden["ridge"];
  for (std::size_t i = 0; i < data.labels.size(); ++i)
    EXPECT_NEAR(data.scores(fit, i)[0], expected[i], 1e-4);
}

/// Scores of texts, one unit each.
Scored scored(const at::Tensor& logits) {
  Scored out;
  out.logits = logits;
  for (std::int64_t i = 0; i < logits.size(0); ++i)
    out.units.push_back(i), out.ends.push_back(i + 1);
  return out;
}

Scored of_classes(const at::Tensor& logits, const at::Tensor& targets) {
  Scored out = scored(logits);
  for (std::int64_t i = 0; i < targets.size(0); ++i)
    out.targets.push_back(targets[i].item<std::int64_t>());
  return out;
}

Scored of_values(const at::Tensor& logits, const at::Tensor& values) {
  Scored out = scored(logits);
  const at::Tensor flat = values.contiguous().view(-1);
  for (std::int64_t i = 0; i < flat.size(0); ++i) out.values.push_back(flat[i].item<float>());
  return out;
}

TEST(WideShares, are_those_of_the_lowest_loss) {
  torch::manual_seed(1);
  const at::Tensor targets = at::randint(3, {2000}, at::kLong), truth = at::one_hot(targets, 3);
  const at::Tensor noise = at::randn({2000, 3}), more = at::randn({2000, 3});
  const Scored deep = of_classes(2 * truth + noise, targets);
  // Each part sees the truth through noise of its own; the second one's is twice as strong.
  const Shares shares = best_shares(Loss::cross_entropy, deep, truth + more, true);
  // Gaussians of variance 1 with their means 2 and 1 from the other classes': log p = 2 a + b.
  EXPECT_NEAR(shares.deep, 2, 0.7);
  EXPECT_NEAR(shares.wide, 1, 0.35);
  EXPECT_EQ(best_shares(Loss::cross_entropy, deep, at::randn({2000, 3}), true).wide, 0);
  EXPECT_GT(best_shares(Loss::cross_entropy, deep, at::randn({2000, 3}), false).wide, 0);
}

TEST(WideShares, of_several_labels_are_those_of_the_lowest_loss) {
  torch::manual_seed(2);
  const at::Tensor truth = at::randint(2, {2000, 3}), sign = 2 * truth - 1;
  // Gaussians of variance 1 around ±1 and ±1/2: the logit of the truth is 2 a + b.
  const Scored deep = of_values(sign + at::randn({2000, 3}), truth);
  const Shares shares =
      best_shares(Loss::binary_cross_entropy, deep, 0.5 * sign + at::randn({2000, 3}), true);
  EXPECT_NEAR(shares.deep, 2, 0.7);
  EXPECT_NEAR(shares.wide, 1, 0.35);
}

TEST(WideShares, of_numbers_sum_to_one_and_weigh_the_surer_part_more) {
  torch::manual_seed(3);
  const at::Tensor truth = at::randn({4000, 1});
  const Scored deep = of_values(truth + at::randn({4000, 1}), truth);
  // Of two answers with variances 1 and 1/3 the best mean has shares of 1/4 and 3/4.
  const Shares shares =
      best_shares(Loss::squared_error, deep, truth + at::randn({4000, 1}) / std::sqrt(3.0), true);
  EXPECT_NEAR(shares.wide, 0.75, 1.0 / 16);
  EXPECT_EQ(shares.deep + shares.wide, 1);
  EXPECT_EQ(best_shares(Loss::squared_error, of_values(truth, truth), -truth, true).wide, 0);
}

TEST(WideShares, are_not_surer_than_so_few_texts_allow) {
  const at::Tensor targets = at::arange(8, at::kLong).remainder(2), truth = at::one_hot(targets, 2);
  const Shares shares =
      best_shares(Loss::cross_entropy, of_classes(10 * truth, targets), 10 * truth, true);
  const double margin = 10 * (shares.deep + shares.wide);
  EXPECT_NEAR(1 / (1 + std::exp(-margin)), 9.0 / 10, 0.03);  // Platt's (8 + 1) / (8 + 2)
}

double accuracy(const Engine& engine, const std::string& table) {
  double right = 0, all = 0;
  for (std::size_t at = table.find('\n') + 1; at < table.size();) {
    const std::size_t tab = table.find('\t', at), end = table.find('\n', at);
    const std::vector<TextInput> text = {TextInput(table.substr(at, tab - at))};
    right += engine.classify(text)[0][0].label == table.substr(tab + 1, end - tab - 1);
    ++all, at = end + 1;
  }
  return right / all;
}

TEST(WideHead, is_the_default_and_the_runtime_answers_as_training_did) {
  Words words;
  const TrainingReport report = finetune(words.options);
  EXPECT_EQ(report.best, 1.0);  // an epoch of so small a model alone learns nothing
  const Engine engine = Engine::load(words.options.out);
  EXPECT_GT(engine.config().wide_features, 10);
  EXPECT_EQ(accuracy(engine, Words::texts(200, 60)), report.best);
  const auto run = nlohmann::json::parse(words.bytes("run.json"));
  EXPECT_EQ(run["wide"], "auto");
  EXPECT_EQ(run["config"]["wide_features"], engine.config().wide_features);
  EXPECT_THAT(words.bytes("config.json"), HasSubstr("fnet-cpp"));  // transformers would drop it

  words.options.wide = "off";
  words.options.overwrite = true;
  EXPECT_LT(finetune(words.options).best, 0.9);
}

TEST(WideHead, gives_the_same_bytes_for_any_number_of_threads_and_goes_on_from_itself) {
  std::vector<std::string> models;
  for (const int threads : {1, 2}) {
    Words words;
    words.options.threads = threads;
    const double best = finetune(words.options).best;
    models.push_back(words.bytes("model.safetensors"));
    words.options.from = words.options.out;
    words.options.out = words.directory.path() / "next";
    EXPECT_EQ(finetune(words.options).start, best);
  }
  EXPECT_EQ(models[0], models[1]);
}

TEST(WideHead, can_be_taken_off_and_put_on_again) {
  Words words;
  finetune(words.options);
  const auto next = [&](const char* name, const char* wide) {
    words.options.from = words.options.out;
    words.options.out = words.directory.path() / name;
    words.options.wide = wide;
    finetune(words.options);
    return Engine::load(words.options.out).config().wide_features;
  };
  EXPECT_EQ(next("off", "off"), 0);
  EXPECT_EQ(next("auto", "auto"), 0);  // as the model that it starts from
  EXPECT_GT(next("on", "on"), 0);
}

TEST(WideHead, counts_words_for_several_labels_too) {
  Words words;
  std::string lines;
  for (int i = 0; i < 120; ++i) {
    const bool x = i % 2 != 0, y = i % 3 != 0;
    lines += nlohmann::json({{"text", fmt::format("w{} {} {} w{}", i % 7, x ? "red" : "blue",
                                                  y ? "high" : "low", i % 5)},
                             {"label", x && y ? std::vector{"x", "y"}
                                       : x    ? std::vector{"x"}
                                       : y    ? std::vector{"y"}
                                              : std::vector<const char*>()}})
                 .dump() +
             '\n';
  }
  words.options.train = words.options.dev = words.directory.make("lists.jsonl", lines);
  EXPECT_EQ(finetune(words.options).best, 1.0);
  EXPECT_GT(Engine::load(words.options.out).config().wide_features, 4);

  // A wide part doesn't go over from a model whose texts have one label each.
  Words other;
  finetune(other.options);
  words.options.from = other.options.out;
  words.options.set.clear();
  words.options.overwrite = true;
  EXPECT_EQ(finetune(words.options).best, 1.0);
}

TEST(WideHead, counts_words_for_numbers_too) {
  Words words;
  std::string lines = "text\tlabel\n";
  for (int i = 0; i < 200; ++i)
    lines += fmt::format("w{} n{} w{}\t{}\n", i % 7, i % 10, i % 3, 100 + 10 * (i % 10));
  words.options.train = words.options.dev = words.directory.make("numbers.tsv", lines);
  words.options.problem_type = "regression";
  EXPECT_GT(finetune(words.options).best, 0.98);  // Pearson's r; one epoch alone learns nothing
  const Engine engine = Engine::load(words.options.out);
  EXPECT_GT(engine.config().wide_features, 10);
  const std::vector<TextInput> texts = {TextInput("w1 n2 w1"), TextInput("w1 n8 w1")};
  const auto answers = engine.classify(texts);
  EXPECT_GT(answers[1][0].score - answers[0][0].score, 20);
}

TEST(WideHead, is_refused_where_the_task_has_none) {
  Words words;
  words.options.task = "token-classification";
  words.options.wide = "on";
  words.options.train = words.directory.make("t.conll", "Ann\tB-PER\nran\tO\n\nBob\tB-PER\n\n");
  words.options.dev = words.options.train;
  EXPECT_THAT(message_of([&] { finetune(words.options); }),
              HasSubstr("wide: expected auto or off"));
}

TEST(WideHead, both_libraries_give_the_same_scores) {
  Words words;
  finetune(words.options);
  const Engine engine = Engine::load(words.options.out);
  auto model = nn::FNetForSequenceClassification::load(words.options.out);
  const at::NoGradGuard no_grad;
  model->eval();
  const auto numbers = [&](const char* name) {
    const at::Tensor values = model->named_buffers()[name].contiguous();
    return std::span(values.const_data_ptr<float>(), static_cast<std::size_t>(values.numel()));
  };
  const NgramTable table(numbers("wide.keys"), numbers("wide.idf"));
  std::vector<Encoding> texts;
  for (const char* text : {"word1 sour3 end2", "sweet5 sweet5", "", "none of these"}) {
    texts.push_back(engine.encode(text));
  }
  const std::vector<Matrix> expected = engine.scores(texts);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    Bags bags;
    table.add(*texts[i].ngrams, bags);
    const std::vector<std::int64_t> ids(texts[i].input_ids.begin(), texts[i].input_ids.end());
    const at::Tensor deep = model->forward(at::tensor(ids, at::kLong).unsqueeze(0));
    const at::Tensor all = deep * numbers("wide.deep_scale")[0] + model->wide_scores(bags);
    for (std::int64_t c = 0; c < 2; ++c) {
      EXPECT_NEAR(all[0][c].item<float>(), expected[i].row(0)[static_cast<std::size_t>(c)], 1e-5);
    }
  }
}

/// What the head is for: real questions that a small model alone gets wrong.
TEST(WideHead, of_a_model_from_nothing_does_not_lose_to_counting_words) {
  const std::filesystem::path data = FNET_SOURCE_DIR "/../shared/data/trec6";
  if (!std::filesystem::exists(data)) GTEST_SKIP() << "needs ../shared/data/trec6";
  Words words;
  words.options.train = data / "train.tsv.gz";
  words.options.dev = data / "dev.tsv.gz";
  words.options.vocab_size = 2000;
  finetune(words.options);
  const Engine engine = Engine::load(words.options.out);
  double right = 0, all = 0;
  DataReader test(data / "test.tsv.gz");
  for (Record record; test.next(record); ++all) {
    const std::vector<TextInput> text = {record.text("text")};
    right += engine.classify(text)[0][0].label == record.label("label");
  }
  EXPECT_GE(right / all, 0.87);  // scikit-learn's TF-IDF with logistic regression: 0.876
}

}  // namespace
}  // namespace fnet
