/* cli: what a gate writes for itself: a directory of its own, gone at the end. */
#ifndef WW_SCRATCH_H
#define WW_SCRATCH_H

#include <whichworker/buf.h>
#include <whichworker/err.h>

/* Owns the directory and what it puts there. */
struct scratch {
    char *directory; /* NULL: there is none */
    char *trace;     /* a path in it, for a new file */
    char *log_path;
    int log; /* for the backend's output; -1: none */
};

/* log_path: where the backend's output goes instead; absent: into the directory. */
int scratch_make(struct scratch *s, ww_str log_path, struct ww_err *err);
void scratch_remove(struct scratch *s); /* also of a zeroed one */

/* The end of the backend's output, as it may go to a terminal, each line behind "  | ". */
void scratch_tail(const struct scratch *s, struct ww_buf *out);

#endif
