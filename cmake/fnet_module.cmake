# fnet_module(name LEVEL n [DEPENDS modules…] [LIBRARIES targets…] [TORCH])
#   src/<name>/ becomes the objects fnet_<name>_objects; tests/unit/<name>/ its unit tests (see tests/).
#   Fails at configure time where an arrow points up or sideways: in DEPENDS, or in an #include of
#   a folder that DEPENDS does not name.
function(fnet_module name)
  cmake_parse_arguments(M "TORCH" "LEVEL" "DEPENDS;LIBRARIES" ${ARGN})
  set(target fnet_${name}_objects)
  foreach(dependence IN LISTS M_DEPENDS)
    get_property(level GLOBAL PROPERTY fnet_level_${dependence})
    if(NOT level LESS M_LEVEL)
      message(FATAL_ERROR "module '${name}' (level ${M_LEVEL}) may not depend on '${dependence}' "
                          "(level ${level}): arrows point down")
    endif()
  endforeach()
  set_property(GLOBAL PROPERTY fnet_level_${name} ${M_LEVEL})
  set_property(GLOBAL APPEND PROPERTY fnet_modules ${name})

  file(GLOB_RECURSE files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.h
       ${PROJECT_SOURCE_DIR}/src/${name}/*.cpp ${PROJECT_SOURCE_DIR}/src/${name}/*.inl)
  foreach(file IN LISTS files)
    file(STRINGS ${file} includes REGEX "^#include \"[a-z_]+/")
    foreach(line IN LISTS includes)
      string(REGEX REPLACE "^#include \"([a-z_]+)/.*" "\\1" folder "${line}")
      if(NOT folder STREQUAL "fnet" AND NOT folder STREQUAL name AND NOT folder IN_LIST M_DEPENDS)
        message(FATAL_ERROR "${file}: ${line}: module '${name}' may only include from "
                            "'${name};${M_DEPENDS}' (arrows point down; see CMakeLists.txt)")
      endif()
    endforeach()
    if(NOT M_TORCH)
      file(STRINGS ${file} includes REGEX "^#include [<\"](torch|ATen|c10)/")
      if(includes)
        message(FATAL_ERROR "${file}: ${includes}: torch headers belong in train/ only")
      endif()
    endif()
  endforeach()

  list(FILTER files INCLUDE REGEX "\\.cpp$")
  if(files)
    add_library(${target} OBJECT ${files})
    set(scope PUBLIC)
    fnet_warnings(${target})
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_compile_features(${target} ${scope} cxx_std_20)
  target_include_directories(${target} ${scope} ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
  list(TRANSFORM M_DEPENDS REPLACE "(.+)" "fnet_\\1_objects")
  target_link_libraries(${target} ${scope} ${M_DEPENDS} ${M_LIBRARIES})
  if(M_TORCH)
    target_include_directories(${target} SYSTEM ${scope} ${TORCH_INCLUDE_DIRS})
    target_link_libraries(${target} ${scope} ${TORCH_LIBRARIES})
    if(scope STREQUAL PUBLIC)
      target_precompile_headers(${target} PRIVATE <torch/torch.h>)
      # torch's headers may bring an fmt of their own, which is compiled as ours is.
      if(NOT FNET_TORCH_FMT STREQUAL FNET_FMT)
        target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/cmake/compiled/fmt.cpp)
        set_source_files_properties(${PROJECT_SOURCE_DIR}/cmake/compiled/fmt.cpp PROPERTIES
                                    SKIP_PRECOMPILE_HEADERS ON)
      endif()
    endif()
  endif()
endfunction()

# Warnings on our targets only; third-party headers come in as SYSTEM.
function(fnet_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wno-psabi
    $<$<BOOL:${FNET_WERROR}>:-Werror>)
endfunction()
