/* pprof.h - a profile in the form of github.com/google/pprof: profile.proto, gzipped. */
#ifndef CLI_RENDER_PPROF_H
#define CLI_RENDER_PPROF_H

#include "cli/render/flame.h"

/* Append the file. `written`: seconds since 1970. */
void pprof_put(struct text *out, const struct flame *flame, uint64_t written,
               uint64_t bytes_per_sample);

#endif
