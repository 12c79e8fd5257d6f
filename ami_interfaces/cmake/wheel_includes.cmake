# The exported targets of the ROS wheels name include directories of the machine they were built on (/opt/python/...),
# and CMake refuses an imported target whose include directory is missing. Drop those, once every find_package() has
# run. With a ROS from apt there are none.
function(ami_drop_foreign_includes)
  get_property(targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(directories ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(directories)
      list(FILTER directories EXCLUDE REGEX "/opt/python/")
      set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${directories}")
    endif()
  endforeach()
endfunction()
cmake_language(DEFER CALL ami_drop_foreign_includes)
