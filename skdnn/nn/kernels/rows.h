/* Rows of a table come into a program, and parts of a batch wait for each other. */

/* Nothing: `run.c` looks for it. */
static void NAME(meet)(const Operation *op, Pass *pass) {
    (void)op, (void)pass;
}

/* Copy the rows of the pass.  Sizes: n_columns.  Pointers: table, x. */
static void NAME(gather)(const Operation *op, Pass *pass) {
    const int64_t d = op->size[0];
    const REAL *table = op->pointer[0];
    REAL *x = op->pointer[1];
    if (!pass->rows) {
        memcpy(x, table + pass->first * d, (size_t)(pass->n * d) * sizeof(REAL));
        return;
    }
    for (int64_t i = 0; i < pass->n; i++) {
        const REAL *row = table + pass->rows[i] * d;
        REAL *out = x + i * d;
        for (int64_t j = 0; j < d; j++)
            out[j] = row[j];
    }
}

/* Make rows of a CSR table dense: a common row, and where others differ from it.
 * Sizes: n_columns, whether indices are of 64 bits.  Pointers: data, indices, indptr,
 * common, x. */
static void NAME(gather_sparse)(const Operation *op, Pass *pass) {
    const int64_t d = op->size[0], is_wide = op->size[1];
    const REAL *data = op->pointer[0], *common = op->pointer[3];
    const int32_t *indices = op->pointer[1], *indptr = op->pointer[2];
    const int64_t *wide_indices = op->pointer[1], *wide_indptr = op->pointer[2];
    for (int64_t i = 0; i < pass->n; i++) {
        const int64_t row = table_row(pass, i);
        REAL *x = (REAL *)op->pointer[4] + i * d;
        memcpy(x, common, (size_t)d * sizeof(REAL));
        if (is_wide)
            for (int64_t k = wide_indptr[row]; k < wide_indptr[row + 1]; k++)
                x[wide_indices[k]] = data[k];
        else
            for (int32_t k = indptr[row]; k < indptr[row + 1]; k++)
                x[indices[k]] = data[k];
    }
}
