# Third-party libraries. docs/decisions/ says why each is here.
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(spdlog REQUIRED)

# fmt's and spdlog's headers without their libraries: cmake/compiled/fmt.cpp is a part of ours.
add_library(fnet_fmt INTERFACE)
target_include_directories(fnet_fmt SYSTEM INTERFACE
  $<TARGET_PROPERTY:fmt::fmt-header-only,INTERFACE_INCLUDE_DIRECTORIES>)
# FNET_FMT: its version as a number.
function(fnet_fmt_version result)
  foreach(folder IN LISTS ARGN)
    foreach(header core base)
      if(EXISTS ${folder}/fmt/${header}.h)
        file(STRINGS ${folder}/fmt/${header}.h line REGEX "define FMT_VERSION")
        string(REGEX MATCH "[0-9]+" version "${line}")
      endif()
    endforeach()
  endforeach()
  set(${result} ${version} PARENT_SCOPE)
endfunction()
get_target_property(folders fmt::fmt-header-only INTERFACE_INCLUDE_DIRECTORIES)
fnet_fmt_version(FNET_FMT ${folders})

add_library(fnet_spdlog INTERFACE)
target_include_directories(fnet_spdlog SYSTEM INTERFACE
  $<TARGET_PROPERTY:spdlog::spdlog_header_only,INTERFACE_INCLUDE_DIRECTORIES>)
target_compile_definitions(fnet_spdlog INTERFACE SPDLOG_FMT_EXTERNAL)
target_link_libraries(fnet_spdlog INTERFACE fnet_fmt)

if(FNET_SANITIZE)
  add_compile_options(-fsanitize=${FNET_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${FNET_SANITIZE})
endif()

include(cmake/sentencepiece.cmake)

# ONNX's messages, which protobuf makes: by file, as Debian's ONNXConfig.cmake wants ONNX's tools too.
if(FNET_ONNX)
  find_path(FNET_ONNX_INCLUDE onnx/onnx_pb.h)
  find_library(FNET_ONNX_LIBRARY onnx_proto)
  find_package(Protobuf QUIET)
  if(FNET_ONNX_INCLUDE AND FNET_ONNX_LIBRARY AND TARGET protobuf::libprotobuf)
    add_library(fnet_onnx INTERFACE)
    target_include_directories(fnet_onnx SYSTEM INTERFACE ${FNET_ONNX_INCLUDE})
    target_compile_definitions(fnet_onnx INTERFACE ONNX_NAMESPACE=onnx ONNX_ML=1)
    target_link_libraries(fnet_onnx INTERFACE ${FNET_ONNX_LIBRARY} protobuf::libprotobuf)
  else()
    message(STATUS "fnet-export: not built, libonnx-dev or libprotobuf-dev is not installed")
    set(FNET_ONNX OFF)
  endif()
endif()

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

  # Training by several processes is over Gloo, where torch was built with it (cmake/gloo).
  if(NOT DEFINED FNET_TORCH_GLOO)
    execute_process(COMMAND ${CMAKE_NM} -D --defined-only ${FNET_TORCH_LIB}/libtorch_cpu.so
                    COMMAND grep -c "T _ZN4c10d16ProcessGroupGlooC1E"
                    OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    set(header ${FNET_TORCH_LIB}/../include/torch/csrc/distributed/c10d/ProcessGroupGloo.hpp)
    if(found AND EXISTS ${header})
      set(gloo ON)
    else()
      set(gloo OFF)
    endif()
    set(FNET_TORCH_GLOO ${gloo} CACHE BOOL "torch has Gloo" FORCE)
  endif()

  # FNET_TORCH_FMT: of the fmt that torch's headers bring; the machine's where they bring none.
  fnet_fmt_version(FNET_TORCH_FMT ${TORCH_INCLUDE_DIRS})
  if(NOT FNET_TORCH_FMT)
    set(FNET_TORCH_FMT ${FNET_FMT})
  endif()
endif()
