/* check.h - ASSERT for debug builds, VERIFY for all. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include "base/config.h"
#include "base/fatal.h"

#define VERIFY(condition) ((condition) ? (void)0 : fatal_bug(#condition, __FILE__, __LINE__))
#define ASSERT(condition) (CONFIG_DEBUG ? VERIFY(condition) : (void)0)

#endif
