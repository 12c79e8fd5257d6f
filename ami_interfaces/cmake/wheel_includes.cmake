# Used only when the package is built on the ROS wheels (see ../../ami): CMAKE_PROJECT_INCLUDE points here.
# The wheels' exported targets name include directories of the machine they were built on (/opt/python/...), and CMake
# refuses an imported target whose include directory is missing. Drop those once every find_package() has run.
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
