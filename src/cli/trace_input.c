/* A trace from standard input is copied to a file, since SQLite cannot read a pipe. */
#include "trace_input.h"

#include "command.h"
#include "progress.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define INPUT_MAX ((uint64_t)16 << 30)
#define PIECE     65536

static int copy(int from, int to, bool quiet, struct ww_err *err)
{
    struct progress progress;
    char *piece = ww_xmalloc(PIECE);
    uint64_t total = 0;
    int status = WW_OK;

    progress_begin(&progress, "KiB read", quiet);
    while (status == WW_OK) {
        ssize_t n = read(from, piece, PIECE);

        if (n == 0)
            break;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            status = ww_err_errno(err, errno, "cannot read standard input");
        else if ((total += (uint64_t)n) > INPUT_MAX)
            status = ww_err_set(err, WW_EINPUT, "standard input has more than 16G");
        else if (!write_all(to, ww_str_n(piece, (size_t)n)))
            status = ww_err_errno(err, errno, "cannot keep standard input in a file");
        progress_add(&progress, (uint64_t)(n > 0 ? n : 0) / 1024);
    }
    progress_end(&progress);
    free(piece);
    if (status == WW_OK && total == 0)
        status = ww_err_set(err, WW_EINPUT, "there is nothing on standard input");
    return status;
}

static struct ww_reader *from_standard_input(bool quiet, struct ww_err *err)
{
    const char *directory = getenv("TMPDIR");
    char path[PATH_MAX];
    struct ww_reader *r = NULL;

    if (isatty(STDIN_FILENO)) {
        ww_err_set(err, WW_EUSAGE,
                   "a trace is expected on standard input, which is a terminal");
        return NULL;
    }
    if (directory == NULL || directory[0] != '/')
        directory = "/tmp";
    if (snprintf(path, sizeof(path), "%s/whichworker-XXXXXX", directory) >= (int)sizeof(path)) {
        ww_err_set(err, WW_ESYSTEM, "TMPDIR is too long");
        return NULL;
    }

    int fd = mkstemp(path);

    if (fd < 0) {
        ww_err_errno(err, errno, "cannot make a file in %s", directory);
        return NULL;
    }
    if (copy(STDIN_FILENO, fd, quiet, err) == WW_OK)
        r = ww_reader_open(path, err);
    /* The reader has the file open: it goes when the reader does, however we end. */
    unlink(path);
    close(fd);
    if (r == NULL && err->code == WW_EINPUT)
        ww_err_wrap(err, "standard input");
    return r;
}

struct ww_reader *trace_open(const char *name, bool quiet, struct ww_err *err)
{
    struct ww_reader *r;

    if (strcmp(name, "-") == 0)
        return from_standard_input(quiet, err);
    r = ww_reader_open(name, err);
    /* Whatever is in the way, it is an unreadable trace to whoever asked for it. */
    if (r == NULL)
        err->code = WW_EINPUT;
    return r;
}
