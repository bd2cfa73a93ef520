// What Swift cannot call as it is: functions with variable arguments, and constants that are enums in some headers.
#pragma once

#include <malloc.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static inline int linux_set_dumpable(int dumpable) {
    return prctl(PR_SET_DUMPABLE, (unsigned long)dumpable, 0UL, 0UL, 0UL);
}

static inline struct rlimit linux_limit_of_descriptors(void) {
    struct rlimit limit = {0, 0};
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit : (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
}

static inline int linux_limit_descriptors(uint64_t soft) {
    struct rlimit limit = linux_limit_of_descriptors();
    limit.rlim_cur = soft;
    return setrlimit(RLIMIT_NOFILE, &limit);
}

// Soft limits in bytes, the largest number where there is none.
static inline uint64_t linux_limit_of_address_space(void) {
    struct rlimit limit;
    return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? limit.rlim_cur : UINT64_MAX;
}

static inline uint64_t linux_limit_of_data(void) {
    struct rlimit limit;
    return getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? limit.rlim_cur : UINT64_MAX;
}

static inline uint64_t linux_limit_of_stack(void) {
    struct rlimit limit;
    return getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? limit.rlim_cur : UINT64_MAX;
}

// One heap for all threads. Otherwise each thread reserves 64 MiB of addresses for one of its own.
static inline void linux_use_one_heap(void) { mallopt(M_ARENA_MAX, 1); }
