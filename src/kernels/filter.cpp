#include "kernels/filter.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "kernels/fourier.h"

namespace fnet::kernels {

void filter(const Rows& rows, const Filter& filter, const float* x, float* y, ThreadPool& pool,
            Workspace& workspace, const Table& isa) {
  const std::size_t element = 2 * isa.lanes;
  const std::size_t blocks = (filter.hidden + element - 1) / element;
  FourierPlans& plans = fourier_plans(filter.hidden, false);
  std::vector<std::shared_ptr<const FourierPlan>> of_text;
  std::size_t work = 0;
  for (std::int64_t text = 0; text < rows.texts(); ++text) {
    of_text.push_back(plans.get(static_cast<std::size_t>(rows.rows(text))));
    const DftTables& dft = of_text.back()->tables().columns;
    work = std::max(work, (dft.length + dft.scratch) * element);
  }
  auto* memory = reinterpret_cast<float*>(
      workspace.take(static_cast<std::size_t>(pool.size()) * work * sizeof(float)));
  const auto task = [&](std::size_t index, int thread) {
    const std::size_t text = index / blocks;
    const std::size_t at =
        static_cast<std::size_t>(rows.begin(static_cast<std::int64_t>(text))) * filter.hidden;
    isa.text.filter(of_text[text]->tables().columns, filter, x + at, index % blocks, y + at,
                    memory + static_cast<std::size_t>(thread) * work);
  };
  pool.run(of_text.size() * blocks, std::ref(task));
}

}  // namespace fnet::kernels
