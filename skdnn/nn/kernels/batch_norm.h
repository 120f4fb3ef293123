/* Batch norm, as `BatchNorm` of `skdnn/nn/layers.py` has it.
 *
 * It couples the rows of a batch, so that these never come in slabs: `pass->n` is the
 * whole batch, or a part of it. What parts add up is in a table with a row for each of
 * them; they meet before they read those of the others.
 */

static int64_t NAME(rows_of_batch)(const Pass *pass) {
    return (int64_t)(1 / pass->factor + 0.5);
}

static REAL NAME(weight_of_row)(const Pass *pass, const REAL *weight, int64_t n_columns,
                                int64_t column, int64_t i) {
    return weight ? weight[table_row(pass, i) * n_columns + column] : 1;
}

/* Sum the rows by their weights, or where they have none all together, as they are.
 * Sizes: width, weight columns (0: none), weight column of this member.  Pointers: x,
 * weight, a table of all rows, or NULL, sums (1 + width): of weights, and of rows. */
static void NAME(batch_norm_sums)(const Operation *op, Pass *pass) {
    const int64_t d = op->size[0], n = pass->n;
    const REAL *x = op->pointer[0], *weight = op->pointer[1];
    REAL *restrict sums = op->pointer[2];
    double total = 0;
    for (int64_t i = 0; i < n; i++)
        total += (double)NAME(weight_of_row)(pass, weight, op->size[1], op->size[2], i);
    memset(sums, 0, (size_t)(1 + d) * sizeof(REAL));
    for (int64_t i = 0; i < n; i++) {
        REAL w = NAME(weight_of_row)(pass, weight, op->size[1], op->size[2], i);
        if (total == 0)
            w = 1;
        for (int64_t j = 0; j < d; j++)
            sums[1 + j] += w * x[i * d + j];
    }
    sums[0] = (REAL)total;
}

/* Sum the squares of deviations from the mean by the shares of the rows.  A batch may
 * have nothing for a member: then all rows count the same.  Sizes: width, weight columns,
 * weight column, parts.  Pointers: x, weight, sums of all parts, running mean, mean
 * (width), share (n), squares (width). */
static void NAME(batch_norm_squares)(const Operation *op, Pass *pass) {
    const int64_t d = op->size[0], n = pass->n, n_parts = op->size[3];
    const REAL *x = op->pointer[0], *weight = op->pointer[1], *sums = op->pointer[2];
    REAL *restrict mean = op->pointer[4], *restrict share = op->pointer[5];
    REAL *restrict squares = op->pointer[6];
    REAL total = 0;
    for (int64_t part = 0; part < n_parts; part++)
        total += sums[part * (1 + d)];
    const int is_nothing = total == 0;
    const REAL whole = is_nothing ? (REAL)NAME(rows_of_batch)(pass) : total;
    memset(mean, 0, (size_t)d * sizeof(REAL));
    for (int64_t part = 0; part < n_parts; part++) {
        const REAL *of_part = sums + part * (1 + d);
        if (is_nothing || of_part[0] != 0)
            for (int64_t j = 0; j < d; j++)
                mean[j] += of_part[1 + j] / whole;
    }
    /* One row has no variance of its own. */
    const REAL *center = NAME(rows_of_batch)(pass) == 1 ? op->pointer[3] : mean;
    memset(squares, 0, (size_t)d * sizeof(REAL));
    for (int64_t i = 0; i < n; i++) {
        REAL w = NAME(weight_of_row)(pass, weight, op->size[1], op->size[2], i);
        share[i] = (is_nothing ? 1 : w) / whole;
        for (int64_t j = 0; j < d; j++) {
            const REAL deviation = x[i * d + j] - center[j];
            squares[j] += share[i] * (deviation * deviation);
        }
    }
}

/* average += (1 - momentum) * (value - average) */
static void NAME(move)(int64_t d, double momentum, const REAL *restrict value,
                       REAL *restrict average) {
    const REAL step = (REAL)(1 - momentum);
    for (int64_t j = 0; j < d; j++)
        average[j] += (value[j] - average[j]) * step;
}

/* Standardize over the batch, multiply by gamma, add beta; the last part, which always
 * has a row, moves the running averages.  Sizes: width, parts, whether this is the last.
 * Scalars: momentum, epsilon.  Pointers: x, y, which may be x, x_hat, gamma, beta,
 * running mean, running var, inv_std (width), mean, squares of all parts, scratch
 * (width). */
static void NAME(batch_norm_forward)(const Operation *op, Pass *pass) {
    const int64_t d = op->size[0], n = pass->n, is_last = op->size[2];
    const REAL epsilon = (REAL)op->scalar[1];
    const REAL *x = op->pointer[0], *squares = op->pointer[9];
    REAL *y = op->pointer[1], *x_hat = op->pointer[2];
    const REAL *restrict gamma = op->pointer[3], *restrict beta = op->pointer[4];
    REAL *running_mean = op->pointer[5], *running_var = op->pointer[6];
    REAL *restrict inv_std = op->pointer[7], *restrict batch_var = op->pointer[10];
    const REAL *mean = op->pointer[8], *var = batch_var;

    if (n == 0)
        return;
    memset(batch_var, 0, (size_t)d * sizeof(REAL));
    for (int64_t part = 0; part < op->size[1]; part++)
        for (int64_t j = 0; j < d; j++)
            batch_var[j] += squares[part * d + j];
    if (is_last) {
        NAME(move)(d, op->scalar[0], batch_var, running_var);
        NAME(move)(d, op->scalar[0], mean, running_mean);
    }
    if (NAME(rows_of_batch)(pass) == 1)
        mean = running_mean, var = running_var;
    for (int64_t j = 0; j < d; j++)
        inv_std[j] = 1 / NAME(square_root)(var[j] + epsilon);
    for (int64_t i = 0; i < n; i++)
#pragma omp simd
        for (int64_t j = 0; j < d; j++) {
            const REAL standardized = (x[i * d + j] - mean[j]) * inv_std[j];
            x_hat[i * d + j] = standardized;
            y[i * d + j] = standardized * gamma[j] + beta[j];
        }
}

/* Gradients of gamma and beta, which all parts need.  Sizes: width.  Pointers: grad,
 * x_hat, gamma_grad, beta_grad, sums (2 * width), for both. */
static void NAME(batch_norm_backward_sums)(const Operation *op, Pass *pass) {
    const int64_t d = op->size[0];
    const REAL *restrict grad = op->pointer[0], *restrict x_hat = op->pointer[1];
    REAL *restrict sums = op->pointer[4];
    memset(sums, 0, (size_t)(2 * d) * sizeof(REAL));
    for (int64_t i = 0; i < pass->n; i++)
        for (int64_t j = 0; j < d; j++) {
            sums[d + j] += grad[i * d + j];
            sums[j] += grad[i * d + j] * x_hat[i * d + j];
        }
    memcpy(op->pointer[2], sums, (size_t)d * sizeof(REAL));
    memcpy(op->pointer[3], sums + d, (size_t)d * sizeof(REAL));
}

/* Turn the gradient of the output into that of the input.  Sizes: width, parts.
 * Pointers: grad, in place, x_hat, gamma, inv_std, share, sums of all parts, scratch
 * (3 * width). */
static void NAME(batch_norm_backward)(const Operation *op, Pass *pass) {
    const int64_t d = op->size[0], n = pass->n;
    REAL *restrict grad = op->pointer[0];
    const REAL *restrict x_hat = op->pointer[1], *restrict gamma = op->pointer[2];
    const REAL *restrict inv_std = op->pointer[3], *restrict share = op->pointer[4];
    const REAL *sums = op->pointer[5];
    REAL *restrict gamma_grad = op->pointer[6];
    REAL *restrict beta_grad = gamma_grad + d, *restrict factor = gamma_grad + 2 * d;

    memset(gamma_grad, 0, (size_t)(2 * d) * sizeof(REAL));
    for (int64_t part = 0; part < op->size[1]; part++)
        for (int64_t j = 0; j < 2 * d; j++)
            gamma_grad[j] += sums[part * 2 * d + j];
    for (int64_t j = 0; j < d; j++)
        factor[j] = gamma[j] * inv_std[j];
    for (int64_t i = 0; i < n; i++) {
        if (NAME(rows_of_batch)(pass) == 1) {
            /* standardized by the running statistics, which are constants */
            for (int64_t j = 0; j < d; j++)
                grad[j] *= factor[j];
            break;
        }
        /* x_hat has mean 0 and variance 1 whatever x is, so the parts of the gradient
         * along the constant vector and along x_hat cannot reach x. */
        for (int64_t j = 0; j < d; j++) {
            const REAL lost = x_hat[i * d + j] * gamma_grad[j] + beta_grad[j];
            grad[i * d + j] = (grad[i * d + j] - lost * share[i]) * factor[j];
        }
    }
}

/* Columns that a prediction standardizes at a time, by factors that stay in the cache. */
#define BATCH_NORM_STRIP 64

/* Standardize by the running statistics.  Sizes: width.  Scalars: epsilon.  Pointers: x,
 * y, which may be x, gamma, beta, running mean, running var. */
static void NAME(batch_norm_predict)(const Operation *op, Pass *pass) {
    const int64_t d = op->size[0];
    const REAL epsilon = (REAL)op->scalar[0];
    REAL factor[BATCH_NORM_STRIP], offset[BATCH_NORM_STRIP];
    for (int64_t start = 0; start < d; start += BATCH_NORM_STRIP) {
        const int64_t width = d - start < BATCH_NORM_STRIP ? d - start : BATCH_NORM_STRIP;
        const REAL *gamma = (const REAL *)op->pointer[2] + start;
        const REAL *beta = (const REAL *)op->pointer[3] + start;
        const REAL *mean = (const REAL *)op->pointer[4] + start;
        const REAL *var = (const REAL *)op->pointer[5] + start;
        for (int64_t j = 0; j < width; j++) {
            factor[j] = gamma[j] / NAME(square_root)(var[j] + epsilon);
            offset[j] = beta[j] - mean[j] * factor[j];
        }
        for (int64_t i = 0; i < pass->n; i++) {
            const REAL *x = (const REAL *)op->pointer[0] + i * d + start;
            REAL *y = (REAL *)op->pointer[1] + i * d + start;
#pragma omp simd
            for (int64_t j = 0; j < width; j++)
                y[j] = x[j] * factor[j] + offset[j];
        }
    }
}
