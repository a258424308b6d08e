# Headers that include every header of some folders: a new part or task is its header and its line in
# kinds.def.
set(FNET_GENERATED ${CMAKE_BINARY_DIR}/generated)
# fnet_part_headers(OUTPUT folders…), all below src/
function(fnet_part_headers output)
  set(includes "#pragma once\n")
  foreach(folder IN LISTS ARGN)
    file(GLOB headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/src/${folder}/*.h)
    foreach(header IN LISTS headers)
      string(APPEND includes "#include \"${header}\"\n")
    endforeach()
  endforeach()
  file(CONFIGURE OUTPUT ${FNET_GENERATED}/${output} CONTENT "${includes}")
endfunction()
fnet_part_headers(blocks/part_headers.h blocks/activation blocks/norm blocks/ffn blocks/mixer blocks/pooling)
fnet_part_headers(blocks/head_headers.h blocks/head)
fnet_part_headers(tasks/task_headers.h tasks)
