// SQuAD's JSON, versions 1.1 and 2.0: one value for the whole file,
//   {"data": [{"title": …, "paragraphs": [{"context": …, "qas": [{"question": …, "id": …,
//     "answers": [{"text": …, "answer_start": …}]}]}]}]}
// Each question is a record of id, title, context, question and answers; its line is its number.
#include <nlohmann/json.hpp>

#include "core/json.h"
#include "text/data_format.h"
#include "text/json_record.h"

namespace fnet {
namespace {

using Json = nlohmann::json;

class Squad final : public DataFormat {
 public:
  explicit Squad(Lines& lines) : name_(lines.name()) {
    std::string text;
    for (std::string_view line; lines.next(line);) text.append(line) += '\n';
    const JsonLimits limits{.max_values = 100'000'000, .max_bytes = text.size()};
    json_ = parse_json(text, name_, limits);
    require(json_.is_object() && json_.contains("data"), Kind::input,
            "{}: expected an object with 'data', as SQuAD's files, found none", name_);
    articles_ = &list(json_, "data", "");
  }

  bool next(Record& record) override {
    for (; article_ < articles_->size(); ++article_, paragraph_ = 0) {
      const Json& article = (*articles_)[article_];
      const Json& paragraphs = list(article, "paragraphs", fmt::format("data[{}]", article_));
      for (; paragraph_ < paragraphs.size(); ++paragraph_, question_ = 0) {
        const std::string place = fmt::format("data[{}].paragraphs[{}]", article_, paragraph_);
        const Json& paragraph = paragraphs[paragraph_];
        const Json& questions = list(paragraph, "qas", place);
        if (question_ == questions.size()) continue;
        record.line = ++line_;
        const Json& question = questions[question_++];
        require(question.is_object(), Kind::input, "{}: {}.qas[{}]: expected an object, found {}",
                name_, place, question_ - 1, question.type_name());
        add_fields(question, record);
        for (const auto& [from, key] : {std::pair(&article, "title"), {&paragraph, "context"}}) {
          if (from->contains(key)) add_fields(Json{{key, (*from)[key]}}, record);
        }
        return true;
      }
    }
    return false;
  }

  bool lost() const override { return true; }
  std::span<const std::string> fields() const override { return {}; }

 private:
  /// A member that must be a list.
  const Json& list(const Json& parent, const char* key, const std::string& place) const {
    const auto found = parent.find(key);
    require(parent.is_object() && found != parent.end() && found->is_array(), Kind::input,
            "{}: {}{}{}: expected a list, found {}", name_, place, place.empty() ? "" : ".", key,
            parent.is_object() && found != parent.end() ? found->type_name() : "none");
    return *found;
  }

  std::string name_;
  Json json_;
  const Json* articles_ = nullptr;
  std::size_t article_ = 0, paragraph_ = 0, question_ = 0, line_ = 0;
};

}  // namespace

std::unique_ptr<DataFormat> open_squad(Lines& lines) { return std::make_unique<Squad>(lines); }

}  // namespace fnet
