/* Products of matrices in C order, by BLAS. */

/* out = alpha * op(a) @ op(b) + beta * out: (m, k) times (k, n).  A transposed factor
 * lies in memory as (k, m) or (n, k). */
static void NAME(product)(const Blas *blas, int a_transposed, int b_transposed,
                          int64_t m, int64_t n, int64_t k, double alpha, const REAL *a,
                          const REAL *b, double beta, REAL *out) {
    /* Fortran sees the transposed of everything: out^T = op(b)^T @ op(a)^T. */
    int rows = (int)n, columns = (int)m, inner = (int)k, one = 1;
    REAL factor = (REAL)alpha, keep = (REAL)beta;
    REAL *left = (REAL *)b, *right = (REAL *)a;
    if (m == 0 || n == 0) /* BLAS takes no matrix without rows */
        return;
    if (k == 0) {
        for (int64_t i = 0; i < m * n; i++)
            out[i] = keep == 0 ? 0 : keep * out[i];
        return;
    }
    if (n == 1 || m == 1) {
        /* out is a vector: op(matrix) @ vector, which BLAS does sooner. */
        REAL *matrix = n == 1 ? (REAL *)a : (REAL *)b;
        REAL *vector = n == 1 ? (REAL *)b : (REAL *)a;
        int length = n == 1 ? columns : rows;
        int as_it_lies = n == 1 ? !a_transposed : b_transposed;
        /* A matrix (length, inner) in C order is (inner, length) to Fortran. */
        int height = as_it_lies ? inner : length, width = as_it_lies ? length : inner;
#if IS_FLOAT32
        blas->gemv32(as_it_lies ? "T" : "N", &height, &width, &factor, matrix, &height,
                     vector, &one, &keep, out, &one);
#else
        blas->gemv64(as_it_lies ? "T" : "N", &height, &width, &factor, matrix, &height,
                     vector, &one, &keep, out, &one);
#endif
        return;
    }
    int left_lead = b_transposed ? inner : rows, right_lead = a_transposed ? columns : inner;
#if IS_FLOAT32
    blas->gemm32(b_transposed ? "T" : "N", a_transposed ? "T" : "N", &rows, &columns,
                 &inner, &factor, left, &left_lead, right, &right_lead, &keep, out,
                 &rows);
#else
    blas->gemm64(b_transposed ? "T" : "N", a_transposed ? "T" : "N", &rows, &columns,
                 &inner, &factor, left, &left_lead, right, &right_lead, &keep, out,
                 &rows);
#endif
}
