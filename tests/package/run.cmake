# cmake -D way=installed|subdirectory … -P run.cmake: builds and runs consumer/ in a folder of its own. The
# subdirectory is built as shared libraries.
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# Beside the project's build folder and with its flags: ccache has what was compiled there.
set(build ${built}-consumer-${way})
set(programs consumer two_sentencepieces)
set(settings -D BUILD_SHARED_LIBS=ON)
if(way STREQUAL "installed")
  set(settings)
  file(REMOVE_RECURSE ${build}/prefix)
  run(${CMAKE_COMMAND} --install ${built} --prefix ${build}/prefix)
  if(torch)
    list(APPEND programs trainer_first trainer_last)
    list(APPEND settings -D TRAIN=ON -D Torch_DIR=${torch})
  endif()
endif()
run(${CMAKE_COMMAND} -C ${same} -S ${CMAKE_CURRENT_LIST_DIR}/consumer -B ${build} -G Ninja -Wno-dev
    -D FNET_WAY=${way} -D FNET_SOURCE=${source}
    -D CMAKE_PREFIX_PATH=${build}/prefix ${settings})
run(${CMAKE_COMMAND} --build ${build} --target ${programs})
run(${build}/bin/consumer)
run(${build}/bin/two_sentencepieces ${source}/tests/golden/text/unigram.model ${source}/tests/golden/text/bpe.model)
if(way STREQUAL "installed")
  run(${build}/prefix/bin/fnet --version)
  if(torch)
    run(${build}/bin/trainer_first)
    run(${build}/bin/trainer_last)
  endif()
else()
  run(${python} -B ${CMAKE_CURRENT_LIST_DIR}/symbols_test.py ${nm} ${source}/include ${build}/fnet/libfnet.so)
endif()
