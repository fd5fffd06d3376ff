#pragma once
// Which version this is. The build reads it from here.

#define FOVEAL_VERSION_MAJOR 0
#define FOVEAL_VERSION_MINOR 1
#define FOVEAL_VERSION_PATCH 0
/// "0.1.0"
#define FOVEAL_VERSION "0.1.0"
