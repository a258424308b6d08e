#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/types.h"

namespace fnet::kernels {

/// A complex constant to twice the digits of float32. Rounded to float32 alone, the roots of unity
/// would be a fifth of a transform's error.
struct Factor {
  float re, im;
  float re_rest, im_rest;  ///< What rounding took from re and im.
};

/// One Stockham pass: butterflies of `radix` points.
struct DftPass {
  std::uint32_t radix;
  const Factor* twiddles;  ///< [length / radix][radix - 1]; null in the last pass.
  const float* matrix;     ///< Odd radix without a codelet: [radix/2][radix/2] of cos, sin.
};

/// A complex DFT of one length as a row of Stockham passes, for data that fits the L1 cache.
struct DftShort {
  static constexpr std::size_t kMaxPasses = 12;
  std::size_t length = 1;
  std::size_t count = 0;  ///< Passes; 0 when length is 1.
  DftPass passes[kMaxPasses] = {};
};

/// The plain data that the vector code reads: a complex DFT of any length n,
/// out[k] = Σ_j in[j]·exp(-2πi·jk/n).
///
/// Elements are complex numbers in each lane of two vectors. The transform done is of length
/// m = outer.length · inner.length: `outer` over strided elements, `twiddles`, `inner` over
/// contiguous ones, so that each element travels twice through the L2 cache however long the
/// transform is. m is n itself where n has only small prime factors; else m ≥ 2n-1, and the DFT is
/// a convolution with a chirp. Source: Bailey 1990 (four steps); Bluestein 1970 (chirp).
struct DftTables {
  std::size_t length = 1;       ///< n
  std::size_t work_length = 1;  ///< m
  DftShort outer, inner;        ///< outer.length is 1 where one short transform is enough.
  /// Elements between two rows of the matrix [outer][inner]; odd, so that rows fall into different
  /// sets of the cache.
  std::size_t pitch = 1;
  std::size_t scratch = 0;  ///< Elements of scratch that one transform takes; see fourier_dft.inl.
  const Factor* twiddles = nullptr;  ///< [inner.length][outer.length]
  const Factor* chirp = nullptr;     ///< [n]: exp(-πi·j²/n); null where m = n.
  const Factor* kernel = nullptr;    ///< [m]: the DFT of the conjugate chirp, over m.
};

/// Columns of one row as a matrix; see fourier_line.inl. As many as the widest vector has lanes.
inline constexpr std::size_t kLine = 16;

/// A DFT of length n = kLine·m of one row by itself.
struct LineTables {
  DftTables down, across;  ///< Of length m and kLine.
  /// [m] times the parts of kLine Factors, one after the other; null where kLine does not divide n.
  const float* twiddles = nullptr;
  /// Elements of work that one transform takes with vectors of so many lanes.
  constexpr std::size_t elements(std::size_t lanes) const {
    return kLine / lanes * down.length + kLine +
           (down.scratch > across.scratch ? down.scratch : across.scratch);
  }
};

/// What is made of a text's spectrum F over both axes.
enum class SpectrumPart : std::uint8_t {
  real,     ///< Re F: the Fourier mixing
  hartley,  ///< Re F − Im F: the Hartley transform
};

/// What the mixing of one text of L rows and H columns reads.
struct FourierTables {
  std::size_t length = 1;   ///< L
  std::size_t hidden = 1;   ///< H
  DftTables columns, rows;  ///< Of length L and H.
  LineTables row;           ///< Of length H, for a row that is left over.
  float scale = 1.0F;       ///< Of the result.
  SpectrumPart part = SpectrumPart::real;
};

/// Rows left over by full tasks are transformed one by one up to so many: a task of them would cost
/// as much as a full one.
inline constexpr std::size_t kMostLines = 2;

/// The two steps of mixing one text on one thread, and the short way to its first row; fourier.inl
/// says how they work. fourier.cpp sizes `spectrum` and `work`, which are aligned to vectors.
struct FourierKernels {
  /// Columns 2·lanes·task … of x [L, H], into the spectrum: half of its columns, or all of them for
  /// the Hartley transform.
  void (*columns)(const FourierTables& f, const float* x, std::size_t task, float* spectrum,
                  float* work) noexcept;
  /// Rows n and L-n of y [L, H] for the 2·lanes n of the task, lanes n for the Hartley transform:
  /// norm(residual + mix); a null residual adds nothing.
  void (*rows)(const FourierTables& f, const float* spectrum, std::size_t task,
               const float* residual, float* y, const NormArgs& norm, float* work) noexcept;
  /// Row 0 of mix(x), y [H].
  void (*first_row)(const FourierTables& f, const float* x, float* y, float* work) noexcept;
};

}  // namespace fnet::kernels
