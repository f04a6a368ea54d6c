# Helpers for the folders of troth/. A folder's CMakeLists.txt says what it depends on; its files are found by name:
#   *.cc        the library        *_test.cc   its one test program        *_fuzz.cc   one fuzzer each (see fuzz/)

# troth_library(<name> [DEPS <target>...] [PRIVATE_DEPS <target>...] [PCH <header>...] [DEFINES <def>...]
#               [EXCLUDE <file>...] [USES_TOML] [NO_INSTALL])
# Makes the static library troth_<name>, alias troth::<name>, from the .cc files of the current folder, and installs
# it with its headers unless told NO_INSTALL. A folder without sources yet becomes an INTERFACE library.
function(troth_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "USES_TOML;NO_INSTALL" "" "DEPS;PRIVATE_DEPS;PCH;DEFINES;EXCLUDE")
  troth_reject_unparsed(troth_library "${arg_UNPARSED_ARGUMENTS}")
  set(target troth_${name})

  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  list(FILTER sources EXCLUDE REGEX "_(test|fuzz)\\.cc$")
  foreach(excluded IN LISTS arg_EXCLUDE)
    list(REMOVE_ITEM sources ${CMAKE_CURRENT_SOURCE_DIR}/${excluded})
  endforeach()

  if(sources)
    add_library(${target} STATIC ${sources})
    set(scope PUBLIC)
    troth_warnings(${target})
    target_link_libraries(${target} PRIVATE ${arg_PRIVATE_DEPS})
    target_compile_definitions(${target} PRIVATE ${arg_DEFINES})
    if(arg_USES_TOML)
      target_include_directories(${target} SYSTEM PRIVATE ${TROTH_TOMLPLUSPLUS_INCLUDE_DIR})
    endif()
    if(arg_PCH)
      target_precompile_headers(${target} PRIVATE ${arg_PCH})
    endif()
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
    target_link_libraries(${target} INTERFACE ${arg_PRIVATE_DEPS})
  endif()
  add_library(troth::${name} ALIAS ${target})
  target_compile_features(${target} ${scope} cxx_std_20)
  target_link_libraries(${target} ${scope} ${arg_DEPS})
  target_include_directories(${target} ${scope}
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})

  if(NOT arg_NO_INSTALL)
    set_property(GLOBAL APPEND PROPERTY TROTH_INSTALLED_LIBRARIES ${name})
    install(TARGETS ${target} EXPORT trothTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
    install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/
      DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/troth/${name}
      FILES_MATCHING PATTERN "*.h"
      PATTERN "internal" EXCLUDE PATTERN "*_internal.h" EXCLUDE
      PATTERN "testing" EXCLUDE PATTERN "*_testing.h" EXCLUDE PATTERN "testdata" EXCLUDE)
  endif()
endfunction()

# troth_test(<name> [DEPS <target>...] [PCH <header>...] [TIMEOUT <seconds>] [USES_TOML] [OWN_PCH])
# Makes one test program, <name>_test, from every *_test.cc of the current folder, and gives each of its tests to
# ctest under the label <name>. A folder without tests yet makes nothing. Test code sees TROTH_SOURCE_DIR; tests run in
# their folder of the build tree. OWN_PCH is for a folder that is compiled with options of its own.
function(troth_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "USES_TOML;OWN_PCH" "TIMEOUT" "DEPS;PCH")
  troth_reject_unparsed(troth_test "${arg_UNPARSED_ARGUMENTS}")
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.cc)
  if(NOT TROTH_BUILD_TESTS OR NOT sources)
    return()
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  if(TROTH_SANITIZE)
    math(EXPR arg_TIMEOUT "${arg_TIMEOUT} * 5")
  endif()

  set(target ${name}_test)
  add_executable(${target} ${sources})
  troth_warnings(${target})
  if(TARGET troth_${name})
    target_link_libraries(${target} PRIVATE troth::${name})
  endif()
  target_link_libraries(${target} PRIVATE ${arg_DEPS} GTest::gmock GTest::gtest_main Threads::Threads)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  if(arg_USES_TOML)
    target_include_directories(${target} SYSTEM PRIVATE ${TROTH_TOMLPLUSPLUS_INCLUDE_DIR})
  endif()
  # Only where it is used: a path of this tree keeps the compiler cache from serving another clone.
  foreach(source IN LISTS sources)
    file(STRINGS ${source} uses LIMIT_COUNT 1 REGEX TROTH_SOURCE_DIR)
    if(uses)
      set_property(SOURCE ${source} APPEND PROPERTY COMPILE_DEFINITIONS TROTH_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    endif()
  endforeach()
  if(arg_PCH OR arg_OWN_PCH)
    target_precompile_headers(${target} PRIVATE <gmock/gmock.h> <gtest/gtest.h> ${arg_PCH})
  else()
    troth_share_test_headers(${target})
  endif()
  gtest_discover_tests(${target}
    TEST_PREFIX ${name}.
    DISCOVERY_MODE PRE_TEST
    DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS ${name})
endfunction()

# GoogleTest's precompiled headers take 130 MB and some seconds: most test programs use the same.
function(troth_share_test_headers target)
  set(shared troth_test_headers)
  if(NOT TARGET ${shared})
    # A program, as they are: GCC takes only what was compiled with the same options, and libraries have others.
    file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/test_headers.cc CONTENT "int main() {}\n")
    add_executable(${shared} EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/test_headers.cc)
    troth_warnings(${shared})
    target_link_libraries(${shared} PRIVATE GTest::gmock Threads::Threads)
    target_precompile_headers(${shared} PRIVATE <gmock/gmock.h> <gtest/gtest.h>)
  endif()
  target_precompile_headers(${target} REUSE_FROM ${shared})
endfunction()

# troth_program(<name> SOURCES <file>... [DEPS <target>...] [DEFINES <def>...] [TOP] [USES_TOML])
# Makes an executable; TOP puts it at the top of the build tree.
function(troth_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TOP;USES_TOML" "" "SOURCES;DEPS;DEFINES")
  troth_reject_unparsed(troth_program "${arg_UNPARSED_ARGUMENTS}")
  add_executable(${name} ${arg_SOURCES})
  troth_warnings(${name})
  target_link_libraries(${name} PRIVATE ${arg_DEPS})
  target_compile_definitions(${name} PRIVATE ${arg_DEFINES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  if(arg_USES_TOML)
    target_include_directories(${name} SYSTEM PRIVATE ${TROTH_TOMLPLUSPLUS_INCLUDE_DIR})
  endif()
  if(arg_TOP)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
  endif()
endfunction()

# A top-level folder takes part from the moment it has a CMakeLists.txt.
function(troth_add_folder_if_present folder)
  if(EXISTS ${PROJECT_SOURCE_DIR}/${folder}/CMakeLists.txt)
    add_subdirectory(${PROJECT_SOURCE_DIR}/${folder})
  endif()
endfunction()

function(troth_reject_unparsed function unparsed)
  if(unparsed)
    message(FATAL_ERROR "${function}: unknown arguments: ${unparsed}")
  endif()
endfunction()

include(GoogleTest)
