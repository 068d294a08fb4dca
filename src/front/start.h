/* start.h - initializes every lower module exactly once, at the first request of the process. */
#ifndef FRONT_START_H
#define FRONT_START_H

#include "base/lock.h"
#include "base/compiler.h"

#include <stdatomic.h>
#include <stdbool.h>

enum start_mode {
    START_NOT_YET,
    START_SERVING,
    START_FORWARDING, // MYALLOC_EXCLUDE names this program: libc's own malloc serves it
};

// Any thread; waits while another one initializes. START_NOT_YET: no memory, try again later.
enum start_mode start_once(void);
// What start_once decided, without initializing.
enum start_mode start_mode(void);

// Passes the current options to purge.c: at startup, and after mallopt changed one.
void start_configure_purge(void);

void start_each_lock(lock_visitor *visit); // for a fork

#endif
