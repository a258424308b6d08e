# What users get: the library `fnet` (lean), the library `fnet_train` (libtorch) and the executables
# `fnet` and `fnet-train`.
get_property(modules GLOBAL PROPERTY fnet_modules)
add_library(fnet STATIC)
set_target_properties(fnet PROPERTIES EXPORT_NAME fnet)
add_library(fnet::fnet ALIAS fnet)
target_compile_features(fnet PUBLIC cxx_std_20)
target_include_directories(fnet PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                       $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
foreach(module IN LISTS modules)
  get_target_property(type fnet_${module}_objects TYPE)
  if(type STREQUAL OBJECT_LIBRARY AND NOT module STREQUAL "train")
    target_sources(fnet PRIVATE $<TARGET_OBJECTS:fnet_${module}_objects>)
  endif()
endforeach()
# One archive that needs no SentencePiece beside it.
target_sources(fnet PRIVATE $<TARGET_OBJECTS:sentencepiece-static> $<TARGET_OBJECTS:sentencepiece_train-static>)
target_link_libraries(fnet PUBLIC Threads::Threads ZLIB::ZLIB)

# The modules' own headers and what they include, for our executables, tests and training.
add_library(fnet_internal INTERFACE)
target_include_directories(fnet_internal INTERFACE ${PROJECT_SOURCE_DIR}/src ${FNET_GENERATED})
target_link_libraries(fnet_internal INTERFACE fnet fmt::fmt-header-only nlohmann_json::nlohmann_json)

if(FNET_TRAIN)
  get_target_property(type fnet_train_objects TYPE)
  if(type STREQUAL OBJECT_LIBRARY)
    target_compile_definitions(fnet_train_objects PRIVATE FNET_VERSION="${PROJECT_VERSION}")
    add_library(fnet_train STATIC $<TARGET_OBJECTS:fnet_train_objects>)
    target_include_directories(fnet_train SYSTEM PUBLIC "$<BUILD_INTERFACE:${TORCH_INCLUDE_DIRS}>")
    target_link_libraries(fnet_train PUBLIC fnet ${TORCH_LIBRARIES})
    add_library(fnet::train ALIAS fnet_train)
  endif()
endif()

# Executables: `fnet` is lean; `fnet-train` (train_main.cpp) is what it starts to train.
# Both are a table of commands over the same flags, log and errors.
file(GLOB cli_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/cli/*.cpp)
set(program_sources ${cli_sources})
list(FILTER program_sources INCLUDE REGEX "/(arguments|common_flags|flags|log|output|program)\\.cpp$")
list(REMOVE_ITEM cli_sources ${program_sources})
list(FILTER cli_sources EXCLUDE REGEX "train_main\\.cpp$")
if(cli_sources)
  add_library(fnet_program_objects OBJECT ${program_sources})
  fnet_warnings(fnet_program_objects)
  target_link_libraries(fnet_program_objects PUBLIC fnet_internal PRIVATE spdlog::spdlog_header_only CLI11::CLI11)
  target_compile_definitions(fnet_program_objects PRIVATE FNET_VERSION="${PROJECT_VERSION}")
  add_executable(fnet_cli ${cli_sources})
  set_target_properties(fnet_cli PROPERTIES OUTPUT_NAME fnet)
  fnet_warnings(fnet_cli)
  target_link_libraries(fnet_cli PRIVATE fnet_program_objects)
  target_compile_definitions(fnet_cli PRIVATE FNET_VERSION="${PROJECT_VERSION}")
  target_link_options(fnet_cli PRIVATE -Wl,--as-needed)  # spdlog's target brings a shared fmt that nothing uses
endif()
if(FNET_TRAIN AND EXISTS ${PROJECT_SOURCE_DIR}/src/cli/train_main.cpp)
  add_executable(fnet_train_cli ${PROJECT_SOURCE_DIR}/src/cli/train_main.cpp)
  set_target_properties(fnet_train_cli PROPERTIES OUTPUT_NAME fnet-train)
  fnet_warnings(fnet_train_cli)
  # Without torch's headers, among which is another fmt.
  target_link_libraries(fnet_train_cli PRIVATE fnet_program_objects $<LINK_ONLY:fnet_train>)
  # Beside each other, as `fnet finetune` looks for it; libtorch stays where it was found.
  set_target_properties(fnet_train_cli PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
endif()

# Install: headers, archives, executables, and what find_package(fnet) reads.
set(config_folder ${CMAKE_INSTALL_LIBDIR}/cmake/fnet)
file(GLOB public_headers ${PROJECT_SOURCE_DIR}/include/fnet/*.h)
if(NOT TARGET fnet_train)
  list(FILTER public_headers EXCLUDE REGEX "/(train|finetune)\\.h$")
endif()
install(FILES ${public_headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/fnet)
install(TARGETS fnet EXPORT fnetTargets)
install(EXPORT fnetTargets NAMESPACE fnet:: DESTINATION ${config_folder})
if(TARGET fnet_train)
  set_target_properties(fnet_train PROPERTIES EXPORT_NAME train)
  install(TARGETS fnet_train EXPORT fnetTrainTargets)
  install(EXPORT fnetTrainTargets NAMESPACE fnet:: DESTINATION ${config_folder})
endif()
foreach(program fnet_cli fnet_train_cli)
  if(TARGET ${program})
    install(TARGETS ${program})
  endif()
endforeach()
include(CMakePackageConfigHelpers)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/fnetConfig.cmake.in
  ${PROJECT_BINARY_DIR}/fnetConfig.cmake INSTALL_DESTINATION ${config_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/fnetConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/fnetConfig.cmake ${PROJECT_BINARY_DIR}/fnetConfigVersion.cmake
        DESTINATION ${config_folder})
