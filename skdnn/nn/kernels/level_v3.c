/* x86-64-v3: AVX2 and fused multiply-add, vectors of 256 bits. */
#include "x86.h"

#if HAS_X86_LEVELS
/* Before the pragmas: what is in here has to run on every processor. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "program.h"

#define LEVEL level_v3
#define LEVEL_NAME "x86-64-v3"

static int is_supported(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi,bmi2"))),              \
                             apply_to = function)
#include "level.h"
#pragma clang attribute pop
#else
#pragma GCC target("avx2,fma,bmi,bmi2")
#include "level.h"
#endif
#endif
