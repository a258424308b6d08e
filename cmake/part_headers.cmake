# blocks/part_headers.h and blocks/head_headers.h include every header of the parts' folders: a new
# part is its header and its line in kinds.def.
set(FNET_GENERATED ${CMAKE_BINARY_DIR}/generated)
function(fnet_part_headers output)
  set(includes "#pragma once\n")
  foreach(folder IN LISTS ARGN)
    file(GLOB headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/src
         ${PROJECT_SOURCE_DIR}/src/blocks/${folder}/*.h)
    foreach(header IN LISTS headers)
      string(APPEND includes "#include \"${header}\"\n")
    endforeach()
  endforeach()
  file(CONFIGURE OUTPUT ${FNET_GENERATED}/blocks/${output} CONTENT "${includes}")
endfunction()
fnet_part_headers(part_headers.h activation norm ffn mixer pooling)
fnet_part_headers(head_headers.h head)
