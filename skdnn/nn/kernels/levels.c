/* The levels of instructions, and the names of the kernels and of the activations. */
#include <stddef.h>

#include "program.h"
#include "x86.h"

extern const Level level_baseline;
#if HAS_X86_LEVELS
extern const Level level_v3, level_v4;
#endif

const Level *const levels[] = {
#if HAS_X86_LEVELS
    &level_v4,
    &level_v3,
#endif
    &level_baseline,
    NULL,
};

const char *const kernel_names[] = {
#define KERNEL(name) #name,
#include "kernels.def"
#undef KERNEL
    NULL,
};

const char *const activation_names[] = {
#define ACTIVATION(name) #name,
#include "activations.def"
#undef ACTIVATION
    NULL,
};
