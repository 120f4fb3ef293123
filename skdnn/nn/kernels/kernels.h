/* All kernels for one dtype: included once for each, at each level of instructions.
 *
 * REAL is the type of numbers, NAME(x) makes a name of its own for it, and IS_FLOAT32
 * says which it is.  To add a kernel, write it in the file of its kind and add its row
 * to kernels.def.
 */
#include "libm.h"
#include "elementary.h"
#include "products.h"
#include "rows.h"
#include "embeddings_piecewise.h"
#include "embeddings_periodic.h"
#include "embeddings_entity.h"
#include "layers.h"
#include "batch_norm.h"
#include "activations.h"
#include "losses.h"
#include "optimizers.h"
