#include "runtime/inspect.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/vectors.h"
#include "kernels/fourier.h"
#include "runtime/samples.h"

namespace fnet {
namespace {

/// Passes up to which each token is replaced by itself.
constexpr std::size_t kMostPasses = 256;
/// Texts that are handed to the engine at once.
constexpr std::size_t kBatch = 32;
/// Best answers of a unit among which the one before is looked for.
constexpr std::size_t kAnswers = 1000;

double squares(std::span<const float> x) { return dot(x, x); }

/// 1 − cosine; 0 of two zeros.
double cosine_distance(std::span<const float> a, std::span<const float> b) {
  return squares(a) == 0 && squares(b) == 0 ? 0 : 1 - cosine(a, b);
}

/// The mean over the rows [N, H].
double mean_distance(std::span<const float> a, std::span<const float> b, std::size_t width) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); i += width)
    sum += cosine_distance(a.subspan(i, width), b.subspan(i, width));
  return sum * static_cast<double>(width) / static_cast<double>(a.size());
}

/// Whether hidden_states() has it: the last is the normed one.
bool is_layer_state(const HiddenState& state, std::int64_t layers, bool final_norm) {
  return state.stage == Stage::embeddings || state.stage == Stage::final_norm ||
         (state.stage == Stage::feed_forward && !(final_norm && state.layer == layers - 1));
}

/// An example as a model reads it, with its task where the model has a head.
struct Subject {
  const Engine& engine;
  const Example& example;
  std::optional<HeadConfig> head;
  const Task* task = nullptr;
  Sample sample;

  Subject(const Engine& engine_, const Example& example_) : engine(engine_), example(example_) {
    if (engine.config().has_head()) {
      head = engine.config().head("");
      task = &task_of(*head);
      sample = encode(engine, *task, *head, {&example, 1}).front();
    } else if (!example.words.empty()) {
      sample.texts.push_back(engine.encode_words(example.words));
    } else {
      sample.texts.push_back(engine.encode(inputs_of({&example, 1}).front()));
    }
  }

  const Encoding& text() const { return sample.texts.front(); }

  /// The answers where the first text has these scores.
  Answer answers(std::vector<Matrix> scores) const {
    return task->answer(example, sample, scores, *head, {.top_k = kAnswers});
  }
};

/// A unit's score of an answer; 0 where it is not among the best.
double score_of(const std::vector<Prediction>& unit, const Prediction& answer) {
  for (const Prediction& p : unit) {
    if (p.label == answer.label && p.begin == answer.begin && p.end == answer.end) return p.score;
  }
  return 0;
}

void compare_answers(const Answer& before, const Answer& after, TokenView& token) {
  std::size_t units = 0;
  for (std::size_t u = 0; u < before.size(); ++u) {
    if (before[u].empty()) continue;
    const Prediction& best = before[u].front();
    token.answer += score_of(after[u], best) - best.score;
    token.flipped += after[u].empty() || after[u].front().label != best.label;
    ++units;
  }
  if (units > 0) token.answer /= static_cast<double>(units);
}

std::vector<StateView> states_of(const Engine& engine, const Encoding& text) {
  const auto width = static_cast<std::size_t>(engine.config().hidden_size);
  std::vector<StateView> states;
  double before = 0;  // Σ x² of the state before
  engine.watch(
      {&text, 1},
      [&](const HiddenState& state) {
        StateView view{state.stage, state.layer};
        for (std::size_t i = 0; i < state.rows.size(); i += width)
          view.norm += std::sqrt(squares(state.rows.subspan(i, width)));
        view.norm *= static_cast<double>(width) / static_cast<double>(state.rows.size());
        if (before > 0) view.added = std::sqrt(squares(state.added) / before);
        before = squares(state.rows);
        require(std::isfinite(before) && std::isfinite(view.added), Kind::input,
                "layer {}: expected a finite hidden state, found infinities or NaN: the model's "
                "weights overflow",
                state.layer);
        view.energy = energy_by_frequency(state.rows, width);
        for (double& share : view.energy) share /= before > 0 ? before : 1;
        states.push_back(std::move(view));
      },
      true);
  return states;
}

/// The hidden states of each text beside those of `before`.
void compare_states(const Engine& engine, const std::vector<Matrix>& before,
                    std::span<const Encoding> texts, std::vector<std::vector<double>>& layers) {
  const auto width = static_cast<std::size_t>(engine.config().hidden_size);
  const bool final_norm = engine.config().norm_position == "pre";
  layers.assign(texts.size(), {});
  engine.watch(texts, [&](const HiddenState& state) {
    if (!is_layer_state(state, engine.config().num_hidden_layers, final_norm)) return;
    std::vector<double>& own = layers[state.text];
    own.push_back(mean_distance(before[own.size()].data, state.rows, width));
  });
}

}  // namespace

std::vector<double> energy_by_frequency(std::span<const float> rows, std::size_t width) {
  using kernels::SpectrumPart;
  const std::size_t length = rows.size() / width;
  // Over both axes, whose columns have the same squares in all: Re F, and Re F − Im F.
  std::vector<float> real(rows.size()), hartley(rows.size());
  kernels::Workspace workspace;
  for (const auto& [part, out] :
       {std::pair(SpectrumPart::real, &real), std::pair(SpectrumPart::hartley, &hartley)}) {
    const auto plan = kernels::fourier_plans(width, false, part).get(length);
    kernels::fourier_mix({plan.get(), rows.data(), nullptr, out->data()}, {}, workspace);
  }
  std::vector<double> energy(length / 2 + 1);
  for (std::size_t n = 0; n < length; ++n) {
    double sum = 0;
    for (std::size_t i = n * width; i < (n + 1) * width; ++i) {
      const double re = real[i], im = re - hartley[i];
      sum += re * re + im * im;
    }
    energy[std::min(n, length - n)] += sum / static_cast<double>(rows.size());
  }
  return energy;
}

double StateView::mean_frequency(std::size_t tokens) const {
  double sum = 0, weighted = 0;
  for (std::size_t k = 1; k < energy.size(); ++k) {
    sum += energy[k];
    weighted += energy[k] * static_cast<double>(k) / static_cast<double>(tokens);
  }
  return sum > 0 ? weighted / sum : 0;
}

Inspection inspect(const Engine& engine, const Example& example, const InspectOptions& options) {
  const Subject subject(engine, example);
  const Encoding& text = subject.text();
  const Tokenizer& tokenizer = engine.tokenizer();
  const SpecialIds& special = tokenizer.special();
  const std::int32_t stand_in = special.mask >= 0 ? special.mask : special.unk;
  Inspection result;
  result.texts = subject.sample.texts.size();
  result.states = states_of(engine, text);
  result.replacement = tokenizer.piece(stand_in);
  std::vector<std::size_t> places;  // of tokens that are replaced
  for (std::size_t i = 0; i < text.input_ids.size(); ++i) {
    const std::int32_t id = text.input_ids[i];
    result.tokens.push_back(
        {id, tokenizer.piece(id), tokenizer.surface(id), !tokenizer.is_special(id)});
    if (result.tokens.back().replaced) places.push_back(i);
  }
  result.span = options.span > 0
                    ? options.span
                    : std::max<std::size_t>(1, (places.size() + kMostPasses - 1) / kMostPasses);
  const std::vector<Matrix> states = engine.hidden_states({&text, 1}).front();
  const Matrix vector = engine.embed(std::span(&text, 1));
  std::vector<Matrix> scores;
  if (subject.task != nullptr) {
    scores = scores_of(engine, {&subject.sample, 1}).front();
    result.answers = subject.answers(scores);
  }

  std::vector<Encoding> texts;
  std::vector<std::span<const std::size_t>> spans;  // of each text the places replaced
  std::vector<std::vector<double>> layers;
  const auto look = [&] {
    compare_states(engine, states, texts, layers);
    const Matrix vectors = engine.embed(texts);
    std::vector<Matrix> scored;
    if (subject.task != nullptr) {
      std::vector<std::vector<std::int32_t>> picks;
      if (!subject.sample.picks.empty()) picks.assign(texts.size(), subject.sample.picks.front());
      scored = engine.scores(texts, picks);
    }
    for (std::size_t t = 0; t < texts.size(); ++t) {
      TokenView change;
      change.vector = cosine_distance(vector.row(0), vectors.row(t));
      if (subject.task != nullptr) {
        scores.front() = std::move(scored[t]);
        compare_answers(result.answers, subject.answers(scores), change);
      }
      for (const std::size_t place : spans[t]) {
        TokenView& token = result.tokens[place];
        token.vector = change.vector;
        token.answer = change.answer;
        token.flipped = change.flipped;
        token.layers = layers[t];
      }
    }
    texts.clear();
    spans.clear();
  };
  for (std::size_t begin = 0; begin < places.size(); begin += result.span) {
    spans.push_back(std::span(places).subspan(begin, std::min(result.span, places.size() - begin)));
    texts.push_back(text);
    for (const std::size_t place : spans.back()) texts.back().input_ids[place] = stand_in;
    if (texts.size() == kBatch) look();
  }
  if (!texts.empty()) look();
  return result;
}

}  // namespace fnet
