/* A program: the operations of one training step, or of one prediction, in order.
 *
 * `skdnn/nn/recording.py` writes it; `run.c` runs it, batch after batch.  Operations
 * point at memory that never moves, which NumPy owns.  Whatever differs from batch to
 * batch is in a `Pass`.
 */
#ifndef SKDNN_PROGRAM_H
#define SKDNN_PROGRAM_H

#include <stdint.h>

#define N_SIZES 8
#define N_SCALARS 8
#define N_POINTERS 12

/* Which kernel, and what it works on.  A kernel's comment says what each slot holds, in
 * order.  Laid out like `skdnn.nn.program.OPERATION`. */
typedef struct {
    int64_t kernel;
    int64_t size[N_SIZES];
    double scalar[N_SCALARS];
    void *pointer[N_POINTERS];
} Operation;

/* BLAS by Fortran's calling convention, as SciPy hands it to Cython. */
typedef void Gemm32(char *, char *, int *, int *, int *, float *, float *, int *,
                    float *, int *, float *, float *, int *);
typedef void Gemm64(char *, char *, int *, int *, int *, double *, double *, int *,
                    double *, int *, double *, double *, int *);
typedef void Gemv32(char *, int *, int *, float *, float *, int *, float *, int *,
                    float *, float *, int *);
typedef void Gemv64(char *, int *, int *, double *, double *, int *, double *, int *,
                    double *, double *, int *);

typedef struct {
    Gemm32 *gemm32;
    Gemm64 *gemm64;
    Gemv32 *gemv32;
    Gemv64 *gemv64;
} Blas;

/* What is known of the rows that go through the program now: a batch, or a slab of it.
 */
typedef struct {
    const int64_t *rows; /* their positions in the table, or NULL: from `first` on */
    int64_t first;
    int64_t n;        /* how many */
    int64_t offset;   /* how many of the batch went before: for dropout */
    int accumulate;   /* whether gradients are added to those of the slabs before */
    double factor;    /* one over the number of rows of the batch */
    double rate;      /* the learning rate */
    int64_t t;        /* the number of the optimizer's step, from 1 */
    uint64_t draw;    /* the number of the pass, from 0: for dropout */
    double value;     /* sum of the losses, times `factor`, and penalty: kernels add */
    double corrected; /* the rate, corrected by an optimizer for `t` */
    const Blas *blas;
} Pass;

typedef void Kernel(const Operation *op, Pass *pass);

/* Position in the table of row `i` of the pass. */
static inline int64_t table_row(const Pass *pass, int64_t i) {
    return pass->rows ? pass->rows[i] : pass->first + i;
}

/* The operations for a part of the rows of each batch, or for all of them. */
typedef struct {
    const Operation *operations;
    int64_t n_operations;
    int64_t n_updates; /* of these, the last, which a batch needs once */
    int64_t part, n_parts;
    double total; /* what a run adds objectives to, each times its number of rows */
    /* Where it stands. */
    Pass pass;
    const Operation *next;
    int64_t n_left; /* rows of its part behind those of the pass */
} Program;

/* Where threads wait for each other; all zero at first. */
typedef struct {
    int64_t arrived; /* how many of them wait */
    int64_t round;   /* how often all have met */
} Meeting;

/* A run over batches. */
typedef struct {
    Program *programs; /* what this thread runs, step by step */
    int64_t n_programs;
    Meeting *meeting; /* with the threads that run the other parts, or NULL: alone */
    int64_t n_threads;
    const int64_t *order; /* rows of the table, batch after batch, or NULL: as it lies */
    int64_t n_rows;
    int64_t batch_size;
    int64_t slab_size; /* rows that go through at a time, at most */
    int64_t first_step, n_steps;
    const double *rates; /* one a step */
    int64_t t;           /* steps taken by the optimizer before */
    uint64_t draw;       /* passes before */
    /* Now and then, both are asked whether the run should end where it is. */
    int (*interrupted)(void);
    const volatile unsigned char *stopped; /* what another thread sets, or NULL */
    const Blas *blas;
} Run;

/* One level of instructions: kernels by their numbers, for both dtypes. */
typedef struct {
    const char *name;
    int (*is_supported)(void);
    Kernel *const *float32;
    Kernel *const *float64;
} Level;

/* From the best to what every machine has; NULL ends the list. */
extern const Level *const levels[];

/* The names of the kernels, by their numbers; NULL ends the list. */
extern const char *const kernel_names[];

/* Whether threads can run parts of one step. */
extern const int threads_can_meet;

/* The names of the activations, likewise. */
extern const char *const activation_names[];

/* Run programs over batches; return 0, or -1 where something ended it before. */
int run_programs(const Run *run, Kernel *const *kernels);

#endif
