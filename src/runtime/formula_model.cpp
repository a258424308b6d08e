#include "blocks/model.h"
#include "runtime/model.h"

namespace fnet {
namespace {

class FormulaModel final : public Model {
 public:
  FormulaModel(const Config& config, const WeightSource& source) : config_(config) {
    Specs specs;
    Encoder::weights(specs.under(encoder_place(config)), config);
    map_ = read_tensors(specs.list(), source);
  }

  Tensor hidden(PassMemory& memory, bool first_rows_only, ThreadPool& pool) const override {
    const UseThreads threads(pool);
    const Batch& batch = memory.batch;
    const Weights<Tensor> w = Weights<Tensor>(map_).under(encoder_place(config_));
    const Weights<Tensor> embeddings = w.under("embeddings");
    const Tensor words = lookup(embeddings["word_embeddings.weight"], batch.ids);
    const Tensor x =
        Embeddings::apply(words, batch.positions, batch.types, embeddings, config_, NoDrop());
    const Tensor y = Encoder::apply(x, batch.rows, w, config_, NoDrop());
    return first_rows_only ? first_rows(y, batch.rows) : y;
  }

  std::size_t weight_bytes() const override {
    std::size_t bytes = 0;
    for (const auto& [name, tensor] : map_) bytes += tensor.values().size_bytes();
    return bytes;
  }

 private:
  Config config_;
  Weights<Tensor>::Map map_;
};

}  // namespace

Weights<Tensor>::Map read_tensors(std::span<const WeightSpec> specs, const WeightSource& source) {
  Weights<Tensor>::Map map;
  for (const WeightSpec& spec : specs) {
    const std::int64_t cols = spec.shape.back();
    const std::int64_t rows = spec.shape.size() == 2 ? spec.shape.front() : 1;
    std::vector<float> values = source(spec.name, spec.shape);
    require(values.size() == static_cast<std::size_t>(rows * cols), Kind::usage,
            "weight '{}': expected {} values, found {}", spec.name, rows * cols, values.size());
    map.emplace(spec.name, Tensor(rows, cols, std::move(values)));
  }
  return map;
}

std::unique_ptr<Model> make_formula_model(const Config& config, const WeightSource& source) {
  return std::make_unique<FormulaModel>(config, source);
}

}  // namespace fnet
