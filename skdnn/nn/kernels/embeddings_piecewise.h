/* Piecewise-linear embedding of numbers.
 *
 * With the bins `t` of a column contiguous, a number in bin `k`, at `position` in it,
 * has the expansion (1, ..., 1, position, 0, ..., 0), and
 *
 *     expansion @ weight + bias = prefix[k] + position * weight[k],
 *     prefix[k] = bias + weight[0] + ... + weight[k - 1].
 *
 * So a table of prefix sums, made once a pass, stands for the product; and two sums a
 * bin, of the gradient and of the gradient times position, for its gradient.
 */

/* Rows whose bins are looked for at a time. */
#define BIN_ROWS 128

/* Write the bin of each number, counted through all columns, and its place in the bin.
 * For one column after the other, as its edges are then compared with many rows. */
static void NAME(find_bins)(const Operation *op, int64_t n) {
    const int64_t n_inputs = op->size[0], n_numbers = op->size[1], n_terms = op->size[2];
    const REAL *x = op->pointer[0], *inverse = op->pointer[2], *edges = op->pointer[9];
    int32_t *bins = op->pointer[7];
    REAL *positions = op->pointer[8];
    REAL values[BIN_ROWS], counts[BIN_ROWS];
    for (int64_t start = 0; start < n; start += BIN_ROWS) {
        const int64_t rows = n - start < BIN_ROWS ? n - start : BIN_ROWS;
        for (int64_t j = 0; j < n_numbers; j++) {
            for (int64_t i = 0; i < rows; i++) {
                values[i] = x[(start + i) * n_inputs + j];
                counts[i] = 0;
            }
            for (int64_t t = 1; t < n_terms; t++) {
                const REAL edge = edges[j * n_terms + t];
#pragma omp simd
                for (int64_t i = 0; i < rows; i++)
                    counts[i] += values[i] >= edge ? 1 : 0;
            }
            for (int64_t i = 0; i < rows; i++) {
                const int64_t bin = j * n_terms + (int64_t)counts[i];
                /* A column of one value has no bin; NaN stays NaN. */
                REAL position = values[i] * 0;
                if (edges[bin] < (REAL)INFINITY) {
                    position = (values[i] - edges[bin]) * inverse[bin];
                    position = position < 0 ? 0 : position > 1 ? 1 : position;
                }
                bins[(start + i) * n_numbers + j] = (int32_t)bin;
                positions[(start + i) * n_numbers + j] = position;
            }
        }
    }
}

#undef BIN_ROWS

/* y = [numbers | vectors of each number | other columns].  Sizes: n_inputs, n_numbers,
 * n_terms, width.  Pointers: x, low (n_numbers, n_terms), the lower ends of bins;
 * inverse lengths, likewise, 0 where there is no bin; weight (n_numbers, n_terms,
 * width), bias (n_numbers, width), y; and what is made here: prefix (n_numbers,
 * n_terms, width), bins (int32, n rows, n_numbers), positions (n rows, n_numbers), edges
 * (n_numbers, n_terms). */
static void NAME(piecewise_forward)(const Operation *op, Pass *pass) {
    const int64_t n_inputs = op->size[0], n_numbers = op->size[1];
    const int64_t n_terms = op->size[2], width = op->size[3];
    const int64_t n_others = n_inputs - n_numbers;
    const int64_t n_outputs = n_inputs + n_numbers * width;
    const int64_t size = n_terms * width;
    const REAL *low = op->pointer[1], *inverse = op->pointer[2];
    const REAL *weight = op->pointer[3], *bias = op->pointer[4];
    REAL *prefix = op->pointer[6], *edges = op->pointer[9];
    for (int64_t t = 0; t < n_numbers * n_terms; t++)
        edges[t] = inverse[t] > 0 ? low[t] : (REAL)INFINITY;
    for (int64_t j = 0; j < n_numbers; j++) {
        const REAL *w = weight + j * size;
        REAL *sum = prefix + j * size;
        for (int64_t c = 0; c < width; c++)
            sum[c] = bias[j * width + c];
        for (int64_t c = width; c < size; c++)
            sum[c] = sum[c - width] + w[c - width];
    }
    NAME(find_bins)(op, pass->n);
    for (int64_t i = 0; i < pass->n; i++) {
        const REAL *x = (const REAL *)op->pointer[0] + i * n_inputs;
        REAL *y = (REAL *)op->pointer[5] + i * n_outputs;
        const int32_t *bins = (const int32_t *)op->pointer[7] + i * n_numbers;
        const REAL *positions = (const REAL *)op->pointer[8] + i * n_numbers;
        memcpy(y, x, (size_t)n_numbers * sizeof(REAL));
        REAL *vector = y + n_numbers;
        for (int64_t j = 0; j < n_numbers; j++, vector += width) {
            const REAL position = positions[j];
            const REAL *w = weight + bins[j] * width, *sum = prefix + bins[j] * width;
            for (int64_t c = 0; c < width; c++)
                vector[c] = sum[c] + position * w[c];
        }
        memcpy(vector, x + n_numbers, (size_t)n_others * sizeof(REAL));
    }
}

/* Sizes: as above.  Pointers: grad (n rows, n_outputs), bins, positions, weight_grad,
 * bias_grad, sums (2, n_numbers, n_terms, width), kept from slab to slab. */
static void NAME(piecewise_backward)(const Operation *op, Pass *pass) {
    const int64_t n_inputs = op->size[0], n_numbers = op->size[1];
    const int64_t n_terms = op->size[2], width = op->size[3];
    const int64_t n_outputs = n_inputs + n_numbers * width;
    const int64_t size = n_terms * width;
    REAL *weight_grad = op->pointer[3], *bias_grad = op->pointer[4];
    REAL *sums = op->pointer[5], *moments = sums + n_numbers * size;
    if (!pass->accumulate)
        memset(sums, 0, (size_t)(2 * n_numbers * size) * sizeof(REAL));
    for (int64_t i = 0; i < pass->n; i++) {
        const REAL *grad = (const REAL *)op->pointer[0] + i * n_outputs + n_numbers;
        const int32_t *bins = (const int32_t *)op->pointer[1] + i * n_numbers;
        const REAL *positions = (const REAL *)op->pointer[2] + i * n_numbers;
        for (int64_t j = 0; j < n_numbers; j++, grad += width) {
            const int64_t at = bins[j] * width;
            const REAL position = positions[j];
            for (int64_t c = 0; c < width; c++) {
                sums[at + c] += grad[c];
                moments[at + c] += grad[c] * position;
            }
        }
    }
    for (int64_t j = 0; j < n_numbers; j++) {
        REAL *above = bias_grad + j * width;
        for (int64_t c = 0; c < width; c++)
            above[c] = 0;
        for (int64_t t = n_terms - 1; t >= 0; t--) {
            const int64_t at = j * size + t * width;
            for (int64_t c = 0; c < width; c++) {
                weight_grad[at + c] = moments[at + c] + above[c];
                above[c] += sums[at + c];
            }
        }
    }
}
