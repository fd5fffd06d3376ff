#pragma once
// FOVEAL_SANITIZED where an address or thread sanitizer watches: it holds what is freed, and ends
// the process where memory won't do.

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FOVEAL_SANITIZED
#endif
#endif
