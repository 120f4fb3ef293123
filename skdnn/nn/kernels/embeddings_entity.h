/* Vectors for codes of categories, as `EntityEmbeddingLayer` of `skdnn/nn/embeddings.py`.
 *
 * Codes are the last columns of x; the vectors of all columns lie below each other, those
 * of a column from its `start` on.
 */

/* The vector of a code, the nearest there is; of NaN, the first. */
static inline int64_t NAME(vector_row)(REAL code, int64_t start, int64_t n_vectors) {
    const REAL bound = (REAL)n_vectors; /* what is beyond may not fit into an integer */
    if (!(code > -bound))
        return 0;
    if (code >= bound)
        return n_vectors - 1;
    const int64_t row = start + (int64_t)code;
    return row < 0 ? 0 : row < n_vectors ? row : n_vectors - 1;
}

/* y = [other columns | vectors].  Sizes: n_inputs, n_codes, width, n_vectors.  Pointers:
 * x, starts, of 64 bits, vectors, y. */
static void NAME(entity_forward)(const Operation *op, Pass *pass) {
    const int64_t n_inputs = op->size[0], n_codes = op->size[1], width = op->size[2];
    const int64_t n_others = n_inputs - n_codes;
    const int64_t *starts = op->pointer[1];
    const REAL *restrict x = op->pointer[0], *restrict vectors = op->pointer[2];
    REAL *restrict y = op->pointer[3];
    for (int64_t i = 0; i < pass->n; i++, x += n_inputs) {
        for (int64_t j = 0; j < n_others; j++)
            *y++ = x[j];
        for (int64_t c = 0; c < n_codes; c++, y += width) {
            const int64_t row = NAME(vector_row)(x[n_others + c], starts[c], op->size[3]);
            for (int64_t j = 0; j < width; j++)
                y[j] = vectors[row * width + j];
        }
    }
}

/* The gradient of each vector is the sum over the rows of its code: in double, as there
 * may be many.  Sizes: n_inputs, n_codes, width, n_vectors, adds to grad_x.  Pointers: x,
 * starts, of 64 bits, grad, vectors_grad, sums (n_vectors * width doubles, which stay as
 * they are from slab to slab), grad_x, or NULL. */
static void NAME(entity_backward)(const Operation *op, Pass *pass) {
    const int64_t n_inputs = op->size[0], n_codes = op->size[1], width = op->size[2];
    const int64_t n_others = n_inputs - n_codes, adds = op->size[4];
    const int64_t n_entries = op->size[3] * width;
    const int64_t *starts = op->pointer[1];
    const REAL *restrict x = op->pointer[0], *restrict grad = op->pointer[2];
    REAL *restrict vectors_grad = op->pointer[3], *restrict grad_x = op->pointer[5];
    double *restrict sums = op->pointer[4];
    if (!pass->accumulate)
        memset(sums, 0, (size_t)n_entries * sizeof(double));
    for (int64_t i = 0; i < pass->n; i++, x += n_inputs) {
        if (grad_x) {
            for (int64_t j = 0; j < n_others; j++)
                grad_x[j] = adds ? grad_x[j] + grad[j] : grad[j];
            if (!adds) /* codes have no gradient */
                memset(grad_x + n_others, 0, (size_t)n_codes * sizeof(REAL));
            grad_x += n_inputs;
        }
        grad += n_others;
        for (int64_t c = 0; c < n_codes; c++, grad += width) {
            const int64_t row = NAME(vector_row)(x[n_others + c], starts[c], op->size[3]);
            for (int64_t j = 0; j < width; j++)
                sums[row * width + j] += (double)grad[j];
        }
    }
    for (int64_t j = 0; j < n_entries; j++)
        vectors_grad[j] = (REAL)sums[j];
}
