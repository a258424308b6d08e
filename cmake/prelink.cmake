# cmake -D ld=… -D objcopy=… -D nm=… -D whole=ARCHIVE -D output=FILE [-D needed=ARCHIVE -D without=FILE] -P prelink.cmake
#   All of `whole`, and what it needs of `needed`, as one relocatable file in which all is local but the
#   names of namespace fnet that FNET_API marks, less those that the file `without` gives already.
#   SentencePiece, protobuf, fmt and the templates of the standard library in it meet no second copy in a
#   user's program, not even in a static link.
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# The groups of inline functions are dissolved: a linker would drop ours for another's of the same name.
run(${ld} -r --force-group-allocation -o ${output}.all --whole-archive ${whole} --no-whole-archive ${needed})
# In two steps: by visibility, then by name. A class's Impl is as visible as the class.
run(${objcopy} --localize-hidden ${output}.all)
set(more)
if(without)
  execute_process(COMMAND ${nm} -g --defined-only --format=just-symbols ${without} OUTPUT_FILE ${output}.names
                  COMMAND_ERROR_IS_FATAL ANY)
  set(more --localize-symbols=${output}.names)
endif()
run(${objcopy} --wildcard --keep-global-symbol=_ZN4fnet* --keep-global-symbol=_ZNK4fnet*
    --keep-global-symbol=_ZT?N4fnet* --localize-symbol=_ZN4fnet*4Impl* ${more} ${output}.all ${output})
file(REMOVE ${output}.all ${output}.names)
