#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "kernels/fourier_kernels.h"
#include "kernels/product_kernels.h"
#include "kernels/row_kernels.h"
#include "kernels/text_kernels.h"

namespace fnet::kernels {

/// What one instruction set offers: plain function pointers to code compiled for it.
///
/// How it is made: every `src/kernels/*.inl` is written once over the vectors of `vec_<isa>.h`;
/// `isa/<isa>.cpp` includes them all inside a compiler target region and a namespace of its own,
/// and so defines one Table. To add an instruction set: one such file, and one line in select.cpp.
/// To add an operation: one `.inl`, one line in all.inl, one field here.
/// The functions of a table are `noexcept` and take no memory: callers check and bring scratch.
struct Table {
  std::string_view name;  ///< As in FNET_ISA: "avx512_bf16".
  std::size_t lanes;      ///< Floats in one vector.
  ProductKernels product;
  RowKernels rows;
  FourierKernels fourier;
  TextKernels text;
  /// Does this many steps of bare multiply-adds in registers; returns the number of operations.
  std::size_t (*spin)(Dtype, std::size_t steps) noexcept;
};

/// The table in use: the best one this CPU can run, or the one FNET_ISA names. Chosen once.
/// Throws: usage when FNET_ISA names a set that is unknown or that this CPU cannot run.
const Table& table();

/// Why table() is what it is, for people: "best of the CPU's" or "FNET_ISA=avx2".
std::string table_reason();

/// Every table this CPU can run, best first: tests run on each of them.
std::span<const Table* const> tables();

}  // namespace fnet::kernels
