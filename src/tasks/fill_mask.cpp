#include "tasks/fill_mask.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "tasks/labelling.h"

namespace fnet {
namespace {

/// How often the name of [MASK] stands in the texts.
std::size_t masks_in(const Example& example, const std::string& mask) {
  std::size_t count = 0;
  for (const std::string& text : example.texts) {
    for (std::size_t at = text.find(mask); at != text.npos; at = text.find(mask, at + mask.size()))
      ++count;
  }
  return count;
}

/// Each row of a text's picks, with the text.
struct Mask {
  const Encoding* text;
  std::size_t row;
};

std::vector<Mask> masks_of(const Sample& sample) {
  std::vector<Mask> masks;
  for (std::size_t text = 0; text < sample.texts.size(); ++text) {
    for (const std::int32_t row : sample.picks[text])
      masks.push_back({&sample.texts[text], static_cast<std::size_t>(row)});
  }
  return masks;
}

/// The text of ids with its special tokens by name, spaces where the pieces have them.
/// Source: what Hugging Face's tokenizers make of FNet's pieces, and of BERT's.
std::string whole_text(const Tokenizer& tokenizer, std::span<const std::int32_t> ids) {
  if (tokenizer.config().kind == TokenizerKind::wordpiece) return tokenizer.decode(ids, false);
  std::string text;
  std::vector<std::int32_t> run;  // ids between two special ones
  const auto end_run = [&] {
    if (run.empty()) return;
    if (!text.empty() && tokenizer.begins_word(run[0])) text += ' ';
    text += tokenizer.decode(run, false);
    run.clear();
  };
  for (const std::int32_t id : ids) {
    if (tokenizer.is_special(id) && id != tokenizer.special().mask) {
      end_run();
      text += tokenizer.piece(id);
    } else {
      run.push_back(id);
    }
  }
  end_run();
  return text;
}

}  // namespace

void FillMaskTask::refuse_labels() const {
  fail(Kind::usage,
       "task: expected one that learns from labelled texts, found {}: a masked language model "
       "learns from plain text, as 'fnet pretrain' trains and scores it",
       name());
}

std::vector<std::string> FillMaskTask::metrics(std::span<const std::string>) const {
  return {"accuracy"};
}

Reading FillMaskTask::reading(const Columns& columns, bool labelled) const {
  if (labelled) refuse_labels();
  return read_texts(columns, std::string(name()));
}

std::vector<std::string> FillMaskTask::labels(std::span<const Example>) const { return {}; }

Sample FillMaskTask::encode(const Example& example, const Tokenizer& tokenizer,
                            const EncodeOptions& options, const HeadConfig&) const {
  const std::int32_t mask = tokenizer.special().mask;
  require(mask >= 0, Kind::input, "tokenizer: expected the piece [MASK] for {}, found none",
          name());
  std::optional<std::string_view> pair;
  if (example.texts.size() > 1) pair = example.texts[1];
  Sample sample;
  const Encoding& text = sample.texts.emplace_back(
      without_places(tokenizer.encode(example.texts.at(0), pair, options)));
  std::vector<std::int32_t>& rows = sample.picks.emplace_back();
  for (std::size_t i = 0; i < text.input_ids.size(); ++i) {
    if (text.input_ids[i] == mask) rows.push_back(static_cast<std::int32_t>(i));
  }
  const std::string& written = tokenizer.config().mask_token;
  const std::size_t all = text.truncated ? masks_in(example, written) : rows.size();
  require(all > 0, Kind::input, "text: expected at least one {}, found none", written);
  for (std::size_t i = 0; i < std::max(all, rows.size()); ++i)
    sample.units.push_back(i < rows.size() ? static_cast<std::int32_t>(i) : -1);
  return sample;
}

Answer FillMaskTask::answer(const Example&, const Sample& sample, std::span<const Matrix> scores,
                            const HeadConfig&, const AnswerOptions& options) const {
  require(options.tokenizer != nullptr, Kind::usage,
          "tokenizer: expected the model's for {}, found none", name());
  const Tokenizer& tokenizer = *options.tokenizer;
  const std::vector<Mask> masks = masks_of(sample);
  Answer answer(sample.units.size());
  for (std::size_t i = 0; i < sample.units.size(); ++i) {
    if (sample.units[i] < 0) continue;
    const Mask& mask = masks[static_cast<std::size_t>(sample.units[i])];
    std::vector<std::int32_t> ids = mask.text->input_ids;
    // A row of the vocabulary beyond the tokenizer's pieces is no token.
    const auto known =
        row_of(scores, sample.units[i]).first(static_cast<std::size_t>(tokenizer.vocab_size()));
    for (const Choice& choice : best_classes(known, std::max<std::size_t>(1, options.top_k))) {
      Prediction& token = answer[i].emplace_back();
      token.score = choice.score;
      token.token = ids[mask.row] = choice.label;
      token.label = tokenizer.decode({&choice.label, 1}, false);
      token.sequence = masks.size() == 1 ? tokenizer.decode(ids) : whole_text(tokenizer, ids);
    }
  }
  return answer;
}

std::string FillMaskTask::tsv(const Example& example, const Answer& answer) const {
  std::string lines;
  for (const std::vector<Prediction>& mask : answer) {
    lines += fmt::format("{}", example.line);
    for (const Prediction& p : mask) {
      fmt::format_to(std::back_inserter(lines), "\t{}\t{:.6f}", field(p.label), p.score);
    }
    lines += '\n';
  }
  return lines;
}

std::string FillMaskTask::json(const Example& example, const Answer& answer) const {
  nlohmann::ordered_json line = {{"line", example.line}, {"masks", nlohmann::json::array()}};
  for (const std::vector<Prediction>& mask : answer) {
    auto& list = line["masks"].emplace_back(nlohmann::json::array());
    for (const Prediction& p : mask) {
      list.push_back({{"score", rounded(p.score)},
                      {"token", p.token},
                      {"token_str", p.label},
                      {"sequence", p.sequence}});
    }
  }
  return line.dump() + '\n';
}

std::unique_ptr<Scorer> FillMaskTask::scorer(const HeadConfig&) const { refuse_labels(); }

}  // namespace fnet
