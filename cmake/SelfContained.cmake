# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# A target with the property LOOM_SELF_CONTAINED needs nothing at run time but glibc: its libraries come as archives,
# and a version script keeps their names within. The objects are those of all other targets.
set(LOOM_SELF_CONTAINED "$<BOOL:$<TARGET_PROPERTY:LOOM_SELF_CONTAINED>>")

# loom_system_library(VARIABLE NAME TARGET): what to link for lib NAME: TARGET, or its archive.
function(loom_system_library variable name target)
  find_library(loom_archive_${name} lib${name}.a)
  if(loom_archive_${name})
    set(${variable} "$<IF:${LOOM_SELF_CONTAINED},${loom_archive_${name}},${target}>" PARENT_SCOPE)
  else()
    set(${variable} ${target} PARENT_SCOPE)
  endif()
endfunction()
