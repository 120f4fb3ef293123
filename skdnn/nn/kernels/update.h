/* The body of an optimizer's kernel: one pass over its entries.
 *
 * UPDATE, statements, moves the parameter `w` against its gradient `g`, and the memory of
 * entry `i`.  Penalty, decay and update come in the order of `Step.__call__`: the first
 * reads the parameters before the second shrinks them.
 */
const int64_t n = op->size[0];
const double penalty = op->size[1] ? op->scalar[1] : 0;
const double weight_decay = op->size[1] ? op->scalar[2] : 0;
const double step_size = op->scalar[0] * pass->rate;
const REAL slope = (REAL)penalty, kept = (REAL)(1 - step_size * weight_decay);
const int is_penalized = penalty != 0;
REAL *restrict params = op->pointer[0];
const REAL *restrict grads = op->pointer[1];
double squares = 0;
for (int64_t start = 0; start < n; start += UPDATE_BLOCK) {
    const int64_t stop = n - start < UPDATE_BLOCK ? n : start + UPDATE_BLOCK;
    REAL part = 0;
#pragma omp simd reduction(+ : part)
    for (int64_t i = start; i < stop; i++) {
        REAL w = params[i];
        REAL g = grads[i] + (is_penalized ? slope * w : 0); /* zero times inf is NaN */
        part += w * w;
        w *= kept;
        UPDATE
        params[i] = w;
    }
    squares += (double)part;
}
if (is_penalized)
    pass->value += 0.5 * penalty * squares;
#undef UPDATE
