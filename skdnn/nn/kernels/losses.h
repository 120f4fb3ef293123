/* Losses, each merged with its link, as `skdnn/nn/losses.py` has them.
 *
 * Every kernel adds `factor * sum_i(weight_i loss_i)` to the value of the pass, and
 * writes the gradient of that.  Sizes: n_outputs, weight columns (0: none), weight column
 * of this member.  Scalars: the parameter of the loss.  Pointers: y, raw, weight, or
 * NULL, grad, which may be raw.  y and weight are tables of all rows: (n_rows, n_outputs)
 * or, for a softmax, (n_rows,) numbers of classes, of 64 bits, and (n_rows, weight
 * columns).
 */

/* How many entries a loss works on at a time: they stay in the first cache, and a loop
 * over so many is worth its vectors, however few outputs there are. */
#define LOSS_BLOCK 256

static inline REAL NAME(row_weight)(const Operation *op, int64_t row) {
    const REAL *weight = op->pointer[2];
    return weight ? weight[row * op->size[1] + op->size[2]] : 1;
}

/* Losses whose entries know nothing of each other */

/* Writes the losses of `n` entries, and their derivatives in `raw`. */
typedef void NAME(Pointwise)(double parameter, int64_t n, const REAL *restrict y,
                             const REAL *restrict raw, REAL *restrict loss,
                             REAL *restrict slope);

/* Copy targets and weights of the entries from `first` on, row by row.  Where there are
 * fewer targets than outputs, they begin anew. */
static void NAME(take_targets)(const Operation *op, const Pass *pass, int64_t n_targets,
                               int64_t first, int64_t n, REAL *restrict y,
                               REAL *restrict weight) {
    const int64_t d = op->size[0];
    const REAL *table = op->pointer[0];
    int64_t i = first / d, j = first % d, target = j % n_targets;
    for (int64_t entry = 0; entry < n; i++, j = 0, target = 0) {
        const int64_t row = table_row(pass, i);
        const REAL w = NAME(row_weight)(op, row);
        for (; j < d && entry < n; j++, entry++) {
            y[entry] = table[row * n_targets + target];
            weight[entry] = w;
            target = target + 1 < n_targets ? target + 1 : 0;
        }
    }
}

/* Write the gradients of `n` entries from `first` on, and return the sum of their losses:
 * in double precision, as one row may be far worse than all others. */
static double NAME(weigh_losses)(const Operation *op, const Pass *pass, int64_t first,
                                 int64_t n, const REAL *restrict loss,
                                 const REAL *restrict slope,
                                 const REAL *restrict weight) {
    const REAL factor = (REAL)pass->factor;
    REAL *restrict grad = (REAL *)op->pointer[3] + first;
    double total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < n; i++)
        total += (double)(loss[i] * weight[i]);
    for (int64_t i = 0; i < n; i++)
        grad[i] = slope[i] * weight[i] * factor;
    return total;
}

static void NAME(sum_pointwise)(const Operation *op, Pass *pass,
                                NAME(Pointwise) *pointwise) {
    const int64_t d = op->size[0], n = pass->n * d;
    REAL y[LOSS_BLOCK], weight[LOSS_BLOCK], loss[LOSS_BLOCK], slope[LOSS_BLOCK];
    double total = 0;
    for (int64_t start = 0; start < n; start += LOSS_BLOCK) {
        const int64_t size = n - start < LOSS_BLOCK ? n - start : LOSS_BLOCK;
        const REAL *raw = (const REAL *)op->pointer[1] + start;
        NAME(take_targets)(op, pass, d, start, size, y, weight);
        pointwise(op->scalar[0], size, y, raw, loss, slope);
        total += NAME(weigh_losses)(op, pass, start, size, loss, slope, weight);
    }
    pass->value += pass->factor * total;
}

static void NAME(log_loss_sigmoid_pointwise)(double smoothing, int64_t n,
                                             const REAL *restrict y,
                                             const REAL *restrict raw,
                                             REAL *restrict loss,
                                             REAL *restrict slope) {
    const REAL kept = (REAL)(1 - smoothing), spread = (REAL)(smoothing / 2);
    for (int64_t i = 0; i < n; i++) {
        const REAL x = raw[i], target = y[i] * kept + spread;
        const REAL e = NAME(exp)(x < 0 ? x : -x); /* exp(-|x|) */
        const REAL p = (x < 0 ? e : 1) / (1 + e);
        const REAL log_p = (x < 0 ? x : 0) - NAME(log1p_unit)(e);
        loss[i] = x - target * x - log_p;
        slope[i] = p - target;
    }
}

/* Scalars: label_smoothing. */
static void NAME(log_loss_sigmoid)(const Operation *op, Pass *pass) {
    NAME(sum_pointwise)(op, pass, NAME(log_loss_sigmoid_pointwise));
}

static void NAME(squared_error_identity_pointwise)(double unused, int64_t n,
                                                   const REAL *restrict y,
                                                   const REAL *restrict raw,
                                                   REAL *restrict loss,
                                                   REAL *restrict slope) {
    (void)unused;
    for (int64_t i = 0; i < n; i++) {
        const REAL error = raw[i] - y[i];
        loss[i] = error * error * (REAL)0.5;
        slope[i] = error;
    }
}

static void NAME(squared_error_identity)(const Operation *op, Pass *pass) {
    NAME(sum_pointwise)(op, pass, NAME(squared_error_identity_pointwise));
}

static void NAME(squared_error_sigmoid_pointwise)(double unused, int64_t n,
                                                  const REAL *restrict y,
                                                  const REAL *restrict raw,
                                                  REAL *restrict loss,
                                                  REAL *restrict slope) {
    (void)unused;
    for (int64_t i = 0; i < n; i++) {
        const REAL a = NAME(sigmoid)(raw[i]), error = a - y[i];
        loss[i] = error * error * (REAL)0.5;
        slope[i] = error * ((1 - a) * a);
    }
}

static void NAME(squared_error_sigmoid)(const Operation *op, Pass *pass) {
    NAME(sum_pointwise)(op, pass, NAME(squared_error_sigmoid_pointwise));
}

static void NAME(absolute_error_pointwise)(double unused, int64_t n,
                                           const REAL *restrict y,
                                           const REAL *restrict raw,
                                           REAL *restrict loss, REAL *restrict slope) {
    (void)unused;
    for (int64_t i = 0; i < n; i++) {
        const REAL error = raw[i] - y[i];
        loss[i] = error < 0 ? -error : error;
        /* What is neither is 0, or NaN. */
        slope[i] = error > 0 ? 1 : error < 0 ? -1 : error;
    }
}

static void NAME(absolute_error)(const Operation *op, Pass *pass) {
    NAME(sum_pointwise)(op, pass, NAME(absolute_error_pointwise));
}

static void NAME(huber_pointwise)(double parameter, int64_t n, const REAL *restrict y,
                                  const REAL *restrict raw, REAL *restrict loss,
                                  REAL *restrict slope) {
    const REAL delta = (REAL)parameter;
    for (int64_t i = 0; i < n; i++) {
        const REAL error = raw[i] - y[i];
        const REAL g = error < -delta ? -delta : error > delta ? delta : error;
        loss[i] = (error - g * (REAL)0.5) * g;
        slope[i] = g;
    }
}

/* Scalars: delta. */
static void NAME(huber)(const Operation *op, Pass *pass) {
    NAME(sum_pointwise)(op, pass, NAME(huber_pointwise));
}

/* Repeat a number of each output for `n` entries from `first` on. */
static void NAME(repeat_outputs)(const REAL *restrict of_output, int64_t d,
                                 int64_t first, int64_t n, REAL *restrict of_entry) {
    int64_t j = first % d;
    for (int64_t i = 0; i < n; i++) {
        of_entry[i] = of_output[j];
        j = j + 1 < d ? j + 1 : 0;
    }
}

/* Of an output whose level is below 0, a squared error, else the loss of that quantile. */
static void NAME(quantile_pointwise)(REAL strength, int64_t n,
                                     const REAL *restrict level, const REAL *restrict y,
                                     const REAL *restrict raw, REAL *restrict loss,
                                     REAL *restrict slope) {
    for (int64_t i = 0; i < n; i++) {
        const REAL error = raw[i] - y[i];
        const REAL g = ((error > 0 ? (REAL)1 : (REAL)0) - level[i]) * strength;
        const int is_mean = level[i] < 0;
        slope[i] = is_mean ? error : g;
        loss[i] = (is_mean ? error * (REAL)0.5 : error) * slope[i];
    }
}

/* Unlike the others, it has a parameter for each output.  Pointers: also these. */
static void NAME(sum_quantiles)(const Operation *op, Pass *pass, int64_t n_targets,
                                REAL strength) {
    const int64_t d = op->size[0], n = pass->n * d;
    REAL y[LOSS_BLOCK], weight[LOSS_BLOCK], loss[LOSS_BLOCK], slope[LOSS_BLOCK];
    REAL level[LOSS_BLOCK];
    double total = 0;
    for (int64_t start = 0; start < n; start += LOSS_BLOCK) {
        const int64_t size = n - start < LOSS_BLOCK ? n - start : LOSS_BLOCK;
        const REAL *raw = (const REAL *)op->pointer[1] + start;
        NAME(take_targets)(op, pass, n_targets, start, size, y, weight);
        NAME(repeat_outputs)(op->pointer[4], d, start, size, level);
        NAME(quantile_pointwise)(strength, size, level, y, raw, loss, slope);
        total += NAME(weigh_losses)(op, pass, start, size, loss, slope, weight);
    }
    pass->value += pass->factor * total;
}

/* A target for each output. */
static void NAME(quantile)(const Operation *op, Pass *pass) {
    NAME(sum_quantiles)(op, pass, op->size[0], 1);
}

/* Outputs of the targets, then of all the quantiles of them.  Scalars: strength of the
 * quantiles.  Sizes: also the number of targets. */
static void NAME(squared_error_and_quantiles)(const Operation *op, Pass *pass) {
    NAME(sum_quantiles)(op, pass, op->size[3], (REAL)op->scalar[0]);
}

static void NAME(poisson_pointwise)(double unused, int64_t n, const REAL *restrict y,
                                    const REAL *restrict raw, REAL *restrict loss,
                                    REAL *restrict slope) {
    (void)unused;
    for (int64_t i = 0; i < n; i++)
        loss[i] = y[i] == 0 ? 0 : y[i] * NAME(logarithm)(y[i]);
    for (int64_t i = 0; i < n; i++) {
        const REAL mean = NAME(exp)(raw[i]);
        loss[i] = loss[i] - y[i] + mean - y[i] * raw[i];
        slope[i] = mean - y[i];
    }
}

static void NAME(poisson)(const Operation *op, Pass *pass) {
    NAME(sum_pointwise)(op, pass, NAME(poisson_pointwise));
}

static void NAME(gamma_pointwise)(double unused, int64_t n, const REAL *restrict y,
                                  const REAL *restrict raw, REAL *restrict loss,
                                  REAL *restrict slope) {
    (void)unused;
    for (int64_t i = 0; i < n; i++)
        loss[i] = NAME(logarithm)(y[i]);
    for (int64_t i = 0; i < n; i++) {
        const REAL ratio = y[i] * NAME(exp)(-raw[i]);
        loss[i] = raw[i] - loss[i] + ratio - 1;
        slope[i] = 1 - ratio;
    }
}

static void NAME(gamma)(const Operation *op, Pass *pass) {
    NAME(sum_pointwise)(op, pass, NAME(gamma_pointwise));
}

/* Losses of a softmax */

/* Most rows that go through at a time. */
#define SOFTMAX_ROWS 64

/* Rows of fewer classes are too short for a loop along them: they take less time column
 * by column. */
#define SOFTMAX_NARROW 16

/* How many rows of `k` classes fill a block. */
static inline int64_t NAME(softmax_rows)(int64_t k) {
    const int64_t n = LOSS_BLOCK / k;
    return n < 1 ? 1 : n > SOFTMAX_ROWS ? SOFTMAX_ROWS : n;
}

/* Write the maximum of each row.  That of a row with NaN may be any: the sum of the
 * exponentials is NaN anyway, and with it the whole row. */
static void NAME(row_maxima)(int64_t n, int64_t k, const REAL *restrict x,
                             REAL *restrict out) {
    if (k < SOFTMAX_NARROW) {
        for (int64_t i = 0; i < n; i++)
            out[i] = x[i * k];
        for (int64_t j = 1; j < k; j++)
            for (int64_t i = 0; i < n; i++)
                out[i] = x[i * k + j] > out[i] ? x[i * k + j] : out[i];
        return;
    }
    for (int64_t i = 0; i < n; i++, x += k) {
        REAL largest = x[0];
#pragma omp simd reduction(max : largest)
        for (int64_t j = 1; j < k; j++)
            largest = x[j] > largest ? x[j] : largest;
        out[i] = largest;
    }
}

static void NAME(row_sums)(int64_t n, int64_t k, const REAL *restrict x,
                           REAL *restrict out) {
    if (k < SOFTMAX_NARROW) {
        for (int64_t i = 0; i < n; i++)
            out[i] = x[i * k];
        for (int64_t j = 1; j < k; j++)
            for (int64_t i = 0; i < n; i++)
                out[i] += x[i * k + j];
        return;
    }
    for (int64_t i = 0; i < n; i++, x += k) {
        REAL sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t j = 0; j < k; j++)
            sum += x[j];
        out[i] = sum;
    }
}

/* out = x * factor - offset, with a factor and an offset for each row.  `out` may be `x`.
 */
static void NAME(scale_rows)(int64_t n, int64_t k, const REAL *x, const REAL *factor,
                             const REAL *offset, REAL *out) {
    if (k < SOFTMAX_NARROW) {
        for (int64_t j = 0; j < k; j++)
#pragma omp simd
            for (int64_t i = 0; i < n; i++)
                out[i * k + j] = x[i * k + j] * factor[i] - offset[i];
        return;
    }
    for (int64_t i = 0; i < n; i++, x += k, out += k) {
        const REAL f = factor[i], o = offset[i];
#pragma omp simd
        for (int64_t j = 0; j < k; j++)
            out[j] = x[j] * f - o;
    }
}

/* A block of rows on their way through a softmax, with what belongs to each. */
typedef struct {
    int64_t n, k;
    REAL *p; /* where the gradient goes: exponentials of what was shifted by the maximum */
    REAL sum[SOFTMAX_ROWS], weight[SOFTMAX_ROWS];
    int64_t target[SOFTMAX_ROWS];
} NAME(Softmax);

/* Shift the rows from `start` on, and take their targets and weights. */
static void NAME(begin_softmax)(const Operation *op, const Pass *pass, int64_t start,
                                NAME(Softmax) *rows) {
    const int64_t k = op->size[0], block = NAME(softmax_rows)(k);
    const int64_t n = pass->n - start < block ? pass->n - start : block;
    const REAL *raw = (const REAL *)op->pointer[1] + start * k;
    REAL largest[SOFTMAX_ROWS], ones[SOFTMAX_ROWS];
    rows->n = n;
    rows->k = k;
    rows->p = (REAL *)op->pointer[3] + start * k;
    for (int64_t i = 0; i < n; i++) {
        const int64_t row = table_row(pass, start + i);
        rows->target[i] = ((const int64_t *)op->pointer[0])[row];
        rows->weight[i] = NAME(row_weight)(op, row);
        ones[i] = 1;
    }
    NAME(row_maxima)(n, k, raw, largest);
    NAME(scale_rows)(n, k, raw, ones, largest, rows->p);
}

static void NAME(finish_softmax)(NAME(Softmax) *rows) {
    const int64_t size = rows->n * rows->k;
    REAL *restrict p = rows->p;
    for (int64_t i = 0; i < size; i++)
        p[i] = NAME(exp)(p[i]);
    NAME(row_sums)(rows->n, rows->k, p, rows->sum);
}

/* Scalars: label_smoothing. */
static void NAME(log_loss_softmax)(const Operation *op, Pass *pass) {
    const int64_t k = op->size[0];
    const double smoothing = op->scalar[0];
    const REAL kept = (REAL)(1 - smoothing), spread = (REAL)(smoothing / (double)k);
    REAL chosen[SOFTMAX_ROWS], scale[SOFTMAX_ROWS];
    REAL factor[SOFTMAX_ROWS], even[SOFTMAX_ROWS];
    NAME(Softmax) rows;
    double total = 0;
    for (int64_t start = 0; start < pass->n; start += rows.n) {
        NAME(begin_softmax)(op, pass, start, &rows);
        if (smoothing != 0) /* as infinity times zero is NaN */
            NAME(row_sums)(rows.n, k, rows.p, even);
        for (int64_t i = 0; i < rows.n; i++) {
            chosen[i] = rows.p[i * k + rows.target[i]];
            if (smoothing != 0)
                chosen[i] = chosen[i] * kept + even[i] * spread;
        }
        NAME(finish_softmax)(&rows);
        for (int64_t i = 0; i < rows.n; i++) {
            const REAL loss = NAME(logarithm)(rows.sum[i]) - chosen[i];
            total += (double)(loss * rows.weight[i]);
            scale[i] = rows.weight[i] * (REAL)pass->factor;
            factor[i] = scale[i] / rows.sum[i];
            even[i] = scale[i] * spread;
        }
        NAME(scale_rows)(rows.n, k, rows.p, factor, even, rows.p);
        for (int64_t i = 0; i < rows.n; i++)
            rows.p[i * k + rows.target[i]] -= scale[i] * kept;
    }
    pass->value += pass->factor * total;
}

static void NAME(squared_error_softmax)(const Operation *op, Pass *pass) {
    const int64_t k = op->size[0];
    NAME(Softmax) rows;
    double total = 0;
    for (int64_t start = 0; start < pass->n; start += rows.n) {
        NAME(begin_softmax)(op, pass, start, &rows);
        NAME(finish_softmax)(&rows);
        for (int64_t i = 0; i < rows.n; i++) {
            REAL *p = rows.p + i * k, *of_target = p + rows.target[i];
            const REAL share = 1 / rows.sum[i], right = *of_target * share;
            const REAL scale = rows.weight[i] * (REAL)pass->factor;
            REAL squares = 0; /* of the other classes */
            *of_target = 0;
#pragma omp simd reduction(+ : squares)
            for (int64_t j = 0; j < k; j++) {
                p[j] *= share;
                squares += p[j] * p[j];
            }
            /* The Jacobian of the softmax is diag(p) - p p^T. */
            const REAL error = right - 1, mean = squares + error * right;
            total += (double)((squares + error * error) * (REAL)0.5 * rows.weight[i]);
            for (int64_t j = 0; j < k; j++)
                p[j] = (p[j] - mean) * p[j] * scale;
            *of_target = (error - mean) * right * scale;
        }
    }
    pass->value += pass->factor * total;
}
