# rclpy uses the type support of C alone; that of C++ takes more than half of the build. Include it after the last
# find_package(). ament keeps what each generator registered in this list: "package:file.cmake;...".
option(PYTHON_ONLY "Build what Python nodes need, and nothing for C++" OFF)
if(PYTHON_ONLY)
  list(FILTER AMENT_EXTENSIONS_rosidl_generate_idl_interfaces EXCLUDE REGEX "_cpp:")
endif()
