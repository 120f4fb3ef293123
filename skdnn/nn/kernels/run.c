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

enum {
#define KERNEL(name) KERNEL_##name,
#include "kernels.def"
#undef KERNEL
};

enum { DONE, MEETS, ENDS };

/* Run operations up to `end`; return whether there is a meeting before, or an end to
 * everything. */
static int run_operations(const Run *run, Program *program, const Operation *end,
                          Kernel *const *kernels, double *last) {
    Pass *pass = &program->pass;
    while (program->next < end) {
        const Operation *op = program->next++;
        if (op->kernel == KERNEL_meet)
            return MEETS;
        kernels[op->kernel](op, pass);
        if (pass->n >= MANY_ROWS && should_end(run, last))
            return ENDS;
    }
    return DONE;
}

/* Begin the next slab of the rows of a program's part. */
static void begin_slab(const Run *run, Program *program) {
    Pass *pass = &program->pass;
    const int64_t n_left = program->n_left;
    pass->n = n_left < run->slab_size ? n_left : run->slab_size;
    program->n_left -= pass->n;
    program->next = program->operations;
}

/* Begin a batch of `n` rows, from `start` on.  A part without a row goes through it too:
 * its gradients are zero. */
static void begin_batch(const Run *run, Program *program, int64_t step, int64_t start,
                        int64_t n) {
    Pass *pass = &program->pass;
    const int64_t first = n * program->part / program->n_parts;
    pass->blas = run->blas;
    pass->rate = run->rates ? run->rates[step] : 0;
    pass->t = run->t + step + 1;
    pass->draw = run->draw + (uint64_t)step;
    pass->factor = 1.0 / (double)n;
    pass->value = 0;
    pass->rows = run->order ? run->order + start + first : NULL;
    pass->first = start + first;
    pass->offset = first;
    pass->accumulate = 0;
    program->n_left = n * (program->part + 1) / program->n_parts - first;
    begin_slab(run, program);
}

/* Take the rows of a program's part through it, forward and back, as far as it can go
 * alone. */
static int run_passes(const Run *run, Program *program, Kernel *const *kernels,
                      double *last) {
    Pass *pass = &program->pass;
    const Operation *end =
        program->operations + program->n_operations - program->n_updates;
    for (;;) {
        const int result = run_operations(run, program, end, kernels, last);
        if (result != DONE || program->n_left == 0)
            return result;
        pass->rows = pass->rows ? pass->rows + pass->n : NULL;
        pass->first += pass->n;
        pass->offset += pass->n;
        pass->accumulate = 1;
        begin_slab(run, program);
    }
}

static int run_batches(const Run *run, Kernel *const *kernels) {
    Program *const programs = run->programs, *const end = programs + run->n_programs;
    double last = seconds();
    for (int64_t step = 0; step < run->n_steps; step++) {
        const int64_t start = (run->first_step + step) * run->batch_size;
        const int64_t left = run->n_rows - start;
        const int64_t n = left < run->batch_size ? left : run->batch_size;
        for (Program *program = programs; program < end; program++)
            begin_batch(run, program, step, start, n);
        /* All have the same meetings; updates need the gradients of all parts. */
        int result = DONE;
        do {
            for (Program *program = programs; program < end; program++) {
                result = run_passes(run, program, kernels, &last);
                if (result == ENDS)
                    return -1;
            }
            if (meet(run, &last))
                return -1;
        } while (result == MEETS);
        for (Program *program = programs; program < end; program++) {
            const Operation *stop = program->operations + program->n_operations;
            if (run_operations(run, program, stop, kernels, &last) == ENDS)
                return -1;
            program->total += (double)n * program->pass.value;
        }
        /* The next step needs all updates. */
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
