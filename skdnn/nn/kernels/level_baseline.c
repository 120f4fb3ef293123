/* What every processor of the platform has. */
#define LEVEL level_baseline
#define LEVEL_NAME "baseline"

static int is_supported(void) { return 1; }

#include "level.h"
