/* Numbers become waves of learned frequencies, and these vectors. */
#define TWO_PI ((REAL)6.28318530717958647693)

/* out = op(a) @ op(b) + beta * out: (m, k) times (k, n), rows `lead` entries apart. */
static void NAME(product_of_parts)(const Blas *blas, int a_transposed, int b_transposed,
                                   int64_t m, int64_t n, int64_t k, const REAL *a,
                                   int64_t lead_a, const REAL *b, int64_t lead_b,
                                   REAL beta, REAL *out, int64_t lead_out) {
    /* Fortran sees the transposed of everything: out^T = op(b)^T @ op(a)^T. */
    int rows = (int)n, columns = (int)m, inner = (int)k;
    int left_lead = (int)lead_b, right_lead = (int)lead_a, lead = (int)lead_out;
    REAL one = 1;
#if IS_FLOAT32
    blas->gemm32(b_transposed ? "T" : "N", a_transposed ? "T" : "N", &rows, &columns,
                 &inner, &one, (REAL *)b, &left_lead, (REAL *)a, &right_lead, &beta,
                 out, &lead);
#else
    blas->gemm64(b_transposed ? "T" : "N", a_transposed ? "T" : "N", &rows, &columns,
                 &inner, &one, (REAL *)b, &left_lead, (REAL *)a, &right_lead, &beta,
                 out, &lead);
#endif
}

/* Replace angles by their cosines; write their sines, unless that is NULL. */
static void NAME(turn)(int64_t n, REAL *restrict angle, REAL *restrict sine) {
    int is_large = 0;
#pragma omp simd reduction(| : is_large)
    for (int64_t t = 0; t < n; t++)
        is_large |= !(NAME(magnitude)(angle[t]) <= LARGEST_ANGLE);
    if (is_large)
        for (int64_t t = 0; t < n; t++) {
            const double x = (double)angle[t];
            angle[t] = (REAL)cos(x);
            if (sine)
                sine[t] = (REAL)sin(x);
        }
    else if (sine)
#pragma omp simd
        for (int64_t t = 0; t < n; t++)
            angle[t] = NAME(sincos)(angle[t], &sine[t]);
    else
#pragma omp simd
        for (int64_t t = 0; t < n; t++)
            angle[t] = NAME(cos)(angle[t]);
}

/* y = [numbers | cos(2 pi frequency x + phase) @ weight + bias, number by number |
 * other columns].  Sizes: n_inputs, n_numbers, n_terms, width.  Pointers: x, frequency,
 * phase, weight, bias, y, cosines and sines, each (n, n_numbers, n_terms), for the
 * backward pass; without one, sines is NULL. */
static void NAME(periodic_forward)(const Operation *op, Pass *pass) {
    const int64_t d = op->size[0], numbers = op->size[1], terms = op->size[2];
    const int64_t width = op->size[3], waves = numbers * terms;
    const int64_t n_outputs = d + numbers * width;
    const REAL *frequency = op->pointer[1], *phase = op->pointer[2];
    const REAL *weight = op->pointer[3], *bias = op->pointer[4];
    REAL *out = op->pointer[5], *cosines = op->pointer[6], *sines = op->pointer[7];
    for (int64_t i = 0; i < pass->n; i++) {
        const REAL *x = (const REAL *)op->pointer[0] + i * d;
        REAL *y = out + i * n_outputs, *angle = cosines + i * waves;
        for (int64_t j = 0; j < numbers; j++)
            for (int64_t t = j * terms; t < (j + 1) * terms; t++)
                angle[t] = x[j] * (frequency[t] * TWO_PI) + phase[t];
        NAME(turn)(waves, angle, sines ? sines + i * waves : NULL);
        memcpy(y, x, (size_t)numbers * sizeof(REAL));
        memcpy(y + numbers, bias, (size_t)(numbers * width) * sizeof(REAL));
        memcpy(y + numbers * (1 + width), x + numbers,
               (size_t)(d - numbers) * sizeof(REAL));
    }
    for (int64_t j = 0; j < numbers; j++)
        NAME(product_of_parts)(pass->blas, 0, 0, pass->n, width, terms,
                               cosines + j * terms, waves, weight + j * terms * width,
                               width, 1, out + numbers + j * width, n_outputs);
}

/* The gradients of all parameters.  Sizes: as in the forward pass.  Pointers: x,
 * weight, grad, cosines, which it overwrites, sines, frequency_grad, phase_grad,
 * weight_grad, bias_grad. */
static void NAME(periodic_backward)(const Operation *op, Pass *pass) {
    const int64_t d = op->size[0], numbers = op->size[1], terms = op->size[2];
    const int64_t width = op->size[3], waves = numbers * terms;
    const int64_t n_outputs = d + numbers * width;
    const REAL *weight = op->pointer[1], *grads = op->pointer[2];
    REAL *cosines = op->pointer[3];
    REAL *restrict frequency_grad = op->pointer[5];
    REAL *restrict phase_grad = op->pointer[6];
    REAL *weight_grad = op->pointer[7], *restrict bias_grad = op->pointer[8];
    if (!pass->accumulate) {
        memset(frequency_grad, 0, (size_t)waves * sizeof(REAL));
        memset(phase_grad, 0, (size_t)waves * sizeof(REAL));
        memset(bias_grad, 0, (size_t)(numbers * width) * sizeof(REAL));
    }
    for (int64_t j = 0; j < numbers; j++) {
        const REAL *grad = grads + numbers + j * width;
        REAL *cosine = cosines + j * terms;
        NAME(product_of_parts)(pass->blas, 1, 0, terms, width, pass->n, cosine, waves,
                               grad, n_outputs, (REAL)pass->accumulate,
                               weight_grad + j * terms * width, width);
        /* The gradient of the cosines takes their place. */
        NAME(product_of_parts)(pass->blas, 0, 1, pass->n, terms, width, grad, n_outputs,
                               weight + j * terms * width, width, 0, cosine, waves);
    }
    for (int64_t i = 0; i < pass->n; i++) {
        const REAL *x = (const REAL *)op->pointer[0] + i * d;
        const REAL *grad = grads + i * n_outputs + numbers;
        const REAL *sine = (const REAL *)op->pointer[4] + i * waves;
        const REAL *grad_cosine = cosines + i * waves;
        for (int64_t k = 0; k < numbers * width; k++)
            bias_grad[k] += grad[k];
        for (int64_t j = 0; j < numbers; j++)
            for (int64_t t = j * terms; t < (j + 1) * terms; t++) {
                const REAL grad_angle = -grad_cosine[t] * sine[t];
                phase_grad[t] += grad_angle;
                frequency_grad[t] += grad_angle * x[j] * TWO_PI;
            }
    }
}

#undef TWO_PI
#undef LARGEST_ANGLE
