/* outcome.h - how a child process ended and what it wrote. */
#ifndef TEST_SUPPORT_OUTCOME_H
#define TEST_SUPPORT_OUTCOME_H

enum { OUTCOME_TEXT_BYTES = 8192 };

struct outcome {
    int status;                    // as waitpid() gives it
    char text[OUTCOME_TEXT_BYTES]; // what came out of the watched descriptor
};

/* Runs RUN(CONTEXT) in a forked child that exits 0 if RUN returns, watching descriptor FD. */
void outcome_of_function(struct outcome *outcome, void (*run)(void *), void *context, int fd);

#endif
