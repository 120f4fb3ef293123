/* Random bits by counter: the same as `skdnn/nn/noise.py` draws. */

/* One step of SplitMix64 (Steele et al., 2014). */
static inline uint64_t mix(uint64_t x) {
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

/* Write words `first` to `first + n` of a stream. */
static inline void random_words(uint64_t key, uint32_t first, int64_t n, uint32_t *out) {
    const uint32_t low = (uint32_t)key, high = (uint32_t)(key >> 32);
    for (int64_t i = 0; i < n; i++) {
        uint32_t x = first + (uint32_t)i + low;
        x ^= x >> 16;
        x *= 0x7FEB352Du;
        x ^= x >> 15;
        x += high;
        x *= 0x846CA68Bu;
        x ^= x >> 16;
        out[i] = x;
    }
}
