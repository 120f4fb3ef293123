/* Several levels of x86 instructions from one source: GCC and clang can. */
#if defined(__x86_64__) && defined(__GNUC__)
#define HAS_X86_LEVELS 1
#else
#define HAS_X86_LEVELS 0
#endif
