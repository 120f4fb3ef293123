/* Exponentials, waves and the normal distribution: the compiler makes vectors of them.
 *
 * No branches and no tables: a choice is between two numbers that are both computed.
 * NaN stays NaN, as it fails every comparison, and those here then choose the argument.
 * Within 3 units in the last place of the true value, unless stated, but for numbers
 * that are almost denormal, which become zero.
 */
#ifndef ALWAYS_INLINE
#if defined(__GNUC__)
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#elif defined(_MSC_VER)
#define ALWAYS_INLINE static __forceinline
#else
#define ALWAYS_INLINE static inline
#endif
#endif

#if IS_FLOAT32
#define UNSIGNED uint32_t
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#define HIGHEST_EXPONENT ((REAL)89) /* exp of that is infinite */
#else
#define UNSIGNED uint64_t
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define HIGHEST_EXPONENT ((REAL)710)
#endif

/* Added to a number, this rounds it to an integer, which then is in the lowest bits. */
#define ROUNDING ((REAL)1.5 * (REAL)((UNSIGNED)1 << MANTISSA_BITS))

ALWAYS_INLINE UNSIGNED NAME(to_bits)(REAL x) {
    UNSIGNED bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

ALWAYS_INLINE REAL NAME(from_bits)(UNSIGNED bits) {
    REAL x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* a * b + c, in one instruction where there is one. */
ALWAYS_INLINE REAL NAME(multiply_add)(REAL a, REAL b, REAL c) {
#if !defined(__FMA__) && !defined(__ARM_FEATURE_FMA)
    return a * b + c;
#elif IS_FLOAT32
    return fmaf(a, b, c);
#else
    return fma(a, b, c);
#endif
}

ALWAYS_INLINE REAL NAME(magnitude)(REAL x) {
    return IS_FLOAT32 ? (REAL)fabsf((float)x) : (REAL)fabs((double)x);
}

ALWAYS_INLINE REAL NAME(with_sign)(REAL x, REAL sign) {
    return IS_FLOAT32 ? (REAL)copysignf((float)x, (float)sign)
                      : (REAL)copysign((double)x, (double)sign);
}

/* Return p, and s, with which exp(z) = 2 s (1 + p), |p| < 0.42, unless infinite. */
ALWAYS_INLINE REAL NAME(exp_parts)(REAL z, REAL *s) {
    /* Half of 2^k has an exponent for every k of a finite exp(z); 2^k has not. */
#if IS_FLOAT32
    const REAL low = (REAL)-87.34;
    /* k times the first part of log(2) is exact. */
    const REAL log2_high = (REAL)0.693359375, log2_low = (REAL)-2.12194440054690583e-4;
#else
    const REAL low = (REAL)-708.4;
    const REAL log2_high = (REAL)6.93147180369123816490e-01;
    const REAL log2_low = (REAL)1.90821492927058770002e-10;
#endif
    z = z < low ? low : z; /* where s is 0 */
    const REAL rounded = NAME(multiply_add)(z, (REAL)1.44269504088896340736, ROUNDING);
    const REAL k = rounded - ROUNDING;
    const REAL r = NAME(multiply_add)(-k, log2_low,
                                      NAME(multiply_add)(-k, log2_high, z));
    *s = NAME(from_bits)((NAME(to_bits)(rounded) << MANTISSA_BITS) +
                         ((UNSIGNED)(EXPONENT_BIAS - 1) << MANTISSA_BITS));
    /* exp(r) - 1 for |r| <= log(2) / 2, as r + r^2 / 2 + r^3 q(r). */
#if IS_FLOAT32
    REAL q = (REAL)1.982412257517429609e-4;
    q = NAME(multiply_add)(q, r, (REAL)1.393328864521366776e-3);
    q = NAME(multiply_add)(q, r, (REAL)8.333419766705494228e-3);
    q = NAME(multiply_add)(q, r, (REAL)4.166648234554890615e-2);
    q = NAME(multiply_add)(q, r, (REAL)1.666666629827998254e-1);
#else
    REAL q = (REAL)2.087891198892231876e-9;
    q = NAME(multiply_add)(q, r, (REAL)2.510873316439305857e-8);
    q = NAME(multiply_add)(q, r, (REAL)2.755738715213361926e-7);
    q = NAME(multiply_add)(q, r, (REAL)2.755724517193481637e-6);
    q = NAME(multiply_add)(q, r, (REAL)2.480158719798486154e-5);
    q = NAME(multiply_add)(q, r, (REAL)1.984126988505108179e-4);
    q = NAME(multiply_add)(q, r, (REAL)1.388888888894282542e-3);
    q = NAME(multiply_add)(q, r, (REAL)8.333333333322122374e-3);
    q = NAME(multiply_add)(q, r, (REAL)4.166666666666657738e-2);
    q = NAME(multiply_add)(q, r, (REAL)1.666666666666667583e-1);
#endif
    q = NAME(multiply_add)(q, r, (REAL)0.5);
    return NAME(multiply_add)(q, r * r, r);
}

ALWAYS_INLINE REAL NAME(exp)(REAL z) {
    REAL s;
    const REAL p = NAME(exp_parts)(z, &s);
    /* s last: s p may be too small for a number. */
    const REAL e = NAME(multiply_add)(2, p, 2) * s;
    /* Here rather than before, as GCC makes much of two choices in a row. */
    return z > HIGHEST_EXPONENT ? INFINITY : e;
}

/* exp(z) - 1 for z up to HIGHEST_EXPONENT, beyond it anything. */
ALWAYS_INLINE REAL NAME(expm1)(REAL z) {
    REAL s;
    const REAL p = NAME(exp_parts)(z, &s);
    return 2 * NAME(multiply_add)(s, p, s - (REAL)0.5);
}

/* 1 / (1 + exp(-z)) */
ALWAYS_INLINE REAL NAME(sigmoid)(REAL z) {
    const REAL e = NAME(exp)(-NAME(magnitude)(z));
    return (z < 0 ? e : 1) / (1 + e);
}

ALWAYS_INLINE REAL NAME(tanh)(REAL z) {
    const REAL e = NAME(expm1)(-2 * NAME(magnitude)(z));
    return NAME(with_sign)(e / (2 + e), z);
}

/* log(1 + e) for 0 <= e <= 1, as 2 atanh(e / (2 + e)). */
ALWAYS_INLINE REAL NAME(log1p_unit)(REAL e) {
    const REAL s = e / (2 + e), u = s * s;
#if IS_FLOAT32
    REAL q = (REAL)1.21508442662158517e-1;
    q = NAME(multiply_add)(q, u, (REAL)1.071373687241489501e-1);
    q = NAME(multiply_add)(q, u, (REAL)1.430845005277481756e-1);
    q = NAME(multiply_add)(q, u, (REAL)1.999943862467037064e-1);
    q = NAME(multiply_add)(q, u, (REAL)3.333333781340797086e-1);
#else
    REAL q = (REAL)8.509816427165119576e-2;
    q = NAME(multiply_add)(q, u, (REAL)4.169772931166627606e-2);
    q = NAME(multiply_add)(q, u, (REAL)6.053104897704737077e-2);
    q = NAME(multiply_add)(q, u, (REAL)6.650479229493508425e-2);
    q = NAME(multiply_add)(q, u, (REAL)7.693280517489925598e-2);
    q = NAME(multiply_add)(q, u, (REAL)9.090871937388619036e-2);
    q = NAME(multiply_add)(q, u, (REAL)1.111111198554592304e-1);
    q = NAME(multiply_add)(q, u, (REAL)1.428571427391652624e-1);
    q = NAME(multiply_add)(q, u, (REAL)2.000000000007869969e-1);
    q = NAME(multiply_add)(q, u, (REAL)3.33333333333331517e-1);
#endif
    return 2 * NAME(multiply_add)(q * u, s, s);
}

/* The probability of the standard normal distribution beyond 0 <= a <= 40, from e =
 * exp(-a^2 / 2).  The ratio to e is (1 / (a + c)) p((a - c) / (a + c)), as that of
 * Shepherd and Laframboise (1981) is.  Within 2 units in the last place of 1. */
ALWAYS_INLINE REAL NAME(normal_tail)(REAL a, REAL e) {
#if IS_FLOAT32
    const REAL c = (REAL)3.5, inverse = 1 / (a + c), t = (a - c) * inverse;
    REAL p = (REAL)1.14833449848251023e-4;
    p = NAME(multiply_add)(p, t, (REAL)4.29617104925665333e-4);
    p = NAME(multiply_add)(p, t, (REAL)-4.941454495561349468e-4);
    p = NAME(multiply_add)(p, t, (REAL)-3.180271050306289485e-3);
    p = NAME(multiply_add)(p, t, (REAL)6.491602539360613673e-3);
    p = NAME(multiply_add)(p, t, (REAL)1.740740920652577435e-2);
    p = NAME(multiply_add)(p, t, (REAL)-1.160527375950394692e-1);
    p = NAME(multiply_add)(p, t, (REAL)3.154249747406986088e-1);
    p = NAME(multiply_add)(p, t, (REAL)-5.655617578138387142e-1);
    p = NAME(multiply_add)(p, t, (REAL)7.444160750609960019e-1);
#else
    const REAL c = 5, inverse = 1 / (a + c), t = (a - c) * inverse;
    REAL p = (REAL)2.028314349838527693e-9;
    p = NAME(multiply_add)(p, t, (REAL)7.215657507220903271e-9);
    p = NAME(multiply_add)(p, t, (REAL)-1.023084931520298114e-8);
    p = NAME(multiply_add)(p, t, (REAL)-6.541445792847851043e-8);
    p = NAME(multiply_add)(p, t, (REAL)4.360292282768276946e-8);
    p = NAME(multiply_add)(p, t, (REAL)4.327995443590093622e-7);
    p = NAME(multiply_add)(p, t, (REAL)-3.377065669222197567e-7);
    p = NAME(multiply_add)(p, t, (REAL)-2.769130370857490783e-6);
    p = NAME(multiply_add)(p, t, (REAL)3.981459528260523208e-6);
    p = NAME(multiply_add)(p, t, (REAL)1.668117527025168412e-5);
    p = NAME(multiply_add)(p, t, (REAL)-4.976299624521926841e-5);
    p = NAME(multiply_add)(p, t, (REAL)-5.937571901808239407e-5);
    p = NAME(multiply_add)(p, t, (REAL)5.448991023549086661e-4);
    p = NAME(multiply_add)(p, t, (REAL)-7.978694002567138115e-4);
    p = NAME(multiply_add)(p, t, (REAL)-2.993376775194512857e-3);
    p = NAME(multiply_add)(p, t, (REAL)2.079506680012796138e-2);
    p = NAME(multiply_add)(p, t, (REAL)-6.91186387059898122e-2);
    p = NAME(multiply_add)(p, t, (REAL)1.65020366170367178e-1);
    p = NAME(multiply_add)(p, t, (REAL)-3.135331566713144653e-1);
    p = NAME(multiply_add)(p, t, (REAL)4.95305615969976887e-1);
    p = NAME(multiply_add)(p, t, (REAL)-6.653825028900566122e-1);
    p = NAME(multiply_add)(p, t, (REAL)7.691930497500629565e-1);
#endif
    return p * inverse * e;
}

/* Up to here, whole numbers times the parts of pi are exact enough. */
#if IS_FLOAT32
#define LARGEST_ANGLE ((REAL)8192)
#else
#define LARGEST_ANGLE ((REAL)1e6)
#endif

/* With h half of what is left of the angle without a multiple of pi, return sin(h), the
 * square of h, and the bit of the sign that sine and cosine get from the multiple. */
ALWAYS_INLINE REAL NAME(half_sine)(REAL angle, REAL *u, UNSIGNED *sign) {
    const REAL rounded =
        NAME(multiply_add)(angle, (REAL)0.318309886183790671538, ROUNDING);
    const REAL k = rounded - ROUNDING;
#if IS_FLOAT32
    REAL r = NAME(multiply_add)(-k, (REAL)3.140625, angle);
    r = NAME(multiply_add)(-k, (REAL)9.67502593994140625e-4, r);
    r = NAME(multiply_add)(-k, (REAL)1.509957990978376432e-7, r);
#else
    REAL r = NAME(multiply_add)(-k, (REAL)3.14159265346825122834, angle);
    r = NAME(multiply_add)(-k, (REAL)1.21542010126079319596e-10, r);
    r = NAME(multiply_add)(-k, (REAL)4.04453249759190126428e-21, r);
#endif
    *sign = NAME(to_bits)(rounded) << (8 * sizeof(REAL) - 1);
    const REAL h = r * (REAL)0.5;
    *u = h * h;
#if IS_FLOAT32
    REAL q = (REAL)-1.95169771532967292e-4;
    q = NAME(multiply_add)(q, *u, (REAL)8.332175843901284692e-3);
    q = NAME(multiply_add)(q, *u, (REAL)-1.666665490859502857e-1);
#else
    REAL q = (REAL)1.589666637095923862e-10;
    q = NAME(multiply_add)(q, *u, (REAL)-2.505075595863563743e-8);
    q = NAME(multiply_add)(q, *u, (REAL)2.755731367864384614e-6);
    q = NAME(multiply_add)(q, *u, (REAL)-1.984126982977108473e-4);
    q = NAME(multiply_add)(q, *u, (REAL)8.33333333332236984e-3);
    q = NAME(multiply_add)(q, *u, (REAL)-1.666666666666663186e-1);
#endif
    return NAME(multiply_add)(q * *u, h, h);
}

/* The cosine of an angle up to LARGEST_ANGLE, to 2 units in the last place of 1. */
ALWAYS_INLINE REAL NAME(cos)(REAL angle) {
    REAL u;
    UNSIGNED sign;
    const REAL s = NAME(half_sine)(angle, &u, &sign);
    const REAL cosine = NAME(multiply_add)(-2 * s, s, 1);
    return NAME(from_bits)(NAME(to_bits)(cosine) ^ sign);
}

/* Return the cosine, as above, and the sine too. */
ALWAYS_INLINE REAL NAME(sincos)(REAL angle, REAL *sine) {
    REAL u;
    UNSIGNED sign;
    const REAL s = NAME(half_sine)(angle, &u, &sign);
    /* cos(h) */
#if IS_FLOAT32
    REAL q = (REAL)2.443809167812733454e-5;
    q = NAME(multiply_add)(q, u, (REAL)-1.388736449243140019e-3);
    q = NAME(multiply_add)(q, u, (REAL)4.166664680734070375e-2);
#else
    REAL q = (REAL)-1.135955942869154488e-11;
    q = NAME(multiply_add)(q, u, (REAL)2.087572162570220103e-9);
    q = NAME(multiply_add)(q, u, (REAL)-2.755731434067416171e-7);
    q = NAME(multiply_add)(q, u, (REAL)2.480158728944352972e-5);
    q = NAME(multiply_add)(q, u, (REAL)-1.388888888887406495e-3);
    q = NAME(multiply_add)(q, u, (REAL)4.166666666666659915e-2);
#endif
    q = NAME(multiply_add)(q, u, (REAL)-0.5);
    const REAL c = NAME(multiply_add)(q, u, 1);
    const REAL cosine = NAME(multiply_add)(-2 * s, s, 1);
    *sine = NAME(from_bits)(NAME(to_bits)(2 * s * c) ^ sign);
    return NAME(from_bits)(NAME(to_bits)(cosine) ^ sign);
}

#undef UNSIGNED
#undef MANTISSA_BITS
#undef EXPONENT_BIAS
#undef HIGHEST_EXPONENT
#undef ROUNDING
