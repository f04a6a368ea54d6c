# Writes and installs the CMake package (find_package(troth)) and one pkg-config file per library, plus troth.pc for
# the whole. Included last, when every troth_library() has been called.
include(CMakePackageConfigHelpers)

set(troth_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/troth)
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/trothConfig.cmake.in ${PROJECT_BINARY_DIR}/trothConfig.cmake
  INSTALL_DESTINATION ${troth_package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/trothConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT trothTargets NAMESPACE troth:: DESTINATION ${troth_package_dir})
install(FILES ${PROJECT_BINARY_DIR}/trothConfig.cmake ${PROJECT_BINARY_DIR}/trothConfigVersion.cmake
  DESTINATION ${troth_package_dir})

# The pkg-config name of a CMake target that a library depends on, or -l flags where it has no pkg-config file.
function(troth_pkg_config_name target out_requires out_libs)
  set(requires)
  set(libs)
  if(target MATCHES "^troth::(.+)$")
    set(requires troth-${CMAKE_MATCH_1})
  elseif(target MATCHES "^absl::(.+)$")
    set(requires absl_${CMAKE_MATCH_1})
  elseif(target STREQUAL "OpenSSL::SSL")
    set(requires libssl)
  elseif(target STREQUAL "OpenSSL::Crypto")
    set(requires libcrypto)
  elseif(target MATCHES "^gRPC::(grpc|grpc\\+\\+)$")
    set(requires ${CMAKE_MATCH_1})
  elseif(target STREQUAL "CURL::libcurl")
    set(requires libcurl)
  elseif(target STREQUAL "Boost::json")
    set(libs -lboost_json)
  elseif(target STREQUAL "Boost::headers")
    # Header-only, and in .cc files only.
  elseif(target STREQUAL "protobuf::libprotobuf")
    set(requires protobuf)
  elseif(target STREQUAL "Threads::Threads")
    set(libs -pthread)
  elseif(target MATCHES "^gRPC::(.+)$")
    set(libs -l${CMAKE_MATCH_1})
  else()
    message(FATAL_ERROR "cmake/TrothInstall.cmake does not know the pkg-config name of ${target}; add it there")
  endif()
  set(${out_requires} ${requires} PARENT_SCOPE)
  set(${out_libs} ${libs} PARENT_SCOPE)
endfunction()

function(troth_write_pkg_config file description requires libs)
  list(JOIN requires ", " requires)
  list(JOIN libs " " libs)
  # Relative to the file itself, so that the installed tree can be moved.
  cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_INCLUDEDIR BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
    OUTPUT_VARIABLE include_dir)
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/pkgconfig/${file}.pc @ONLY CONTENT
"libdir=\${pcfiledir}/..
includedir=\${pcfiledir}/@include_dir@

Name: @file@
Description: @description@
Version: @PROJECT_VERSION@
Requires: @requires@
Cflags: -I\${includedir}
Libs: -L\${libdir} @libs@
")
  install(FILES ${PROJECT_BINARY_DIR}/pkgconfig/${file}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()

get_property(troth_installed GLOBAL PROPERTY TROTH_INSTALLED_LIBRARIES)
foreach(name IN LISTS troth_installed)
  get_target_property(type troth_${name} TYPE)
  get_target_property(deps troth_${name} INTERFACE_LINK_LIBRARIES)
  set(requires)
  set(libs)
  if(type STREQUAL "STATIC_LIBRARY")
    list(APPEND libs -ltroth_${name})
  endif()
  foreach(dep IN LISTS deps)
    string(REGEX REPLACE "^\\$<LINK_ONLY:(.*)>$" "\\1" dep "${dep}")
    troth_pkg_config_name(${dep} dep_requires dep_libs)
    list(APPEND requires ${dep_requires})
    list(APPEND libs ${dep_libs})
  endforeach()
  troth_write_pkg_config(troth-${name} "Troth: the ${name} library" "${requires}" "${libs}")
endforeach()
troth_write_pkg_config(troth "${PROJECT_DESCRIPTION}" "troth-rpc" "")
