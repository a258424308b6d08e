#pragma once

#include <cstddef>
#include <vector>

#include "kernels/fourier_kernels.h"

namespace fnet::kernels {

/// Owns the tables of a DFT of length n: about 16 bytes a point (48 to 80 with a chirp).
/// Twiddles come from exact integers (j·k mod n) in double, then rounded to Factors.
class Dft {
 public:
  /// Any n ≥ 1.
  explicit Dft(std::size_t n);
  Dft(const Dft&) = delete;
  Dft& operator=(const Dft&) = delete;

  const DftTables& tables() const noexcept { return tables_; }
  std::size_t bytes() const noexcept;

 private:
  void build_smooth(std::size_t m);
  void build_chirp(std::size_t n);
  DftShort short_dft(std::size_t n);
  const Factor* keep(std::vector<Factor> factors);
  const float* keep(std::vector<float> matrix);

  DftTables tables_;
  std::vector<std::vector<Factor>> factors_;
  std::vector<std::vector<float>> matrices_;
};

/// Owns the tables of a DFT of length n of one row by itself.
class LineDft {
 public:
  /// Any n ≥ 1; the tables are empty where kLine does not divide n.
  explicit LineDft(std::size_t n);

  LineTables tables() const noexcept;

 private:
  Dft down_, across_;
  std::vector<float> twiddles_;
};

}  // namespace fnet::kernels
