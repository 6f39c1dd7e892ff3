/* cli: a line on the terminal while something takes long; nothing anywhere else. */
#ifndef WW_PROGRESS_H
#define WW_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what; /* "exchanges"; static */
    uint64_t n;
    int64_t next_us; /* when to say something */
    bool on;
    bool said;
};

/* Says nothing for the first second; not at all when quiet, or where standard error is no
 * terminal that can be written over. */
void progress_begin(struct progress *p, const char *what, bool quiet);
void progress_add(struct progress *p, uint64_t n);
void progress_end(struct progress *p); /* leaves the line empty */

#endif
