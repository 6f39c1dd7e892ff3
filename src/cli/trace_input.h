/* cli: a trace by its name, or from standard input. */
#ifndef WW_TRACE_INPUT_H
#define WW_TRACE_INPUT_H

#include <whichworker/store.h>

/*
 * Opens a trace; "-" is standard input, which is copied first, into a file below TMPDIR that has no
 * name any more when this returns: SQLite wants to go to and fro in it. At most 16 GiB are taken.
 * NULL and err (WW_EINPUT, or WW_ESYSTEM where it could not be copied).
 */
struct ww_reader *trace_open(const char *name, bool quiet, struct ww_err *err);

#endif
