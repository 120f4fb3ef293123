/* Functions of libm for both dtypes: the compiler makes vectors of roots, and logarithms
 * are needed once a row. */
#if IS_FLOAT32
static inline float NAME(square_root)(float x) { return sqrtf(x); }
static inline float NAME(logarithm)(float x) { return logf(x); }
#else
static inline double NAME(square_root)(double x) { return sqrt(x); }
static inline double NAME(logarithm)(double x) { return log(x); }
#endif
