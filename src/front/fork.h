/* fork.h - the constructor and the fork handlers. */
#ifndef FRONT_FORK_H
#define FRONT_FORK_H

// Registers the handlers, once; called by the constructor.
void fork_register(void);

#endif
