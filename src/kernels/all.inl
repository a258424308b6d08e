// All kernels, in the order in which they use each other; included inside a target region.
#include "kernels/vec.inl"

extern const Table kTable;
const Table kTable = {
    .name = kName,
    .lanes = kLanes,
};
