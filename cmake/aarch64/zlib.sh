#!/bin/sh
# zlib.sh FOLDER: zlib for aarch64. No package has it for a cross compiler on both Debian and Ubuntu;
# binutils' sources (binutils-source) have zlib's.
set -eu
mkdir -p "$1/zlib" "$1/include" "$1/lib"
tar -xf /usr/src/binutils/binutils-*.tar.* -C "$1/zlib" --strip-components=2 --wildcards '*/zlib/*.[ch]'
cp "$1/zlib/zlib.h" "$1/zlib/zconf.h" "$1/include"
cd "$1/zlib"
rm example.c minigzip.c
aarch64-linux-gnu-gcc -O2 -fPIC -D_LARGEFILE64_SOURCE -DHAVE_UNISTD_H -DHAVE_STDARG_H -c ./*.c
aarch64-linux-gnu-ar rcs ../lib/libz.a ./*.o
