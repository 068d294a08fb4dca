/* libc_env.h - the environment variables of glibc's malloc, as far as they have a meaning here:
 * MALLOC_NAME_=VALUE, and GLIBC_TUNABLES=glibc.malloc.name=value:... */
#ifndef BASE_LIBC_ENV_H
#define BASE_LIBC_ENV_H

#include "base/options.h"

// Called before MYALLOC_CONF is read, which takes precedence. As in glibc, a tunable overrides the
// variable, and what is not understood is silently ignored.
void libc_env_read(struct options *options);

#endif
