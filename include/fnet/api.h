#pragma once

/// Marks what a program may call: everything else in the library is hidden from it.
#define FNET_API __attribute__((visibility("default")))
