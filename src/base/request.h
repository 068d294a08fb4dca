/* request.h - the system calls of who is asked from outside: a signal asks, a whole file answers.
 * They change no errno. */
#ifndef BASE_REQUEST_H
#define BASE_REQUEST_H

#include <signal.h>
#include <stdbool.h>

// A handler of a request: system calls that it interrupts go on. False: refused, or the program has
// a handler of its own.
bool request_listen(int signal, void (*handler)(int, siginfo_t *, void *));

// Gives a file its name, in place of what has it.
bool request_answer(const char *part, const char *name);

#endif
