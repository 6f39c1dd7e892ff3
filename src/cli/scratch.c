/* A directory for a trace and a log that nobody asked to keep. */
#include "scratch.h"

#include <whichworker/arena.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TAIL_BYTES 16384
#define TAIL_LINES 60

static char *path_in(const char *directory, const char *name)
{
    size_t size = strlen(directory) + strlen(name) + 2;
    char *path = ww_xmalloc(size);

    snprintf(path, size, "%s/%s", directory, name);
    return path;
}

int scratch_make(struct scratch *s, ww_str log_path, struct ww_err *err)
{
    const char *tmp = getenv("TMPDIR");

    *s = (struct scratch){ .log = -1 };
    s->directory = path_in(tmp == NULL || tmp[0] != '/' ? "/tmp" : tmp, "whichworker-XXXXXX");
    if (mkdtemp(s->directory) == NULL) {
        ww_err_errno(err, errno, "cannot make a directory for the trace (TMPDIR says where)");
        free(s->directory);
        s->directory = NULL;
        return err->code;
    }
    s->trace = path_in(s->directory, "trace.db");
    s->log_path =
        log_path.ptr != NULL ? ww_xstrdup(log_path.ptr) : path_in(s->directory, "backend.log");
    s->log = open(s->log_path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (s->log < 0)
        return ww_err_errno(err, errno, "cannot write the backend's output to '%s'",
                            s->log_path);
    return WW_OK;
}

void scratch_remove(struct scratch *s)
{
    static const char *const names[] = { "trace.db", "trace.db-wal", "trace.db-shm",
                                         "trace.db-journal", "backend.log" };

    if (s->directory == NULL)
        return;
    if (s->log >= 0)
        close(s->log);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *path = path_in(s->directory, names[i]);

        unlink(path);
        free(path);
    }
    rmdir(s->directory);
    free(s->directory);
    free(s->trace);
    free(s->log_path);
    *s = (struct scratch){ .log = -1 };
}

void scratch_tail(const struct scratch *s, struct ww_buf *out)
{
    char bytes[TAIL_BYTES];
    off_t end = lseek(s->log, 0, SEEK_END);
    off_t from = end > TAIL_BYTES ? end - TAIL_BYTES : 0;
    ssize_t n = pread(s->log, bytes, sizeof(bytes), from);
    ww_str rest = ww_str_n(bytes, n > 0 ? (size_t)n : 0);
    ww_str line;
    size_t lines = 0;

    if (from > 0)
        ww_str_cut(&rest, '\n', &line); /* its beginning is missing */
    if (ww_str_ends(rest, WW_STR("\n")))
        rest.len--;
    for (size_t i = 0; i < rest.len; i++)
        lines += rest.ptr[i] == '\n';
    while (rest.len > 0 && ww_str_cut(&rest, '\n', &line)) {
        if (lines-- >= TAIL_LINES)
            continue;
        ww_buf_add_c(out, "  | ");
        ww_buf_add_printable(out, line);
        ww_buf_add_char(out, '\n');
    }
}
