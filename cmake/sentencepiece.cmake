# SentencePiece 0.2.1, compiled as a part of the library fnet: by targets of our own, so that a project
# which adds fnet as a subdirectory may add SentencePiece too. Debian ships 0.1.97, which has an open
# advisory. The source distribution on PyPI carries the C++ library with its own absl and protobuf-lite;
# `./dev setup` unpacks it there.
set(FNET_SENTENCEPIECE_SOURCE ${PROJECT_SOURCE_DIR}/.deps/sentencepiece-0.2.1/sentencepiece
    CACHE PATH "C++ sources of SentencePiece 0.2.1")
if(NOT EXISTS ${FNET_SENTENCEPIECE_SOURCE}/src/sentencepiece_processor.h)
  message(FATAL_ERROR "FNET_SENTENCEPIECE_SOURCE: expected the sources of SentencePiece 0.2.1 in "
                      "${FNET_SENTENCEPIECE_SOURCE}; run ./dev setup")
endif()

# Its headers, for the module that calls it.
add_library(fnet_sentencepiece INTERFACE)
target_include_directories(fnet_sentencepiece SYSTEM INTERFACE ${FNET_SENTENCEPIECE_SOURCE}/src)

set(folder ${CMAKE_BINARY_DIR}/sentencepiece)
file(CONFIGURE OUTPUT ${folder}/config.h CONTENT [[
#define VERSION "0.2.1"
#define PACKAGE "sentencepiece"
#define PACKAGE_STRING "sentencepiece"
#define INSTALL_DATADIR ""
]])
file(GLOB sources RELATIVE ${FNET_SENTENCEPIECE_SOURCE} ${FNET_SENTENCEPIECE_SOURCE}/src/*.cc
     ${FNET_SENTENCEPIECE_SOURCE}/src/builtin_pb/*.cc ${FNET_SENTENCEPIECE_SOURCE}/third_party/absl/flags/flag.cc
     ${FNET_SENTENCEPIECE_SOURCE}/third_party/protobuf-lite/*.cc)
list(FILTER sources EXCLUDE REGEX "(_test|_main|/testharness)\\.cc$")
# It joins a run of unknown letters by copying what it has for each one: 20 seconds for a megabyte.
set(processor ${FNET_SENTENCEPIECE_SOURCE}/src/sentencepiece_processor.cc)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${processor})
file(READ ${processor} text)
foreach(field piece surface)
  string(REGEX REPLACE "sp->set_${field}\\(sp->${field}\\(\\) \\+ std::string\\(([a-z]+)\\)\\)"
         "sp->mutable_${field}()->append(\\1.data(), \\1.size())" joined "${text}")
  if(joined STREQUAL text)
    message(FATAL_ERROR "${processor}: expected the line that joins each ${field} of unknown letters, found none")
  endif()
  set(text "${joined}")
endforeach()
file(CONFIGURE OUTPUT ${folder}/joining_processor.cc CONTENT "${text}" @ONLY)
list(TRANSFORM sources REPLACE "^src/sentencepiece_processor.cc$" joining_processor.cc)
# Nobody edits these files: four units compile in a third of the time of fifty. Not CMake's own UNITY_BUILD:
# with paths from its root, ccache knows a unit again in another build folder. protobuf's sources expect
# that the file before them took back its macros.
add_library(fnet_sentencepiece_objects OBJECT)
set(unit 0)
while(sources)
  list(SUBLIST sources 0 14 some)
  list(REMOVE_ITEM sources ${some})
  list(TRANSFORM some REPLACE "(.+)"
       "#include \"\\1\"\n#ifdef PROTOBUF_NAMESPACE\n#include <google/protobuf/port_undef.inc>\n#endif\n")
  list(JOIN some "" content)
  math(EXPR unit "${unit} + 1")
  file(CONFIGURE OUTPUT ${folder}/unit_${unit}.cpp CONTENT "${content}" @ONLY)
  target_sources(fnet_sentencepiece_objects PRIVATE ${folder}/unit_${unit}.cpp)
endwhile()
set_target_properties(fnet_sentencepiece_objects PROPERTIES CXX_STANDARD 17)
target_compile_definitions(fnet_sentencepiece_objects PRIVATE HAVE_PTHREAD=1 _USE_INTERNAL_STRING_VIEW)
target_compile_options(fnet_sentencepiece_objects PRIVATE -w)
target_include_directories(fnet_sentencepiece_objects PRIVATE
  ${FNET_SENTENCEPIECE_SOURCE} ${FNET_SENTENCEPIECE_SOURCE}/src ${FNET_SENTENCEPIECE_SOURCE}/src/builtin_pb
  ${FNET_SENTENCEPIECE_SOURCE}/third_party ${FNET_SENTENCEPIECE_SOURCE}/third_party/protobuf-lite ${folder})
