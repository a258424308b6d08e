# cmake -D way=installed|subdirectory … -P run.cmake: builds and runs consumer/ in a folder of its own.
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ECHO STDOUT RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "failed: ${result}")
  endif()
endfunction()

file(REMOVE_RECURSE ${work})
if(way STREQUAL "installed")
  run(${CMAKE_COMMAND} --install ${built} --prefix ${work}/prefix)
endif()
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/consumer -B ${work}/build -G Ninja
    -D FNET_WAY=${way} -D FNET_SOURCE=${source} -D FNET_SENTENCEPIECE_SOURCE=${sentencepiece}
    -D CMAKE_PREFIX_PATH=${work}/prefix -D CMAKE_BUILD_TYPE=Release -D CMAKE_CXX_COMPILER=${compiler}
    -D CMAKE_C_COMPILER_LAUNCHER=${launcher} -D CMAKE_CXX_COMPILER_LAUNCHER=${launcher})
run(${CMAKE_COMMAND} --build ${work}/build --target consumer)
run(${work}/build/consumer)
if(way STREQUAL "installed")
  run(${work}/prefix/bin/fnet --version)
endif()
