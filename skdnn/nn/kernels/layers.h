/* Layers between embeddings and losses: products, gains, norms, shortcuts.
 *
 * Arrays of rows are (n, width), in C order.  A backward kernel adds to its gradients of
 * parameters where `pass->accumulate` says so.  "Adds" as a size says the same of an
 * operation, for what members share.
 */

/* z = multiplier * x @ weight.  Sizes: n_inputs, n_outputs.  Scalars: multiplier.
 * Pointers: x, weight, z. */
static void NAME(dense_forward)(const Operation *op, Pass *pass) {
    NAME(product)(pass->blas, 0, 0, pass->n, op->size[1], op->size[0], op->scalar[0],
                  op->pointer[0], op->pointer[1], 0, op->pointer[2]);
}

/* weight_grad = multiplier * x^T @ grad.  Sizes: n_inputs, n_outputs, adds.  Scalars:
 * multiplier.  Pointers: x, grad, weight_grad. */
static void NAME(dense_backward_weight)(const Operation *op, Pass *pass) {
    const double keep = pass->accumulate || op->size[2];
    NAME(product)(pass->blas, 1, 0, op->size[0], op->size[1], pass->n, op->scalar[0],
                  op->pointer[0], op->pointer[1], keep, op->pointer[2]);
}

/* grad_x = multiplier * grad @ weight^T.  Sizes: n_inputs, n_outputs, adds.  Scalars:
 * multiplier.  Pointers: grad, weight, grad_x. */
static void NAME(dense_backward_input)(const Operation *op, Pass *pass) {
    NAME(product)(pass->blas, 0, 1, pass->n, op->size[0], op->size[1], op->scalar[0],
                  op->pointer[0], op->pointer[1], (double)op->size[2], op->pointer[2]);
}

/* y = x * gain.  Sizes: width.  Pointers: x, gain, y. */
static void NAME(scale_forward)(const Operation *op, Pass *pass) {
    const int64_t d = op->size[0];
    const REAL *restrict gain = op->pointer[1];
    for (int64_t i = 0; i < pass->n; i++) {
        const REAL *x = (const REAL *)op->pointer[0] + i * d;
        REAL *y = (REAL *)op->pointer[2] + i * d;
        for (int64_t j = 0; j < d; j++)
            y[j] = x[j] * gain[j];
    }
}

/* gain_grad = sum(grad * x), grad_x = grad * gain.  Sizes: width, adds to grad_x.
 * Pointers: x, gain, grad, gain_grad, grad_x, which may be grad, or NULL. */
static void NAME(scale_backward)(const Operation *op, Pass *pass) {
    const int64_t d = op->size[0], adds = op->size[1];
    const REAL *restrict gain = op->pointer[1];
    REAL *restrict gain_grad = op->pointer[3];
    if (!pass->accumulate)
        memset(gain_grad, 0, (size_t)d * sizeof(REAL));
    for (int64_t i = 0; i < pass->n; i++) {
        const REAL *x = (const REAL *)op->pointer[0] + i * d;
        const REAL *grad = (const REAL *)op->pointer[2] + i * d;
        for (int64_t j = 0; j < d; j++)
            gain_grad[j] += grad[j] * x[j];
        if (!op->pointer[4])
            continue;
        REAL *grad_x = (REAL *)op->pointer[4] + i * d;
        if (adds)
            for (int64_t j = 0; j < d; j++)
                grad_x[j] += grad[j] * gain[j];
        else
            for (int64_t j = 0; j < d; j++)
                grad_x[j] = grad[j] * gain[j];
    }
}

/* End a branch: y = branch_scale * x + shortcut, on the columns that both have.  Sizes:
 * width, width of the shortcut.  Scalars: branch_scale.  Pointers: x, shortcut, y, which
 * may be x. */
static void NAME(join_forward)(const Operation *op, Pass *pass) {
    const int64_t d = op->size[0], d_shortcut = op->size[1];
    const int64_t common = d < d_shortcut ? d : d_shortcut;
    const REAL branch_scale = (REAL)op->scalar[0];
    for (int64_t i = 0; i < pass->n; i++) {
        const REAL *x = (const REAL *)op->pointer[0] + i * d;
        const REAL *shortcut = (const REAL *)op->pointer[1] + i * d_shortcut;
        REAL *y = (REAL *)op->pointer[2] + i * d;
#pragma omp simd
        for (int64_t j = 0; j < common; j++)
            y[j] = x[j] * branch_scale + shortcut[j];
#pragma omp simd
        for (int64_t j = common; j < d; j++)
            y[j] = x[j] * branch_scale;
    }
}

/* shortcut_grad = grad, then grad *= branch_scale.  Sizes: width.  Scalars: branch_scale.
 * Pointers: grad, shortcut_grad. */
static void NAME(join_backward)(const Operation *op, Pass *pass) {
    const int64_t size = pass->n * op->size[0];
    const REAL branch_scale = (REAL)op->scalar[0];
    REAL *restrict grad = op->pointer[0], *restrict shortcut_grad = op->pointer[1];
    for (int64_t i = 0; i < size; i++) {
        shortcut_grad[i] = grad[i];
        grad[i] *= branch_scale;
    }
}

/* Where a branch began: grad += shortcut_grad, on the columns that both have.  Sizes:
 * width, width of the shortcut_grad.  Pointers: grad, shortcut_grad. */
static void NAME(add)(const Operation *op, Pass *pass) {
    const int64_t d = op->size[0], d_shortcut = op->size[1];
    const int64_t common = d < d_shortcut ? d : d_shortcut;
    for (int64_t i = 0; i < pass->n; i++) {
        REAL *restrict grad = (REAL *)op->pointer[0] + i * d;
        const REAL *restrict shortcut_grad =
            (const REAL *)op->pointer[1] + i * d_shortcut;
        for (int64_t j = 0; j < common; j++)
            grad[j] += shortcut_grad[j];
    }
}
