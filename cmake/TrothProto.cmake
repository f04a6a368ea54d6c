# troth_proto_library(<target> <file.proto>...)
# Generates the Protobuf and gRPC C++ sources of the files and makes them a static library. A file under proto/ is
# named from there (proto/echo/echo.proto is imported as "echo/echo.proto", included as "echo/echo.pb.h"); any other
# from the top of the tree (examples/bridge/bridge.proto is included as "examples/bridge/bridge.pb.h").
function(troth_proto_library target)
  set(generated_root ${PROJECT_BINARY_DIR}/generated)
  set(proto_root ${PROJECT_SOURCE_DIR}/proto)
  file(MAKE_DIRECTORY ${generated_root})

  set(generated)
  foreach(file IN LISTS ARGN)
    cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
    cmake_path(IS_PREFIX proto_root ${file} NORMALIZE below_proto)
    if(below_proto)
      set(root ${proto_root})
    else()
      set(root ${PROJECT_SOURCE_DIR})
    endif()
    cmake_path(RELATIVE_PATH file BASE_DIRECTORY ${root} OUTPUT_VARIABLE relative)
    string(REGEX REPLACE "\\.proto$" "" stem ${relative})
    set(outputs
      ${generated_root}/${stem}.pb.cc ${generated_root}/${stem}.pb.h
      ${generated_root}/${stem}.grpc.pb.cc ${generated_root}/${stem}.grpc.pb.h)
    set(import_dirs -I${root})
    if(NOT below_proto AND IS_DIRECTORY ${proto_root})
      list(APPEND import_dirs -I${proto_root})
    endif()
    add_custom_command(
      OUTPUT ${outputs}
      COMMAND protobuf::protoc ${import_dirs}
        --cpp_out=${generated_root} --grpc_out=${generated_root}
        --plugin=protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_cpp_plugin>
        ${file}
      DEPENDS ${file}
      COMMENT "Generating ${stem}.pb.* and ${stem}.grpc.pb.*"
      VERBATIM)
    list(APPEND generated ${outputs})
  endforeach()

  add_library(${target} STATIC ${generated})
  # Generated code is not ours to warn about.
  target_compile_options(${target} PRIVATE -w)
  target_include_directories(${target} SYSTEM PUBLIC ${generated_root})
  target_link_libraries(${target} PUBLIC gRPC::grpc++ protobuf::libprotobuf)
endfunction()
