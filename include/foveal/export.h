/* What a shared library of foveal shows: declarations marked FOVEAL_API, and nothing else. For C
 * and C++. */
#ifndef FOVEAL_EXPORT_H
#define FOVEAL_EXPORT_H

#define FOVEAL_API __attribute__((visibility("default")))

#endif
