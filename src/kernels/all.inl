// All kernels, in the order in which they use each other; included inside a target region.
#include "kernels/vec.inl"
//
#include "kernels/transpose.inl"
//
#include "kernels/math.inl"
#include "kernels/norm.inl"
//
#include "kernels/units.inl"
//
#include "kernels/convert.inl"
#include "kernels/product.inl"
#include "kernels/rows.inl"
//
#include "kernels/fourier_dft.inl"
//
#include "kernels/fourier_line.inl"
//
#include "kernels/fourier.inl"
//
#include "kernels/attention.inl"
#include "kernels/filter.inl"
//
#include "kernels/peak.inl"

extern const Table kTable;
const Table kTable = {
    .name = kName,
    .lanes = kLanes,
    .product = {.panel = kPanel,
                .tile_rows = kTileRows,
                .row_strides = {kRowStride<Dtype::float32>, kRowStride<Dtype::bfloat16>,
                                kRowStride<Dtype::int8>},
                .pack = pack,
                .convert = convert,
                .pack_rows = pack_rows,
                .convert_columns = convert_columns,
                .multiply = multiply,
                .finish_f32 = finish_f32,
                .finish_bf16 = finish_bf16,
                .finish_slope = finish_slope,
                .finish_rows = finish_rows},
    .rows = {.add_norm = add_norm_rows,
             .norm_back = norm_back_rows,
             .embed = embed_rows,
             .activate = activate_span,
             .combine = combine_rows,
             .row_means = row_means,
             .add_columns = add_columns,
             .log_sum_exp = log_sum_exp,
             .scaled_exp = scaled_exp,
             .dropout = dropout_span},
    .fourier = {.columns = fourier_columns, .rows = fourier_rows, .first_row = fourier_first_row},
    .text = {.softmax = softmax_step, .finish_softmax = finish_softmax, .filter = filter_columns},
    .spin = spin,
};
