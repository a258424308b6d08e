# Cross-compiles for aarch64 with Debian's and Ubuntu's g++-aarch64-linux-gnu; the tests run under
# QEMU, which has every instruction that we use. `./dev build aarch64` does the set-up.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
# Header-only libraries are this machine's own; of its C library's headers none may come first.
set(CMAKE_C_FLAGS_INIT "-idirafter /usr/include")
set(CMAKE_CXX_FLAGS_INIT "-idirafter /usr/include")
# Pointer authentication by QEMU's own hash: by the real one each return takes microseconds.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -cpu max,pauth-impdef=on -L /usr/aarch64-linux-gnu)

# Here are the packages whose configuration names this machine's libraries; zlib was built by zlib.sh.
list(APPEND CMAKE_PREFIX_PATH ${CMAKE_CURRENT_LIST_DIR})
set(ZLIB_ROOT ${CMAKE_CURRENT_LIST_DIR}/../../.deps/aarch64)
