// Ends with 0 where the library says, in its own words, that there is no such model.
#include <fnet/engine.h>

#include <cstdio>

int main() {
  try {
    fnet::Engine::load("no such model");
  } catch (const fnet::Error& error) {
    std::puts(error.what());
    return fnet::exit_code(error.kind()) == 2 ? 0 : 1;
  }
  return 1;
}
