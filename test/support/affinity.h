/* affinity.h - keeps the calling thread on one CPU, for tests that follow what is in its slot. */
#ifndef TEST_SUPPORT_AFFINITY_H
#define TEST_SUPPORT_AFFINITY_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

/* False: there is no such CPU for us. */
static inline bool run_on_cpu(int cpu)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    return sched_setaffinity(0, sizeof one, &one) == 0;
}

static inline bool stay_on_this_cpu(void)
{
    return run_on_cpu(sched_getcpu());
}

#endif
