# cmake -D ld=… -D objcopy=… -D nm=… -D whole=ARCHIVE -D output=FILE [-D needed=ARCHIVE -D without=FILE] -P prelink.cmake
#   All of `whole`, and what it needs of `needed`, as one relocatable file in which everything hidden is
#   local: SentencePiece, protobuf and fmt in it meet no second copy in a user's program, not even in a
#   static link. Without `without`, only names of namespace fnet stay global, not the standard library's
#   templates either; with it, all but the global names of that file.
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# The groups of inline functions are dissolved: a linker would drop ours for another's of the same name.
run(${ld} -r --force-group-allocation -o ${output}.all --whole-archive ${whole} --no-whole-archive ${needed})
if(without)
  execute_process(COMMAND ${nm} -g --defined-only --format=just-symbols ${without} OUTPUT_FILE ${output}.names
                  COMMAND_ERROR_IS_FATAL ANY)
  run(${objcopy} --localize-hidden --localize-symbols=${output}.names ${output}.all ${output})
else()
  run(${objcopy} --localize-hidden ${output}.all ${output})
  run(${objcopy} --wildcard --keep-global-symbol=_ZN4fnet* --keep-global-symbol=_ZNK4fnet*
      --keep-global-symbol=_ZT?N4fnet* ${output})
endif()
file(REMOVE ${output}.all ${output}.names)
