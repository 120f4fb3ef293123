/* Batch norm, as `BatchNorm` of `skdnn/nn/layers.py` has it.
 *
 * It couples the rows of a batch, so that these never come in slabs: `pass->n` is the
 * whole batch.
 */

/* Write the share of each row in the weight of the batch.  A batch may have nothing for
 * a member: then all rows count the same. */
static void NAME(shares)(const Pass *pass, const REAL *weight, int64_t n_columns,
                         int64_t column, REAL *share) {
    const int64_t n = pass->n;
    double total = 0;
    for (int64_t i = 0; i < n; i++) {
        share[i] = weight ? weight[table_row(pass, i) * n_columns + column] : 0;
        total += (double)share[i];
    }
    const int is_nothing = total == 0;
    const REAL added = is_nothing ? 1 : 0, whole = (REAL)(is_nothing ? (double)n : total);
    for (int64_t i = 0; i < n; i++)
        share[i] = (share[i] + added) / whole;
}

/* average += (1 - momentum) * (value - average) */
static void NAME(move)(int64_t d, double momentum, const REAL *restrict value,
                       REAL *restrict average) {
    const REAL step = (REAL)(1 - momentum);
    for (int64_t j = 0; j < d; j++)
        average[j] += (value[j] - average[j]) * step;
}

/* Standardize over the batch, multiply by gamma, add beta; move the running averages.
 * Sizes: width, weight columns (0: none), weight column of this member.  Scalars:
 * momentum, epsilon.  Pointers: x, y, which may be x, x_hat, gamma, beta, running mean,
 * running var, inv_std (width), scratch (width), scratch (width), share (n), weight, a
 * table of all rows, or NULL. */
static void NAME(batch_norm_forward)(const Operation *op, Pass *pass) {
    const int64_t d = op->size[0], n = pass->n;
    const double momentum = op->scalar[0];
    const REAL epsilon = (REAL)op->scalar[1];
    const REAL *x = op->pointer[0];
    REAL *y = op->pointer[1], *x_hat = op->pointer[2];
    const REAL *restrict gamma = op->pointer[3], *restrict beta = op->pointer[4];
    REAL *running_mean = op->pointer[5], *running_var = op->pointer[6];
    REAL *restrict inv_std = op->pointer[7];
    REAL *restrict batch_mean = op->pointer[8], *restrict batch_var = op->pointer[9];
    REAL *share = op->pointer[10];
    const REAL *mean = batch_mean, *var = batch_var;

    NAME(shares)(pass, op->pointer[11], op->size[1], op->size[2], share);
    memset(batch_mean, 0, (size_t)d * sizeof(REAL));
    memset(batch_var, 0, (size_t)d * sizeof(REAL));
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++)
            batch_mean[j] += share[i] * x[i * d + j];
    /* One row has no variance of its own. */
    if (n == 1)
        mean = running_mean;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) {
            const REAL deviation = x[i * d + j] - mean[j];
            batch_var[j] += share[i] * (deviation * deviation);
        }
    NAME(move)(d, momentum, batch_var, running_var);
    NAME(move)(d, momentum, batch_mean, running_mean);
    if (n == 1)
        var = running_var;
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

/* Turn the gradient of the output into that of the input.  Sizes: width.  Pointers: grad,
 * in place, x_hat, gamma, inv_std, share, gamma_grad, beta_grad, scratch (width). */
static void NAME(batch_norm_backward)(const Operation *op, Pass *pass) {
    const int64_t d = op->size[0], n = pass->n;
    REAL *restrict grad = op->pointer[0];
    const REAL *restrict x_hat = op->pointer[1], *restrict gamma = op->pointer[2];
    const REAL *restrict inv_std = op->pointer[3], *restrict share = op->pointer[4];
    REAL *restrict gamma_grad = op->pointer[5], *restrict beta_grad = op->pointer[6];
    REAL *restrict factor = op->pointer[7];

    memset(gamma_grad, 0, (size_t)d * sizeof(REAL));
    memset(beta_grad, 0, (size_t)d * sizeof(REAL));
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) {
            beta_grad[j] += grad[i * d + j];
            gamma_grad[j] += grad[i * d + j] * x_hat[i * d + j];
        }
    for (int64_t j = 0; j < d; j++)
        factor[j] = gamma[j] * inv_std[j];
    for (int64_t i = 0; i < n; i++) {
        if (n == 1) { /* standardized by the running statistics, which are constants */
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
