/* Compiles all kernels for the instructions that the including file has chosen.
 *
 * It defines LEVEL, the name of a `Level`, LEVEL_NAME, a string, and the function
 * `is_supported`, which has to run where the level does not.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "program.h"
#include "noise.h"

#define REAL float
#define IS_FLOAT32 1
#define NAME(x) x##_32
#include "kernels.h"
#undef REAL
#undef IS_FLOAT32
#undef NAME

#define REAL double
#define IS_FLOAT32 0
#define NAME(x) x##_64
#include "kernels.h"
#undef REAL
#undef IS_FLOAT32
#undef NAME

static Kernel *const kernels_32[] = {
#define KERNEL(name) name##_32,
#include "kernels.def"
#undef KERNEL
};

static Kernel *const kernels_64[] = {
#define KERNEL(name) name##_64,
#include "kernels.def"
#undef KERNEL
};

const Level LEVEL = {LEVEL_NAME, is_supported, kernels_32, kernels_64};
