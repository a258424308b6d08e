// torch's ProcessGroupGloo.hpp includes gloo's headers, which torch's packages do not bring. It has
// pointers to gloo's types alone, and no object of them is made or called by ours: it is enough
// that they are declared. src/train/ranks.cpp finds this folder where torch has Gloo.
#pragma once

#define FNET_GLOO
#ifndef USE_C10D_GLOO
#define USE_C10D_GLOO  // as torch was built, which its targets say too
#endif
