#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "temporary.h"
#include "train/teacher_objective.h"
#include "train/teacher_texts.h"

namespace fnet {
namespace {

/// The losses by their definition, text by text and pair by pair.
double defined_loss(const at::Tensor& student, const at::Tensor& teacher, const TeacherLoss& how) {
  const std::int64_t texts = student.size(0);
  const auto dot = [](const at::Tensor& a, const at::Tensor& b) {
    return (a * b).sum().item<double>();
  };
  const auto cosine = [&](const at::Tensor& a, const at::Tensor& b) {
    return dot(a, b) / std::sqrt(dot(a, a) * dot(b, b));
  };
  double first = 0, pairs = 0;
  for (std::int64_t i = 0; i < texts; ++i) {
    // Of `similarity` the two may have other widths.
    const at::Tensor apart = how.kind == "squared_error" ? student[i] - teacher[i] : at::Tensor();
    if (how.kind == "cosine") first += 1 - cosine(student[i], teacher[i]);
    if (how.kind == "squared_error") first += dot(apart, apart);
    for (std::int64_t j = 0; j < texts; ++j) {
      if (i == j) continue;
      const double difference = cosine(student[i], student[j]) - cosine(teacher[i], teacher[j]);
      pairs += difference * difference;
    }
  }
  const double weight = how.kind == "similarity" ? 1 : how.similarity_weight;
  return first / static_cast<double>(texts) +
         weight * pairs / static_cast<double>(texts * (texts - 1));
}

at::Tensor unit_rows(std::int64_t texts, std::int64_t width) {
  return torch::nn::functional::normalize(at::randn({texts, width}, at::kDouble));
}

TEST(TeacherLosses, are_their_definitions_and_so_are_their_gradients) {
  torch::manual_seed(5);
  for (const TeacherLoss& how : {TeacherLoss{"cosine", 0}, TeacherLoss{"squared_error", 0},
                                 TeacherLoss{"cosine", 0.7}, TeacherLoss{"similarity", 0}}) {
    const at::Tensor teacher = unit_rows(4, how.kind == "similarity" ? 7 : 5);
    at::Tensor student = at::randn({4, 5}, at::kDouble).requires_grad_(true);
    const at::Tensor loss = teacher_loss(student, teacher, how);
    EXPECT_NEAR(loss.item<double>(), defined_loss(student, teacher, how), 1e-12) << how.kind;
    loss.backward();
    const double step = 1e-6;
    const at::NoGradGuard no_grad;
    for (std::int64_t k = 0; k < 20; k += 3) {
      at::Tensor more = student.clone(), less = student.clone();
      more.view({-1})[k].add_(step), less.view({-1})[k].sub_(step);
      const double slope =
          (defined_loss(more, teacher, how) - defined_loss(less, teacher, how)) / (2 * step);
      EXPECT_NEAR(student.grad().view({-1})[k].item<double>(), slope, 1e-8) << how.kind;
    }
  }
}

TEST(TeacherLosses, of_one_text_there_is_no_likeness) {
  torch::manual_seed(6);
  const at::Tensor loss =
      teacher_loss(at::randn({1, 5}, at::kDouble), unit_rows(1, 5), {"similarity", 0});
  EXPECT_NEAR(loss.item<double>(), 0, 1e-12);
}

/// Texts of one letter each in two files, the vector of text i being (1, i).
struct Texts : testing::Test {
  TemporaryDirectory directory;
  Tokenizer tokenizer = make_tokenizer();

  Tokenizer make_tokenizer() {
    TokenizerTraining training;
    training.inputs = {directory.make("words.txt", "a b c d e f g h i j k l m\nab cd ef gh\n")};
    training.vocab_size = 40;
    training.fewer_pieces = true;
    return train_tokenizer(training);
  }

  static std::string array(int begin, int end) {
    std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" +
                         std::to_string(end - begin) + ", 2), }";
    header.resize(117, ' ');
    std::string bytes = std::string("\x93NUMPY\x01\x00", 8) + char(118) + '\0' + header + "\n";
    for (int i = begin; i < end; ++i) {
      const float values[] = {1, static_cast<float>(i)};
      bytes.append(reinterpret_cast<const char*>(values), sizeof values);
    }
    return bytes;
  }

  static std::string lines(int begin, int end) {
    std::string text;
    for (int i = begin; i < end; ++i)
      text += std::string(1, static_cast<char>('a' + i % 13)) + "\n";
    return text;
  }

  TeacherTexts open(std::uint64_t room = 8) {
    return {{directory.make("a.txt", lines(0, 5)), directory.make("b.txt", lines(5, 700))},
            {directory.make("a.npy", array(0, 5)), directory.make("b.npy", array(5, 700))},
            {.cache = directory.path() / "cache", .threads = 1},
            room,
            false,
            tokenizer,
            [](std::string_view) {}};
  }
};

TEST_F(Texts, each_has_its_own_tokens_and_vector) {
  const TeacherTexts texts = open();
  ASSERT_EQ(texts.size(), 700U);
  for (const std::uint64_t i : {0U, 4U, 5U, 516U, 517U, 699U}) {
    const Sample sample = texts.at(i);
    const std::string letter(1, static_cast<char>('a' + i % 13));
    EXPECT_EQ(sample.texts[0].input_ids, tokenizer.encode(letter).input_ids) << i;
    EXPECT_NEAR(sample.values[1] / sample.values[0], static_cast<double>(i),
                1e-3 * (1.0 + double(i)));
    EXPECT_NEAR(std::hypot(sample.values[0], sample.values[1]), 1, 1e-6);
  }
  EXPECT_TRUE(texts.place(5).ends_with("b.txt text 1"));
}

TEST_F(Texts, a_pass_reads_each_once_but_for_those_held_out) {
  const TeacherTexts texts = open();
  const Permutation order(texts.size(), 3, 9);
  TeacherSource source(texts, order, 20, 17, 5, 3);
  const auto number = [](const Sample& sample) {
    return std::lround(sample.values[1] / sample.values[0]);
  };
  std::map<long, int> seen;
  std::vector<long> first;
  for (std::int64_t step = 0; step < 40; ++step) {  // 680 = 40 * 17
    for (const Sample& sample : source.batch(step)) {
      ++seen[number(sample)];
      if (step == 0) first.push_back(number(sample));
    }
  }
  EXPECT_EQ(seen.size(), 680U);
  for (std::uint64_t i = 0; i < 20; ++i)
    EXPECT_EQ(seen.count(static_cast<long>(order(i))), 0U) << i;
  std::vector<long> again, next;
  for (const Sample& sample : source.batch(0)) again.push_back(number(sample));
  for (const Sample& sample : source.batch(40)) next.push_back(number(sample));
  EXPECT_EQ(again, first);
  EXPECT_NE(next, first);
}

TEST_F(Texts, longer_ones_are_cut_and_keep_their_special_tokens) {
  const TeacherTexts texts = {{directory.make("long.txt", "a b c d e f g h\nab\n")},
                              {directory.make("long.npy", array(0, 2))},
                              {.cache = directory.path() / "cache", .threads = 1},
                              3,
                              false,
                              tokenizer,
                              [](std::string_view) {}};
  const std::vector<std::int32_t> whole = tokenizer.encode("a b c d e f g h").input_ids;
  const std::vector<std::int32_t> ids = texts.at(0).texts[0].input_ids;
  ASSERT_EQ(ids.size(), 5U);
  EXPECT_EQ(std::vector(ids.begin(), ids.end() - 1), std::vector(whole.begin(), whole.begin() + 4));
  EXPECT_EQ(ids.back(), whole.back());
}

}  // namespace
}  // namespace fnet
