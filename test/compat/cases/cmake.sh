# cmake.sh - cmake configures and builds
# needs: cmake make cc
# packages: cmake make gcc
# serves: cmake gmake
printf 'cmake_minimum_required(VERSION 3.10)\nproject(p C)\n' >CMakeLists.txt
printf 'add_executable(p main.c)\n' >>CMakeLists.txt
printf '#include <stdio.h>\nint main(void) { puts("built"); }\n' >main.c
run cmake -S . -B build >cmake.log 2>&1
run cmake --build build >>cmake.log 2>&1
run build/p
