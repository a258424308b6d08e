// Our products against oneDNN's and OpenBLAS's inside the feed-forward of fnet-base (768 → 3072 →
// 768, GELU, residual, norm; 12 layers of weights in turn). Contenders alternate in one process.
//   products <threads> [seconds a row]
// Prints 1e9 operations a second, best and median, by the clock and, with one thread, by its CPU
// time, which other programs on the machine disturb less.
#include <omp.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/random.h"
#include "kernels/peak.h"
#include "kernels/product.h"
#include "kernels/rows.h"

extern "C" {
void cblas_sgemm(int, int, int, int, int, int, float, const float*, int, const float*, int, float,
                 float*, int);
void openblas_set_num_threads(int);
}

namespace {

using namespace fnet::kernels;
using Memory = dnnl::memory;
using Tag = Memory::format_tag;
using Type = Memory::data_type;

constexpr std::size_t kHidden = 768, kInner = 3072, kLayers = 12;

struct Setting {
  std::size_t rows;
  Dtype dtype;
  fnet::ThreadPool& pool;
  std::vector<float> up, down, bias, x, y, inner;
  NormArgs norm() const { return {NormKind::layer_norm, bias.data(), bias.data(), 1e-12F}; }
};

std::vector<float> numbers(std::size_t n, float scale) {
  fnet::Philox random(7, n);
  std::vector<float> values(n);
  for (float& v : values) v = scale * (random.uniform() - 0.5F);
  return values;
}

struct Contender {
  std::string name;
  std::function<void(std::size_t layer)> run;
  std::vector<double> wall, cpu;
};

Contender ours(Setting& s) {
  struct State {
    std::vector<PackedMatrix> matrices;
    Workspace workspace;
  };
  auto state = std::make_shared<State>();
  for (std::size_t i = 0; i < kLayers; ++i) {
    state->matrices.push_back(pack(s.up.data(), kInner, kHidden, s.dtype));
    state->matrices.push_back(pack(s.down.data(), kHidden, kInner, s.dtype));
  }
  return {"ours",
          [&s, state](std::size_t i) {
            FeedForward layer;
            layer.up = &state->matrices[2 * i];
            layer.down = &state->matrices[2 * i + 1];
            layer.up_bias = layer.down_bias = s.bias.data();
            layer.activation = Activation::gelu_tanh;
            layer.norm = s.norm();
            feed_forward(layer, s.x.data(), s.y.data(), s.rows, s.pool, state->workspace);
          },
          {},
          {}};
}

Contender openblas(Setting& s) {
  auto up = std::make_shared<std::vector<std::vector<float>>>(kLayers, s.up);
  auto down = std::make_shared<std::vector<std::vector<float>>>(kLayers, s.down);
  openblas_set_num_threads(s.pool.size());
  return {"OpenBLAS",
          [&s, up, down](std::size_t i) {
            const int m = static_cast<int>(s.rows), h = kHidden, f = kInner;
            cblas_sgemm(101, 111, 112, m, f, h, 1, s.x.data(), h, (*up)[i].data(), h, 0,
                        s.inner.data(), f);
            s.pool.run(s.rows, [&](std::size_t r, int) {
              float* row = s.inner.data() + r * kInner;
              for (std::size_t j = 0; j < kInner; ++j) row[j] += s.bias[j];
              table().rows.activate(Activation::gelu_tanh, row, kInner, row);
            });
            cblas_sgemm(101, 111, 112, m, h, f, 1, s.inner.data(), f, (*down)[i].data(), f, 0,
                        s.y.data(), h);
            s.pool.run(s.rows, [&](std::size_t r, int) {
              float* row = s.y.data() + r * kHidden;
              for (std::size_t j = 0; j < kHidden; ++j) row[j] += s.bias[j];
              table().rows.add_norm(row, s.x.data() + r * kHidden, 1, kHidden, s.norm(), row);
            });
          },
          {},
          {}};
}

// float32 and bfloat16 with bias, GELU and sum as post-operations. int8: the two integer products
// alone (2.6 has no scale for each row), so less work than ours.
struct Dnnl {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  dnnl::matmul first, second;
  std::vector<std::unordered_map<int, Memory>> first_args, second_args;
  Memory x, x_f32, inner, y;

  explicit Dnnl(Setting& s) {
    const auto m = static_cast<long>(s.rows), h = static_cast<long>(kHidden),
               f = static_cast<long>(kInner);
    const Type in = s.dtype == Dtype::float32    ? Type::f32
                    : s.dtype == Dtype::bfloat16 ? Type::bf16
                                                 : Type::u8;
    const Type weight = s.dtype == Dtype::int8 ? Type::s8 : in;
    const Type inner_type = s.dtype == Dtype::int8 ? Type::s32 : in;
    const Type out = s.dtype == Dtype::int8 ? Type::s32 : Type::f32;
    dnnl::primitive_attr gelu, sum;
    if (s.dtype != Dtype::int8) {
      dnnl::post_ops ops, add;
      ops.append_eltwise(1.0F, dnnl::algorithm::eltwise_gelu_tanh, 0, 0);
      gelu.set_post_ops(ops);
      add.append_sum(1.0F);
      sum.set_post_ops(add);
    }
    const auto make = [&](long k, long n, Type source, Type target,
                          const dnnl::primitive_attr& attr) {
      const Memory::desc a({m, k}, source, Tag::ab), w({k, n}, weight, Tag::any),
          c({m, n}, target, Tag::ab);
      if (s.dtype == Dtype::int8)
        return dnnl::matmul::primitive_desc(dnnl::matmul::desc(a, w, c), engine);
      const Memory::desc b({1, n}, Type::f32, Tag::ab);
      return dnnl::matmul::primitive_desc(dnnl::matmul::desc(a, w, b, c), attr, engine);
    };
    const auto one = make(h, f, in, inner_type, gelu);
    const auto two = make(f, h, in, out, sum);
    first = dnnl::matmul(one), second = dnnl::matmul(two);
    x = Memory(one.src_desc(), engine), inner = Memory(one.dst_desc(), engine);
    x_f32 = Memory({{m, h}, Type::f32, Tag::ab}, engine, s.x.data());
    Memory second_in = s.dtype == Dtype::int8 ? Memory(two.src_desc(), engine) : inner;
    y = s.dtype == Dtype::int8 ? Memory(two.dst_desc(), engine)
                               : Memory(two.dst_desc(), engine, s.y.data());
    const Memory bias_f({{1, f}, Type::f32, Tag::ab}, engine, s.bias.data());
    const Memory bias_h({{1, h}, Type::f32, Tag::ab}, engine, s.bias.data());
    const auto packed = [&](std::vector<float>& w, long k, long n, const Memory::desc& desc) {
      Memory plain({{k, n}, Type::f32, Tag::ba}, engine, w.data()), target(desc, engine);
      dnnl::reorder(plain, target).execute(stream, plain, target);
      return target;
    };
    for (std::size_t i = 0; i < kLayers; ++i) {
      first_args.push_back({{DNNL_ARG_SRC, s.dtype == Dtype::float32 ? x_f32 : x},
                            {DNNL_ARG_WEIGHTS, packed(s.up, h, f, one.weights_desc())},
                            {DNNL_ARG_BIAS, bias_f},
                            {DNNL_ARG_DST, inner}});
      second_args.push_back({{DNNL_ARG_SRC, second_in},
                             {DNNL_ARG_WEIGHTS, packed(s.down, f, h, two.weights_desc())},
                             {DNNL_ARG_BIAS, bias_h},
                             {DNNL_ARG_DST, y}});
    }
    for (std::size_t i = 0; s.dtype == Dtype::int8 && i < kLayers; ++i) {
      first_args[i].erase(DNNL_ARG_BIAS), second_args[i].erase(DNNL_ARG_BIAS);
    }
    stream.wait();
  }

  void run(Setting& s, std::size_t i) {
    if (s.dtype == Dtype::bfloat16) dnnl::reorder(x_f32, x).execute(stream, x_f32, x);
    first.execute(stream, first_args[i]);
    if (s.dtype != Dtype::int8) std::copy(s.x.begin(), s.x.end(), s.y.begin());
    second.execute(stream, second_args[i]);
    stream.wait();
    if (s.dtype != Dtype::int8) {
      add_norm(s.y.data(), nullptr, s.rows, kHidden, s.norm(), s.y.data(), s.pool);
    }
  }
};

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

void compare(std::size_t rows, Dtype dtype, fnet::ThreadPool& pool, double seconds) {
  using Clock = std::chrono::steady_clock;
  Setting s{rows,
            dtype,
            pool,
            numbers(kInner * kHidden, 0.05F),
            numbers(kInner * kHidden, 0.06F),
            numbers(kInner, 0.1F),
            numbers(rows * kHidden, 2.0F),
            {},
            {}};
  s.y.resize(rows * kHidden), s.inner.resize(rows * kInner);
  auto library = std::make_shared<Dnnl>(s);
  std::vector<Contender> contenders{ours(s)};
  contenders.push_back({dtype == Dtype::int8 ? "oneDNN, products alone" : "oneDNN",
                        [&s, library](std::size_t i) { library->run(s, i); },
                        {},
                        {}});
  if (dtype == Dtype::float32) contenders.push_back(openblas(s));
  const auto start = Clock::now();
  for (std::size_t i = 0; std::chrono::duration<double>(Clock::now() - start).count() < seconds;
       ++i) {
    for (Contender& c : contenders) {
      const double cpu = cpu_seconds();
      const auto begin = Clock::now();
      c.run(i % kLayers);
      c.wall.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
      c.cpu.push_back(cpu_seconds() - cpu);
    }
  }
  const double operations = 4e-9 * static_cast<double>(rows * kHidden * kInner);
  const double peak = measure_peak(dtype, pool.size());
  for (Contender& c : contenders) {
    std::sort(c.wall.begin(), c.wall.end());
    std::sort(c.cpu.begin(), c.cpu.end());
    std::printf("dtype %d rows %4zu %-22s clock: best %5.0f median %5.0f", static_cast<int>(dtype),
                rows, c.name.c_str(), operations / c.wall.front(),
                operations / c.wall[c.wall.size() / 2]);
    if (pool.size() == 1) {
      std::printf("  CPU time: best %5.0f median %5.0f", operations / c.cpu.front(),
                  operations / c.cpu[c.cpu.size() / 2]);
    }
    std::printf("  peak %5.0f\n", peak);
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  fnet::ThreadPool pool(argc > 1 ? std::atoi(argv[1]) : 1);
  omp_set_num_threads(pool.size());
  const double seconds = argc > 2 ? std::atof(argv[2]) : 5.0;
  for (const Dtype dtype : {Dtype::float32, Dtype::bfloat16, Dtype::int8}) {
    for (const std::size_t rows : {128UL, 4096UL}) compare(rows, dtype, pool, seconds);
  }
}
