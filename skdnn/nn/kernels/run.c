/* Runs programs: the loop over batches, slabs and operations. */
#define _POSIX_C_SOURCE 199309L
#include <stddef.h>
#include <time.h>

#include "program.h"

#if defined(__SSE2__) || defined(_M_X64)
#include <xmmintrin.h>
#define HAS_MXCSR 1
#endif

/* Numbers too small for a full mantissa are many times as slow, and moments of an
 * optimizer get there: they become zero here.  The thread's own setting comes back. */
static unsigned int flush_denormals(void) {
#if HAS_MXCSR
    unsigned int before = _mm_getcsr();
    _mm_setcsr(before | 0x8040);
    return before;
#elif defined(__aarch64__)
    uint64_t before;
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(before));
    __asm__ __volatile__("msr fpcr, %0" : : "r"(before | (1u << 24)));
    return (unsigned int)before;
#else
    return 0;
#endif
}

static void restore_denormals(unsigned int before) {
#if HAS_MXCSR
    _mm_setcsr(before);
#elif defined(__aarch64__)
    __asm__ __volatile__("msr fpcr, %0" : : "r"((uint64_t)before));
#else
    (void)before;
#endif
}

/* Seconds between two looks at whether the run should end. */
#define SECONDS_BETWEEN 0.1

/* Rows that may take so long that a single operation is worth a look at the clock. */
#define MANY_ROWS 256

static double seconds(void) {
    struct timespec now;
#if defined(_WIN32)
    timespec_get(&now, TIME_UTC);
#else
    clock_gettime(CLOCK_MONOTONIC, &now);
#endif
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Return whether the run should end; `last` is when it was asked before. */
static int should_end(const Run *run, double *last) {
    const double now = seconds();
    if (now - *last < SECONDS_BETWEEN)
        return 0;
    *last = now;
    return (run->stopped && *run->stopped) || (run->interrupted && run->interrupted());
}

/* Return whether to end. */
static int run_operations(const Run *run, const Operation *op, int64_t n,
                          Kernel *const *kernels, Pass *pass, double *last) {
    for (const Operation *end = op + n; op < end; op++) {
        kernels[op->kernel](op, pass);
        if (pass->n >= MANY_ROWS && should_end(run, last))
            return 1;
    }
    return 0;
}

static double run_batches(const Run *run, Kernel *const *kernels) {
    const int64_t n_passes = run->n_operations - run->n_updates;
    Pass pass = {.blas = run->blas};
    double total = run->total, last = seconds();
    for (int64_t step = 0; step < run->n_steps; step++) {
        const int64_t start = (run->first_step + step) * run->batch_size;
        const int64_t left = run->n_rows - start;
        const int64_t n = left < run->batch_size ? left : run->batch_size;
        pass.rate = run->rates ? run->rates[step] : 0;
        pass.t = run->t + step + 1;
        pass.draw = run->draw + (uint64_t)step;
        pass.factor = 1.0 / (double)n;
        pass.value = 0;
        for (int64_t offset = 0; offset < n; offset += run->slab_size) {
            pass.rows = run->order ? run->order + start + offset : NULL;
            pass.first = start + offset;
            pass.n = n - offset < run->slab_size ? n - offset : run->slab_size;
            pass.offset = offset;
            pass.accumulate = offset > 0;
            if (run_operations(run, run->operations, n_passes, kernels, &pass, &last))
                return -1;
        }
        if (run_operations(run, run->operations + n_passes, run->n_updates, kernels,
                           &pass, &last))
            return -1;
        total += (double)n * pass.value;
    }
    return total;
}

double run_program(const Run *run, Kernel *const *kernels) {
    const unsigned int before = flush_denormals();
    const double total = run_batches(run, kernels);
    restore_denormals(before);
    return total;
}
