/* x86-64-v4: AVX-512, vectors of 512 bits. */
#include "x86.h"

#if HAS_X86_LEVELS
/* Before the pragmas: what is in here has to run on every processor. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "program.h"

#define LEVEL level_v4
#define LEVEL_NAME "x86-64-v4"

static int is_supported(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
           __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

#if defined(__clang__)
#pragma clang attribute push(                                                          \
    __attribute__((target("avx2,fma,bmi,bmi2,avx512f,avx512bw,avx512cd,avx512dq,"      \
                          "avx512vl"))),                                               \
    apply_to = function)
#include "level.h"
#pragma clang attribute pop
#else
#pragma GCC target("avx2,fma,bmi,bmi2,avx512f,avx512bw,avx512cd,avx512dq,avx512vl")
#pragma GCC target("prefer-vector-width=512")
#include "level.h"
#endif
#endif
