#include "export/export.h"

#include <limits>
#include <utility>

#include "blocks/model.h"
#include "core/error.h"
#include "export/tensor.h"
#include "model/init.h"
#include "model/problem_type.h"

namespace fnet {
namespace {

/// What protobuf can hold in one message.
constexpr std::uint64_t kMostBytes = std::numeric_limits<std::int32_t>::max();

/// A graph that computes a model, as yet without its weights.
class ModelGraph {
 public:
  ModelGraph(OnnxGraph& graph, const Config& config, OnnxFourier fourier)
      : config_(config), parts_(config_), texts_(graph, config_, fourier) {
    for (const WeightSpec& spec : model_tensors(config_)) {
      const std::int64_t cols = spec.product ? spec.shape.front() : spec.shape.back();
      map_.emplace(spec.name, OnnxTensor(texts_, spec.name, cols, spec.product));
    }
  }

  void add_outputs() {
    const OnnxTensor hidden = last_hidden_state();
    const std::vector<std::string> names = config_.head_names();
    for (const std::string& name : names) add_head(name, hidden);
    if (!names.empty()) return;
    add_rows(hidden, "last_hidden_state");
    if (config_.pooler) add_texts(pooled("pooler", hidden), "pooler_output");
    if (config_.pooling != "pooler") {
      add_texts(pooled(config_.pooling, hidden), "sentence_embedding");
    }
  }

 private:
  Context<OnnxTensor> context(const Weights<OnnxTensor>& weights, std::int64_t layer) const {
    return {.w = weights,
            .config = config_,
            .rows = rows_,
            .activation = parts_.activation,
            .layer = layer};
  }

  Weights<OnnxTensor> root() const { return Weights<OnnxTensor>(map_); }
  Weights<OnnxTensor> encoder() const { return root().under(encoder_place(config_)); }

  OnnxTensor last_hidden_state() {
    const auto ids = [&](const std::string& name) { return OnnxTensor(texts_, name, 1); };
    const Context<OnnxTensor> c = context(encoder(), -1);
    const Context<OnnxTensor> embeddings = c.under("embeddings");
    const OnnxTensor vectors =
        config_.reads_numbers()
            ? InputEmbeddings::apply(
                  OnnxTensor(texts_, texts_.values(),
                             static_cast<std::int64_t>(config_.input_shape().row_size())),
                  embeddings)
            : lookup(embeddings.w["word_embeddings.weight"], ids(texts_.ids()));
    return Encoder::apply(Embeddings::apply(vectors, ids(texts_.positions()), ids(texts_.types()),
                                            embeddings, parts_),
                          c, parts_);
  }

  OnnxTensor pooled(std::string_view pooling, const OnnxTensor& hidden) const {
    return fnet::apply(pooling_named(pooling), hidden,
                       context(encoder(), config_.num_hidden_layers));
  }

  void add_head(const std::string& name, const OnnxTensor& hidden) {
    const HeadConfig own = config_.head(name);
    require(
        own.wide_features == 0, Kind::input,
        "config: wide_features: expected 0 for ONNX, found {}: a wide part reads the words of a "
        "text, and a graph gets its tokens; train with --wide off",
        own.wide_features);
    const Head head = make_head(own);
    const Pooling pooling = pooling_named(own.pooling);
    const HeadContext<OnnxTensor> c{
        context(root().under(head_place(name)), config_.num_hidden_layers), encoder(), own,
        pooling};
    const OnnxTensor logits = fnet::apply(head, hidden, c);
    const std::string prefix = name.empty() ? "" : name + ".";
    std::visit([&](const auto& kind) { add_answers(kind, logits, own, prefix); }, head);
  }

  // What a head's scores are called, and what our answers make of them.
  template <class Other>
  void add_answers(const Other&, const OnnxTensor& logits, const HeadConfig&,
                   const std::string& prefix) {
    Other::pooled ? add_texts(logits, prefix + "logits") : add_rows(logits, prefix + "logits");
  }
  void add_answers(const TextEmbedding&, const OnnxTensor& vectors, const HeadConfig&,
                   const std::string& prefix) {
    add_texts(vectors, prefix + "sentence_embedding");
  }
  void add_answers(const SequenceClassification&, const OnnxTensor& logits, const HeadConfig& head,
                   const std::string& prefix) {
    const std::string_view problem = problem_type_of(head);
    add_texts(logits, prefix + "logits");
    add_texts(problem == "regression"                   ? logits
              : problem == "multi_label_classification" ? sigmoid(logits)
                                                        : softmax_last(logits),
              prefix + "scores");
  }
  void add_answers(const TokenClassification&, const OnnxTensor& logits, const HeadConfig&,
                   const std::string& prefix) {
    add_rows(logits, prefix + "logits");
    add_rows(softmax_last(logits), prefix + "scores");
  }
  void add_answers(const QuestionAnswering&, const OnnxTensor& logits, const HeadConfig&,
                   const std::string& prefix) {
    add_column(logits, 0, prefix + "start_logits");
    add_column(logits, 1, prefix + "end_logits");
  }

  // Outputs of shapes [batch, sequence, n], [batch, sequence] and [batch, n].
  void add_rows(const OnnxTensor& x, const std::string& name) {
    graph().add_output(texts_.unpadded(x.name()), name,
                       {"batch_size", "sequence_length", x.cols()});
  }
  void add_column(const OnnxTensor& x, std::int64_t column, const std::string& name) {
    const std::string one = squeezed(columns(x, column, 1), 2);
    graph().add_output(texts_.unpadded(one), name, {"batch_size", "sequence_length"});
  }
  void add_texts(const OnnxTensor& x, const std::string& name) {
    graph().add_output(squeezed(x, 1), name, {"batch_size", x.cols()});
  }
  std::string squeezed(const OnnxTensor& x, std::int64_t axis) {
    return graph().add("Squeeze", {x.name(), graph().integers({axis})});
  }

  OnnxGraph& graph() const { return texts_.graph(); }

  const Config& config_;
  const Parts parts_;
  OnnxTexts texts_;
  const Rows rows_;  // the graph has its own
  Weights<OnnxTensor>::Map map_;
};

/// [n, k] → [k, n].
std::vector<float> turned(const std::vector<float>& values, std::size_t n, std::size_t k) {
  std::vector<float> result(values.size());
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < k; ++j) result[j * n + i] = values[i * k + j];
  }
  return result;
}

void add_weight(OnnxGraph& graph, const WeightSpec& spec, const WeightSource& source) {
  std::vector<float> values =
      spec.stored ? source(spec.name, spec.shape) : initial_values(spec, 0, 0);
  require(values.size() == spec.size(), Kind::usage, "weight '{}': expected {} values, found {}",
          spec.name, spec.size(), values.size());
  if (!spec.product) return graph.add_values(spec.name, spec.shape, values);
  const std::int64_t n = spec.shape[0], k = spec.shape[1];
  values = turned(values, static_cast<std::size_t>(n), static_cast<std::size_t>(k));
  graph.add_values(spec.name, {k, n}, values);
}

}  // namespace

OnnxReport export_onnx(const Config& config, const WeightSource& weights,
                       const std::filesystem::path& file, OnnxFourier fourier) {
  OnnxGraph graph;
  ModelGraph(graph, config, fourier).add_outputs();
  graph.set_metadata("config.json", config.to_json());

  std::vector<WeightSpec> used = model_tensors(config);
  std::erase_if(used, [&](const WeightSpec& spec) { return !graph.reads(spec.name); });
  std::uint64_t bytes = graph.bytes();
  for (const WeightSpec& spec : used) bytes += spec.size() * sizeof(float) + spec.name.size() + 64;
  require(bytes <= kMostBytes, Kind::input,
          "{}: expected at most {:.1f} GB, which an ONNX file can hold, found a model of {:.1f} GB "
          "in float32",
          file.string(), 1e-9 * static_cast<double>(kMostBytes), 1e-9 * static_cast<double>(bytes));
  for (const WeightSpec& spec : used) add_weight(graph, spec, weights);
  graph.save(file);
  return {graph.outputs(), graph.bytes()};
}

}  // namespace fnet
