# Third-party libraries. docs/decisions/ says why each is here.
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(spdlog REQUIRED)

if(FNET_SANITIZE)
  add_compile_options(-fsanitize=${FNET_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${FNET_SANITIZE})
endif()

# SentencePiece 0.2.1: Debian ships 0.1.97, which has an open advisory. The source distribution on
# PyPI carries the C++ library with its own absl and protobuf-lite; `./dev setup` unpacks it there.
set(FNET_SENTENCEPIECE_SOURCE ${PROJECT_SOURCE_DIR}/.deps/sentencepiece-0.2.1/sentencepiece
    CACHE PATH "C++ sources of SentencePiece 0.2.1")
if(NOT EXISTS ${FNET_SENTENCEPIECE_SOURCE}/CMakeLists.txt)
  message(FATAL_ERROR "FNET_SENTENCEPIECE_SOURCE: expected the sources of SentencePiece 0.2.1 in "
                      "${FNET_SENTENCEPIECE_SOURCE}; run ./dev setup")
endif()
block()
  set(SPM_ENABLE_SHARED OFF CACHE BOOL "" FORCE)
  set(SPM_ENABLE_TCMALLOC OFF CACHE BOOL "" FORCE)
  set(CMAKE_WARN_DEPRECATED OFF CACHE BOOL "" FORCE)
  set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)
  add_subdirectory(${FNET_SENTENCEPIECE_SOURCE} ${CMAKE_BINARY_DIR}/sentencepiece EXCLUDE_FROM_ALL)
endblock()
target_compile_options(sentencepiece-static PRIVATE -w)
target_compile_options(sentencepiece_train-static PRIVATE -w)
# Its headers; the library fnet takes in its objects.
add_library(fnet_sentencepiece INTERFACE)
target_include_directories(fnet_sentencepiece SYSTEM INTERFACE ${FNET_SENTENCEPIECE_SOURCE}/src)

if(FNET_TRAIN)
  if(NOT Torch_DIR)
    find_program(FNET_PYTHON NAMES python3 python HINTS ${PROJECT_SOURCE_DIR}/.venv/bin NO_DEFAULT_PATH)
    find_program(FNET_PYTHON NAMES python3 python)
    execute_process(COMMAND ${FNET_PYTHON} -c "import torch; print(torch.utils.cmake_prefix_path)"
                    OUTPUT_VARIABLE FNET_TORCH_PREFIX OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    list(APPEND CMAKE_PREFIX_PATH ${FNET_TORCH_PREFIX})
  endif()
  find_package(Torch REQUIRED)
  if(Torch_VERSION VERSION_LESS 2.11)
    message(FATAL_ERROR "libtorch: expected 2.11 to 2.13, found ${Torch_VERSION}")
  endif()
  # The OpenMP that torch brings, under whatever name: another would be a second set of threads.
  get_filename_component(FNET_TORCH_LIB ${TORCH_LIBRARY} DIRECTORY)
  file(GLOB FNET_TORCH_OPENMP ${FNET_TORCH_LIB}/libgomp*.so*)
  if(NOT FNET_TORCH_OPENMP)
    set(FNET_TORCH_OPENMP gomp)
  endif()
  list(APPEND TORCH_LIBRARIES ${FNET_TORCH_OPENMP})
endif()
