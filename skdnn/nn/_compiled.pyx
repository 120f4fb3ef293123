# cython: language_level=3
"""Runs recorded programs, without Python's lock.

All that is here is the way from NumPy's arrays to the C of ``kernels/``.
"""

from libc.stdint cimport int64_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free
from scipy.linalg.cython_blas cimport dgemm, dgemv, sgemm, sgemv


cdef extern from "kernels/program.h":
    ctypedef struct Operation:
        int64_t kernel

    ctypedef struct Blas:
        void *gemm32
        void *gemm64
        void *gemv32
        void *gemv64

    ctypedef void Kernel(const Operation *, void *) noexcept nogil

    ctypedef struct Program:
        const Operation *operations
        int64_t n_operations
        int64_t n_updates
        int64_t part
        int64_t n_parts
        double total

    ctypedef struct Meeting:
        int64_t arrived
        int64_t round

    ctypedef struct Run:
        Program *programs
        int64_t n_programs
        Meeting *meeting
        int64_t n_threads
        const int64_t *order
        int64_t n_rows
        int64_t batch_size
        int64_t slab_size
        int64_t first_step
        int64_t n_steps
        const double *rates
        int64_t t
        uint64_t draw
        const Blas *blas
        int (*interrupted)() noexcept nogil
        const unsigned char *stopped

    ctypedef struct Level:
        const char *name
        int (*is_supported)() noexcept nogil
        const void *float32
        const void *float64

    const Level *const levels[]
    const char *const kernel_names[]
    const char *const activation_names[]
    const int threads_can_meet
    size_t sizeof_operation "sizeof(Operation)"
    int run_programs(const Run *run, const void *kernels) except? -1 nogil

cdef extern from "Python.h":
    int PyErr_CheckSignals() noexcept


cdef Blas blas
blas.gemm32 = <void *>sgemm
blas.gemm64 = <void *>dgemm
blas.gemv32 = <void *>sgemv
blas.gemv64 = <void *>dgemv

cdef const Level *level = NULL


cdef int interrupted() noexcept with gil:
    # What it raises stays raised, until the run has ended.
    return PyErr_CheckSignals()


cdef dict numbers(const char *const *names):
    by_name, i = {}, 0
    while names[i] is not NULL:
        by_name[names[i].decode()] = i
        i += 1
    return by_name


def kernels():
    """Return the number of each kernel, by its name."""
    return numbers(kernel_names)


def activations():
    """Return the number of each activation, by its name."""
    return numbers(activation_names)


def can_meet():
    """Whether threads can run parts of one step."""
    return bool(threads_can_meet)


def supported_levels():
    """Return the names of the levels that this processor has, the best first."""
    names, i = [], 0
    while levels[i] is not NULL:
        if levels[i].is_supported():
            names.append(levels[i].name.decode())
        i += 1
    return names


def current_level():
    """Return the name of the level whose kernels run."""
    return level.name.decode()


def choose_level(str name):
    """Run kernels of this level from now on."""
    global level
    i = 0
    while levels[i] is not NULL:
        if levels[i].name.decode() == name and levels[i].is_supported():
            level = levels[i]
            return
        i += 1
    raise ValueError(
        f"There is no level {name!r} on this processor, but {supported_levels()}."
    )


def run(
    list programs,
    list totals,
    bint is_float32,
    const int64_t[::1] order,
    int64_t n_rows,
    int64_t batch_size,
    int64_t slab_size,
    int64_t first_step,
    int64_t n_steps,
    const double[::1] rates,
    int64_t t,
    uint64_t draw,
    const unsigned char[::1] stopped=None,
    int64_t[::1] meeting=None,
    int64_t n_threads=1,
):
    """Run programs over batches, step by step; see ``kernels/program.h``.

    Ctrl-C ends it, where this is the main thread.
    """
    cdef Run run
    cdef const unsigned char[::1] operations
    cdef int64_t i
    run.n_programs = len(programs)
    run.meeting = <Meeting *>NULL if meeting is None else <Meeting *>&meeting[0]
    run.n_threads = n_threads
    run.order = <const int64_t *>NULL if order is None else &order[0]
    run.n_rows = n_rows
    run.batch_size = batch_size
    run.slab_size = slab_size
    run.first_step = first_step
    run.n_steps = n_steps
    run.rates = <const double *>NULL if rates is None else &rates[0]
    run.t = t
    run.draw = draw
    run.blas = &blas
    run.interrupted = interrupted
    run.stopped = <const unsigned char *>NULL if stopped is None else &stopped[0]
    cdef const void *table = level.float32 if is_float32 else level.float64
    run.programs = <Program *>calloc(run.n_programs, sizeof(Program))
    if run.programs is NULL:
        raise MemoryError
    try:
        for i, program in enumerate(programs):
            # What they point at is the program's, which the caller holds.
            operations = program.bytes
            run.programs[i].operations = <const Operation *>&operations[0]
            run.programs[i].n_operations = operations.shape[0] // sizeof_operation
            run.programs[i].n_updates = program.n_updates
            run.programs[i].part = program.part
            run.programs[i].n_parts = program.n_parts
            run.programs[i].total = totals[i]
        with nogil:
            run_programs(&run, table)
        return [run.programs[i].total for i in range(run.n_programs)]
    finally:
        free(run.programs)


choose_level(supported_levels()[0])
