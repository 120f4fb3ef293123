/* Optimizers, as `skdnn/nn/optimizers.py` has them.
 *
 * Each moves one run of parameters that are trained alike, and adds their penalty to the
 * value of the pass.  Sizes: n, decayed (whether penalty and decay act).  Scalars:
 * multiplier of the rate, penalty, weight_decay, then the hyperparameters.  Pointers: w,
 * grad, then what the optimizer remembers.
 */

/* Squares of so many parameters are summed before the sum goes on in double. */
#define UPDATE_BLOCK 4096

/* grads = grads of all parts of a batch.  Sizes: n, number of the other parts.
 * Pointers: grads, then those of the other parts. */
static void NAME(sum_gradients)(const Operation *op, Pass *pass) {
    REAL *restrict grads = op->pointer[0];
    (void)pass;
    for (int64_t part = 1; part <= op->size[1]; part++) {
        const REAL *restrict more = op->pointer[part];
        for (int64_t i = 0; i < op->size[0]; i++)
            grads[i] += more[i];
    }
}

static void NAME(sgd)(const Operation *op, Pass *pass) {
    const REAL rate = (REAL)(op->scalar[0] * pass->rate);
#define UPDATE w -= g * rate;
#include "update.h"
}

/* Scalars, from 3: momentum.  Pointers, from 2: v. */
static void NAME(momentum)(const Operation *op, Pass *pass) {
    const REAL rate = (REAL)(op->scalar[0] * pass->rate);
    const REAL momentum = (REAL)op->scalar[3];
    REAL *restrict v = op->pointer[2];
#define UPDATE                                                                           \
    v[i] = v[i] * momentum - g * rate;                                                   \
    w += v[i];
#include "update.h"
}

/* Scalars, from 3: momentum.  Pointers, from 2: v. */
static void NAME(nesterov)(const Operation *op, Pass *pass) {
    const REAL rate = (REAL)(op->scalar[0] * pass->rate);
    const REAL momentum = (REAL)op->scalar[3];
    REAL *restrict v = op->pointer[2];
#define UPDATE                                                                           \
    g *= rate;                                                                           \
    v[i] = v[i] * momentum - g;                                                          \
    w = w + v[i] * momentum - g;
#include "update.h"
}

/* Scalars, from 3: rho, epsilon.  Pointers, from 2: v. */
static void NAME(rmsprop)(const Operation *op, Pass *pass) {
    const REAL rate = (REAL)(op->scalar[0] * pass->rate);
    const REAL rho = (REAL)op->scalar[3], fresh = (REAL)(1 - op->scalar[3]);
    const REAL epsilon = (REAL)op->scalar[4];
    REAL *restrict v = op->pointer[2];
#define UPDATE                                                                           \
    v[i] = v[i] * rho + g * g * fresh;                                                   \
    w -= g / (NAME(square_root)(v[i]) + epsilon) * rate;
#include "update.h"
}

/* Scalars, from 3: epsilon.  Pointers, from 2: v. */
static void NAME(adagrad)(const Operation *op, Pass *pass) {
    const REAL rate = (REAL)(op->scalar[0] * pass->rate);
    const REAL epsilon = (REAL)op->scalar[3];
    REAL *restrict v = op->pointer[2];
#define UPDATE                                                                           \
    v[i] += g * g;                                                                       \
    w -= g / (NAME(square_root)(v[i]) + epsilon) * rate;
#include "update.h"
}

/* What Adam's corrections make of the rate, once a step.  Scalars: beta_1, beta_2. */
static void NAME(adam_rate)(const Operation *op, Pass *pass) {
    const double beta_1 = op->scalar[0], beta_2 = op->scalar[1], t = (double)pass->t;
    pass->corrected = pass->rate * (sqrt(1 - pow(beta_2, t)) / (1 - pow(beta_1, t)) *
                                    (1 - beta_1) / sqrt(1 - beta_2));
}

/* Behind `adam_rate`.  The memory holds m / (1 - beta_1) and v / (1 - beta_2); the rate
 * makes up for both factors, and epsilon for that of v.  Scalars, from 3: beta_1, beta_2,
 * epsilon.  Pointers, from 2: m, v. */
static void NAME(adam)(const Operation *op, Pass *pass) {
    const REAL rate = (REAL)(op->scalar[0] * pass->corrected);
    const REAL beta_1 = (REAL)op->scalar[3], beta_2 = (REAL)op->scalar[4];
    const REAL epsilon = (REAL)(op->scalar[5] / sqrt(1 - op->scalar[4]));
    REAL *restrict m = op->pointer[2];
    REAL *restrict v = op->pointer[3];
#define UPDATE                                                                           \
    m[i] = m[i] * beta_1 + g;                                                            \
    v[i] = v[i] * beta_2 + g * g;                                                        \
    w -= m[i] / (NAME(square_root)(v[i]) + epsilon) * rate;
#include "update.h"
}
