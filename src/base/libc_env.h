/* libc_env.h - what glibc's malloc reads from the environment, as far as it has a meaning here:
 * MALLOC_NAME_=VALUE, and GLIBC_TUNABLES=glibc.malloc.name=value:... */
#ifndef BASE_LIBC_ENV_H
#define BASE_LIBC_ENV_H

#include "base/options.h"

// Before MYALLOC_CONF is read, which has the last word. As in glibc a tunable counts more than the
// variable, and what it does not understand is passed over in silence.
void libc_env_read(struct options *options);

#endif
