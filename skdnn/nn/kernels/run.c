/* Runs programs: the loop over batches, slabs and operations. */
#define _POSIX_C_SOURCE 199309L
#include <stddef.h>
#include <time.h>

#include "program.h"

/* Whether threads can wait for each other. */
#if defined(__GNUC__) && !defined(_WIN32)
#include <sched.h>
#define CAN_MEET 1
#else
#define CAN_MEET 0
#endif
const int threads_can_meet = CAN_MEET;

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

/* So often a thread looks whether the others have come before it lets go of its core. */
#define LOOKS 1024

/* Wait until all threads of the run have come here; return whether to end instead. */
static int meet(const Run *run, double *last) {
#if CAN_MEET
    Meeting *meeting = run->meeting;
    if (run->n_threads < 2)
        return 0;
    const int64_t round = __atomic_load_n(&meeting->round, __ATOMIC_ACQUIRE);
    if (__atomic_add_fetch(&meeting->arrived, 1, __ATOMIC_ACQ_REL) == run->n_threads) {
        __atomic_store_n(&meeting->arrived, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&meeting->round, round + 1, __ATOMIC_RELEASE);
        return 0;
    }
    for (int64_t look = 1;
         __atomic_load_n(&meeting->round, __ATOMIC_ACQUIRE) == round; look++) {
        if (look % LOOKS)
            continue;
        sched_yield();
        if (should_end(run, last))
            return 1;
    }
#else
    (void)run, (void)last;
#endif
    return 0;
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

/* Take the rows of a program's part through it, forward and back; return whether to
 * end.  The batch has `n` rows, from `start` on.  A part without a row goes through too:
 * its gradients are zero. */
static int run_passes(const Run *run, Program *program, int64_t start, int64_t n,
                      Kernel *const *kernels, double *last) {
    Pass *pass = &program->pass;
    const int64_t n_passes = program->n_operations - program->n_updates;
    const int64_t first = n * program->part / program->n_parts;
    const int64_t stop = n * (program->part + 1) / program->n_parts;
    int64_t offset = first;
    pass->factor = 1.0 / (double)n;
    pass->value = 0;
    do {
        const int64_t left = stop - offset;
        pass->rows = run->order ? run->order + start + offset : NULL;
        pass->first = start + offset;
        pass->n = left < run->slab_size ? left : run->slab_size;
        pass->offset = offset;
        pass->accumulate = offset > first;
        if (run_operations(run, program->operations, n_passes, kernels, pass, last))
            return 1;
        offset += pass->n;
    } while (offset < stop);
    return 0;
}

static int run_updates(const Run *run, Program *program, Kernel *const *kernels,
                       double *last) {
    const int64_t n_passes = program->n_operations - program->n_updates;
    return run_operations(run, program->operations + n_passes, program->n_updates,
                          kernels, &program->pass, last);
}

static int run_batches(const Run *run, Kernel *const *kernels) {
    Program *const programs = run->programs, *const end = programs + run->n_programs;
    double last = seconds();
    for (int64_t step = 0; step < run->n_steps; step++) {
        const int64_t start = (run->first_step + step) * run->batch_size;
        const int64_t left = run->n_rows - start;
        const int64_t n = left < run->batch_size ? left : run->batch_size;
        for (Program *program = programs; program < end; program++) {
            Pass *pass = &program->pass;
            pass->blas = run->blas;
            pass->rate = run->rates ? run->rates[step] : 0;
            pass->t = run->t + step + 1;
            pass->draw = run->draw + (uint64_t)step;
            if (run_passes(run, program, start, n, kernels, &last))
                return -1;
        }
        /* Updates need the gradients of all parts, and the next step all updates. */
        if (meet(run, &last))
            return -1;
        for (Program *program = programs; program < end; program++) {
            if (run_updates(run, program, kernels, &last))
                return -1;
            program->total += (double)n * program->pass.value;
        }
        if (meet(run, &last))
            return -1;
    }
    return 0;
}

int run_programs(const Run *run, Kernel *const *kernels) {
    const unsigned int before = flush_denormals();
    const int result = run_batches(run, kernels);
    restore_denormals(before);
    return result;
}
