// The same program in C++, compiled without exceptions.
#include "door.c"
