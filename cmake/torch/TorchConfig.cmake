# Stands in for torch's own file, which wants CUDA's toolkit where torch has CUDA: we include no header of it.
# -D Torch_DIR=…/cmake/torch takes the torch of FNET_PYTHON, and the devices that it was built for.
find_program(FNET_PYTHON NAMES python3 python)
execute_process(COMMAND ${FNET_PYTHON} -c "import os, torch; print(torch.__version__, os.path.dirname(torch.__file__), sep=';')"
                OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
list(GET found 0 Torch_VERSION)
list(GET found 1 folder)
set(TORCH_INCLUDE_DIRS ${folder}/include ${folder}/include/torch/csrc/api/include)
set(TORCH_LIBRARY ${folder}/lib/libtorch.so)
set(libraries)
foreach(name torch torch_cpu c10 torch_cuda c10_cuda)
  if(EXISTS ${folder}/lib/lib${name}.so)
    string(APPEND libraries ",${folder}/lib/lib${name}.so")
  endif()
endforeach()
if(NOT TARGET fnet_torch)
  add_library(fnet_torch INTERFACE IMPORTED)
  target_compile_definitions(fnet_torch INTERFACE USE_DISTRIBUTED USE_C10D_GLOO)
  # All of them, for nobody calls a device's library by name; what they need is theirs to find.
  target_link_libraries(fnet_torch INTERFACE ${TORCH_LIBRARY}
    "-Wl,--no-as-needed,--allow-shlib-undefined${libraries},--as-needed")
endif()
set(TORCH_LIBRARIES fnet_torch)
