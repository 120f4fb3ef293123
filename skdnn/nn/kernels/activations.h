/* What acts on each unit alone, in one pass: bias, activation, its learned strength,
 * and dropout.
 *
 * To add an activation, write its `Activation` and add its row to activations.def.  Its
 * formula is that of `skdnn/nn/activations.py`.
 */
#define LEAKY_SLOPE ((REAL)0.01)
#define SELU_SCALE ((REAL)1.0507009873554805)
#define SELU_ALPHA ((REAL)1.6732632423543772)

/* Return f(z), and its derivative.  Comparisons are such that NaN stays NaN. */
typedef REAL NAME(Activation)(REAL z, REAL *slope);

ALWAYS_INLINE REAL NAME(activation_identity)(REAL z, REAL *slope) {
    *slope = 1;
    return z;
}

ALWAYS_INLINE REAL NAME(activation_sigmoid)(REAL z, REAL *slope) {
    const REAL e = NAME(exp)(-NAME(magnitude)(z)), inverse = 1 / (1 + e);
    *slope = e * inverse * inverse;
    return (z < 0 ? e : 1) * inverse;
}

ALWAYS_INLINE REAL NAME(activation_tanh)(REAL z, REAL *slope) {
    const REAL a = NAME(tanh)(z);
    *slope = 1 - a * a;
    return a;
}

ALWAYS_INLINE REAL NAME(activation_relu)(REAL z, REAL *slope) {
    *slope = z > 0 ? 1 : 0;
    return z < 0 ? 0 : z;
}

ALWAYS_INLINE REAL NAME(activation_leaky_relu)(REAL z, REAL *slope) {
    *slope = z > 0 ? 1 : LEAKY_SLOPE;
    return z > 0 ? z : LEAKY_SLOPE * z;
}

ALWAYS_INLINE REAL NAME(activation_elu)(REAL z, REAL *slope) {
    const REAL below = NAME(expm1)(z);
    *slope = z > 0 ? 1 : below + 1;
    return z > 0 ? z : below;
}

ALWAYS_INLINE REAL NAME(activation_selu)(REAL z, REAL *slope) {
    const REAL below = SELU_ALPHA * NAME(expm1)(z);
    *slope = SELU_SCALE * (z >= 0 ? 1 : below + SELU_ALPHA);
    return SELU_SCALE * (z > 0 ? z : below);
}

ALWAYS_INLINE REAL NAME(activation_gelu)(REAL z, REAL *slope) {
    REAL a = NAME(magnitude)(z);
    a = a > 40 ? 40 : a; /* where the density is 0 */
    const REAL e = NAME(exp)((REAL)-0.5 * a * a), tail = NAME(normal_tail)(a, e);
    const REAL below = z < 0 ? tail : 1 - tail;
    *slope = below + z * (e * (REAL)0.39894228040143267794);
    return z * below;
}

ALWAYS_INLINE REAL NAME(activation_silu)(REAL z, REAL *slope) {
    const REAL e = NAME(exp)(-NAME(magnitude)(z)), inverse = 1 / (1 + e);
    const REAL s = (z < 0 ? e : 1) * inverse, one_minus_s = (z < 0 ? 1 : e) * inverse;
    *slope = s * (1 + z * one_minus_s);
    return z * s;
}

ALWAYS_INLINE REAL NAME(activation_mish)(REAL z, REAL *slope) {
    /* From 20 on, f(z) = z to the last bit; e^2 and z e^2 must stay finite. */
    const REAL largest = (REAL)485165195.4097903, bounded = z > 20 ? 20 : z;
    REAL e = NAME(exp)(z);
    e = e > largest ? largest : e;
    const REAL n = e * (e + 2), inverse = 1 / (n + 2);
    *slope = (n + 4 * bounded * e * (e + 1) * inverse) * inverse;
    return z * (n * inverse);
}

ALWAYS_INLINE REAL NAME(activation_softplus)(REAL z, REAL *slope) {
    const REAL e = NAME(exp)(-NAME(magnitude)(z));
    *slope = (z < 0 ? e : 1) / (1 + e);
    return (z > 0 ? z : 0) + NAME(log1p_unit)(e);
}

/* Write y = z + strength (f(z) - z), or f(z) without a strength, and unless they are
 * NULL, the derivatives with respect to z and to the strength.  y may be z, for which
 * the pragmas make up. */
typedef void NAME(ActivateRow)(int64_t d, const REAL *z, const REAL *strength, REAL *y,
                               REAL *slope, REAL *bend);

ALWAYS_INLINE void NAME(activate_row)(NAME(Activation) *f, int64_t d, const REAL *z,
                                      const REAL *strength, REAL *y, REAL *slope,
                                      REAL *bend) {
    REAL derivative;
    if (strength && slope) {
#pragma omp simd private(derivative)
        for (int64_t j = 0; j < d; j++) {
            const REAL difference = f(z[j], &derivative) - z[j];
            y[j] = z[j] + strength[j] * difference;
            slope[j] = 1 + strength[j] * (derivative - 1);
            bend[j] = difference;
        }
    } else if (strength) {
#pragma omp simd private(derivative)
        for (int64_t j = 0; j < d; j++)
            y[j] = z[j] + strength[j] * (f(z[j], &derivative) - z[j]);
    } else if (slope) {
#pragma omp simd private(derivative)
        for (int64_t j = 0; j < d; j++) {
            y[j] = f(z[j], &derivative);
            slope[j] = derivative;
        }
    } else {
#pragma omp simd private(derivative)
        for (int64_t j = 0; j < d; j++)
            y[j] = f(z[j], &derivative);
    }
}

/* A copy of that for each activation, with the activation inside. */
#define ACTIVATION(name)                                                               \
    static void NAME(row_##name)(int64_t d, const REAL *z, const REAL *strength,       \
                                 REAL *y, REAL *slope, REAL *bend) {                   \
        NAME(activate_row)(NAME(activation_##name), d, z, strength, y, slope, bend);   \
    }
#include "activations.def"
#undef ACTIVATION

static NAME(ActivateRow) *const NAME(activate_rows)[] = {
#define ACTIVATION(name) NAME(row_##name),
#include "activations.def"
#undef ACTIVATION
};

/* Multiply by `scale` where the bits of an entry reach `dropped`, else by 0. */
static void NAME(mask_row)(int64_t d, const char *bits, int64_t dropped, REAL *x) {
    const REAL threshold = (REAL)dropped, scale = (REAL)(65536.0 / (65536 - dropped));
#pragma omp simd
    for (int64_t j = 0; j < d; j++) {
        uint16_t drawn;
        memcpy(&drawn, bits + 2 * j, sizeof drawn);
        x[j] *= (REAL)drawn >= threshold ? scale : 0;
    }
}

/* y = dropout(z' + strength (f(z') - z')), z' = z + bias.  Sizes: width, activation,
 * dropped, of 65536, key, whether the backward pass follows.  Pointers: z, y, which may
 * be z, slope = dy/dz', bend = dy/dstrength, bias, strength, bits (width / 2 + 2
 * words).  All but z and y may be NULL; with a strength, slope and bend go together.
 * A relu without strength whose `slope` is y stores none: its backward pass reads the
 * sign of y. */
static void NAME(activate_forward)(const Operation *op, Pass *pass) {
    const int64_t d = op->size[0], dropped = op->size[2], saves = op->size[4];
    NAME(ActivateRow) *const activate_row = NAME(activate_rows)[op->size[1]];
    const REAL *bias = op->pointer[4], *strength = op->pointer[5];
    const int stores = saves && op->pointer[2] && op->pointer[2] != op->pointer[1];
    const uint64_t stream = mix((uint64_t)op->size[3] ^ pass->draw);
    for (int64_t i = 0; i < pass->n; i++) {
        const REAL *z = (const REAL *)op->pointer[0] + i * d;
        REAL *y = (REAL *)op->pointer[1] + i * d;
        REAL *slope = stores ? (REAL *)op->pointer[2] + i * d : NULL;
        REAL *bend = stores && strength ? (REAL *)op->pointer[3] + i * d : NULL;
        if (bias) {
#pragma omp simd
            for (int64_t j = 0; j < d; j++)
                y[j] = z[j] + bias[j];
            z = y;
        }
        activate_row(d, z, strength, y, slope, bend);
        if (!dropped)
            continue;
        /* Two entries have a word in common, also the last of a row and the next. */
        const uint64_t entry = (uint64_t)((pass->offset + i) * d);
        const int64_t odd = (int64_t)(entry & 1);
        uint32_t *words = op->pointer[6];
        random_words(stream, (uint32_t)(entry >> 1), (odd + d + 1) / 2, words);
        const char *bits = (const char *)words + 2 * odd;
        NAME(mask_row)(d, bits, dropped, y);
        if (slope)
            NAME(mask_row)(d, bits, dropped, slope);
        if (bend)
            NAME(mask_row)(d, bits, dropped, bend);
    }
}

/* strength_grad = sum(grad * bend), grad *= slope, bias_grad = sum(grad).  Sizes:
 * width, activation, adds, dropped.  Pointers: grad, slope, or NULL where it is 1,
 * bend, bias_grad, strength_grad, each NULL where there is none.  For a relu without
 * strength, `slope` may be the output. */
static void NAME(activate_backward)(const Operation *op, Pass *pass) {
    const int64_t d = op->size[0], dropped = op->size[3];
    REAL *bias_grad = op->pointer[3], *strength_grad = op->pointer[4];
    const int reads_sign =
        NAME(activate_rows)[op->size[1]] == NAME(row_relu) && !strength_grad;
    const REAL scale = (REAL)(65536.0 / (65536 - dropped));
    if (!pass->accumulate && !op->size[2]) {
        if (bias_grad)
            memset(bias_grad, 0, (size_t)d * sizeof(REAL));
        if (strength_grad)
            memset(strength_grad, 0, (size_t)d * sizeof(REAL));
    }
    for (int64_t i = 0; i < pass->n; i++) {
        REAL *grad = (REAL *)op->pointer[0] + i * d;
        if (strength_grad) {
            const REAL *bend = (const REAL *)op->pointer[2] + i * d;
#pragma omp simd
            for (int64_t j = 0; j < d; j++)
                strength_grad[j] += grad[j] * bend[j];
        }
        if (op->pointer[1]) {
            const REAL *slope = (const REAL *)op->pointer[1] + i * d;
            if (reads_sign) {
#pragma omp simd
                for (int64_t j = 0; j < d; j++)
                    grad[j] *= slope[j] > 0 ? scale : 0;
            } else {
#pragma omp simd
                for (int64_t j = 0; j < d; j++)
                    grad[j] *= slope[j];
            }
        }
        if (bias_grad) {
#pragma omp simd
            for (int64_t j = 0; j < d; j++)
                bias_grad[j] += grad[j];
        }
    }
}

#undef LEAKY_SLOPE
#undef SELU_SCALE
#undef SELU_ALPHA
