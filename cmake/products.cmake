# What users get: the library `fnet` (lean), the library `fnet_train` (libtorch) and the executables
# `fnet` and `fnet-train`.
#
# Each library is one file in which all that FNET_API does not mark is local (cmake/prelink.cmake), so
# nothing of it meets a user's own SentencePiece or fmt. Our executables, tests and benchmarks need the
# modules' insides and link fnet_internal instead.
execute_process(COMMAND ${CMAKE_LINKER} --help OUTPUT_VARIABLE linker_help ERROR_QUIET)
if(NOT linker_help MATCHES "--force-group-allocation")
  message(FATAL_ERROR "CMAKE_LINKER: expected GNU ld (it makes the libraries with --force-group-allocation), "
                      "found ${CMAKE_LINKER}; set -DCMAKE_LINKER=ld.bfd")
endif()

# fnet_library(name WHOLE archive [NEEDED archive WITHOUT library]): the library `name` of the objects of
# `archive`, with what it needs of another as its own; names that the other library gives users stay there.
function(fnet_library name)
  cmake_parse_arguments(L "" "WHOLE;NEEDED;WITHOUT" "" ${ARGN})
  set(object ${PROJECT_BINARY_DIR}/${name}.o)
  set(without)
  if(L_WITHOUT)
    set(without ${PROJECT_BINARY_DIR}/${L_WITHOUT}.o)
  endif()
  add_custom_command(OUTPUT ${object} VERBATIM COMMENT "Making ${name}.o"
    COMMAND ${CMAKE_COMMAND} -D ld=${CMAKE_LINKER} -D objcopy=${CMAKE_OBJCOPY} -D nm=${CMAKE_NM} -D output=${object}
            -D whole=$<TARGET_FILE:${L_WHOLE}> -D needed=$<$<BOOL:${L_NEEDED}>:$<TARGET_FILE:${L_NEEDED}>>
            -D without=${without} -P ${PROJECT_SOURCE_DIR}/cmake/prelink.cmake
    DEPENDS ${L_WHOLE} ${L_NEEDED} ${without} ${PROJECT_SOURCE_DIR}/cmake/prelink.cmake)
  add_library(${name} ${object})
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX VERSION ${PROJECT_VERSION}
                        SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  target_compile_features(${name} PUBLIC cxx_std_20)
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                            $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endfunction()

# Every module but training and export, SentencePiece and fmt.
add_library(fnet_modules STATIC cmake/compiled/fmt.cpp $<TARGET_OBJECTS:fnet_sentencepiece_objects>)
get_property(modules GLOBAL PROPERTY fnet_modules)
foreach(module IN LISTS modules)
  get_target_property(type fnet_${module}_objects TYPE)
  if(type STREQUAL OBJECT_LIBRARY AND NOT module MATCHES "^(train|export)$")
    target_sources(fnet_modules PRIVATE $<TARGET_OBJECTS:fnet_${module}_objects>)
  endif()
endforeach()
target_link_libraries(fnet_modules PRIVATE fnet_fmt PUBLIC Threads::Threads ZLIB::ZLIB)

fnet_library(fnet WHOLE fnet_modules)
target_link_libraries(fnet PUBLIC Threads::Threads ZLIB::ZLIB)
add_library(fnet::fnet ALIAS fnet)

# The modules' own headers and what they include, for our executables, tests and training.
add_library(fnet_internal INTERFACE)
target_include_directories(fnet_internal INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src
                           ${FNET_GENERATED})
target_link_libraries(fnet_internal INTERFACE fnet_modules fnet_fmt nlohmann_json::nlohmann_json)
# Of these alone: a precompiled header is good only for what has its definitions.
set_source_files_properties(src/train/run_json.cpp src/cli/doctor.cpp src/cli/info.cpp src/cli/arguments.cpp PROPERTIES
  COMPILE_DEFINITIONS FNET_VERSION="${PROJECT_VERSION}")

if(FNET_TRAIN)
  get_target_property(type fnet_train_objects TYPE)
  if(type STREQUAL OBJECT_LIBRARY)
    add_library(fnet_train_modules STATIC $<TARGET_OBJECTS:fnet_train_objects>)
    target_include_directories(fnet_train_modules SYSTEM PUBLIC ${TORCH_INCLUDE_DIRS})
    target_link_libraries(fnet_train_modules PUBLIC fnet_modules ${TORCH_LIBRARIES})

    # Its own copy of what it needs of fnet_modules: nothing but values crosses from one to the other.
    fnet_library(fnet_train WHOLE fnet_train_modules NEEDED fnet_modules WITHOUT fnet)
    target_include_directories(fnet_train SYSTEM PUBLIC "$<BUILD_INTERFACE:${TORCH_INCLUDE_DIRS}>")
    target_link_libraries(fnet_train PUBLIC fnet ${TORCH_LIBRARIES})
    add_library(fnet::train ALIAS fnet_train)
  endif()
endif()

# Executables: `fnet` is lean; `fnet-train` (train_*.cpp) and `fnet-export` (export_main.cpp) are what it
# starts to train and to export. All are a table of commands over the same flags, log and errors.
file(GLOB cli_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/cli/*.cpp)
set(program_sources ${cli_sources})
list(FILTER program_sources INCLUDE REGEX "/(arguments|common_flags|flags|log|output|program)\\.cpp$")
list(REMOVE_ITEM cli_sources ${program_sources})
set(train_sources ${cli_sources})
list(FILTER train_sources INCLUDE REGEX "/train_[a-z]+\\.cpp$")
list(FILTER cli_sources EXCLUDE REGEX "/(train_[a-z]+|export_main)\\.cpp$")
if(cli_sources)
  add_library(fnet_program_objects OBJECT ${program_sources})
  fnet_warnings(fnet_program_objects)
  target_link_libraries(fnet_program_objects PUBLIC fnet_internal PRIVATE fnet_spdlog CLI11::CLI11)
  add_executable(fnet_cli ${cli_sources})
  set_target_properties(fnet_cli PROPERTIES OUTPUT_NAME fnet)
  fnet_warnings(fnet_cli)
  target_link_libraries(fnet_cli PRIVATE fnet_program_objects)
endif()
if(FNET_TRAIN AND EXISTS ${PROJECT_SOURCE_DIR}/src/cli/train_main.cpp)
  add_executable(fnet_train_cli ${train_sources})
  set_target_properties(fnet_train_cli PROPERTIES OUTPUT_NAME fnet-train)
  fnet_warnings(fnet_train_cli)
  # Without torch's headers, among which is another fmt.
  target_link_libraries(fnet_train_cli PRIVATE fnet_program_objects $<LINK_ONLY:fnet_train_modules>)
  # Beside each other, as `fnet finetune` looks for it; libtorch stays where it was found. By name: CMake's
  # INSTALL_RPATH_USE_LINK_PATH leaves out what lies in the project's folder, as .venv does.
  set_target_properties(fnet_train_cli PROPERTIES INSTALL_RPATH ${FNET_TORCH_LIB})
endif()

if(FNET_ONNX)
  # The machine's protobuf first: of fnet_modules, which has SentencePiece's own, only what is still missing.
  add_library(fnet_export_modules STATIC $<TARGET_OBJECTS:fnet_export_objects>)
  target_link_libraries(fnet_export_modules PUBLIC fnet_onnx fnet_internal)
  add_executable(fnet_export_cli ${PROJECT_SOURCE_DIR}/src/cli/export_main.cpp)
  set_target_properties(fnet_export_cli PROPERTIES OUTPUT_NAME fnet-export)
  fnet_warnings(fnet_export_cli)
  target_link_libraries(fnet_export_cli PRIVATE fnet_export_modules fnet_program_objects)
endif()

# Install: headers, archives, executables, and what find_package(fnet) reads.
set(config_folder ${CMAKE_INSTALL_LIBDIR}/cmake/fnet)
file(GLOB public_headers ${PROJECT_SOURCE_DIR}/include/fnet/*.h)
if(NOT TARGET fnet_train)
  list(FILTER public_headers EXCLUDE REGEX "/(train|finetune|pretrain)\\.h$")
endif()
install(FILES ${public_headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/fnet)
install(TARGETS fnet EXPORT fnetTargets)
install(EXPORT fnetTargets NAMESPACE fnet:: DESTINATION ${config_folder})
if(TARGET fnet_train)
  set_target_properties(fnet_train PROPERTIES EXPORT_NAME train)
  install(TARGETS fnet_train EXPORT fnetTrainTargets)
  install(EXPORT fnetTrainTargets NAMESPACE fnet:: DESTINATION ${config_folder})
endif()
foreach(program fnet_cli fnet_train_cli fnet_export_cli)
  if(TARGET ${program})
    install(TARGETS ${program})
  endif()
endforeach()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/models/fnet-mini-en DESTINATION ${CMAKE_INSTALL_DATADIR}/fnet/models)
# Completions for bash, zsh and fish, and man pages: ./dev docs writes them.
if(TARGET fnet_cli)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/share/ DESTINATION ${CMAKE_INSTALL_DATADIR})
endif()
include(CMakePackageConfigHelpers)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/fnetConfig.cmake.in
  ${PROJECT_BINARY_DIR}/fnetConfig.cmake INSTALL_DESTINATION ${config_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/fnetConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/fnetConfig.cmake ${PROJECT_BINARY_DIR}/fnetConfigVersion.cmake
        DESTINATION ${config_folder})
