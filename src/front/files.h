/* files.h - the lock of the file mappings, for fork; the functions are in include/myalloc.h. */
#ifndef FRONT_FILES_H
#define FRONT_FILES_H

#include "base/lock.h"

void files_each_lock(lock_visitor *visit); // for a fork

#endif
