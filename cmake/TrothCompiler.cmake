# Language level, warnings, sanitizers, hardening and the compiler cache. Everything that must hold for the whole
# program (sanitizers, hardening) is set globally; warnings are set per target, for Troth's own code only.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

include(CheckPIESupported)
check_pie_supported(LANGUAGES CXX)

if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(TROTH_CCACHE ccache)
  if(TROTH_CCACHE)
    # Without this sloppiness ccache never hits for a file that uses a precompiled header. Paths below the tree are
    # made relative, so that another clone of it finds what this one compiled.
    set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=true
      ${TROTH_CCACHE})
  endif()
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND TROTH_CCACHE)
  add_compile_options(-fpch-preprocess)
endif()

# gRPC's targets name some sixty shared libraries; a program loads those it uses.
add_link_options(-Wl,--as-needed)

if(TROTH_SANITIZE)
  add_compile_options(-fsanitize=${TROTH_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TROTH_SANITIZE})
endif()

if(TROTH_HARDEN)
  add_compile_options(-fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  add_link_options(-Wl,-z,relro -Wl,-z,now)
endif()

function(troth_warnings target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wno-missing-field-initializers
    $<$<BOOL:${TROTH_WERROR}>:-Werror>)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC 12 sees overlapping copies in every `"text" + std::string`, and uninitialised values wherever a sanitizer
    # instruments std::optional or std::variant.
    target_compile_options(${target} PRIVATE -Wno-restrict)
    if(TROTH_SANITIZE)
      target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized)
    endif()
  endif()
endfunction()
