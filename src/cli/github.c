/* Tells GitHub Actions: annotations on standard error, the step's summary into its file. */
#include "github.h"

#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUMMARY_MAX (1 << 20) /* bytes of a step, all of its programs together */

struct summary {
    int fd;
    size_t room;
};

static int to_stderr(void *ctx, ww_str bytes, struct ww_err *err)
{
    (void)ctx;
    if (!write_all(STDERR_FILENO, bytes))
        return ww_err_errno(err, errno, "cannot write annotations");
    return WW_OK;
}

static int to_summary(void *ctx, ww_str bytes, struct ww_err *err)
{
    struct summary *s = ctx;

    if (bytes.len > s->room)
        return ww_err_set(err, WW_ELIMIT,
                          "the step's summary is full: 1M is what GitHub takes");
    s->room -= bytes.len;
    if (!write_all(s->fd, bytes))
        return ww_err_errno(err, errno, "cannot write the step's summary");
    return WW_OK;
}

static int append_summary(const struct ww_report *r, const char *path, struct ww_err *err)
{
    struct summary s = { .fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644) };
    const struct ww_report_sink sink = { .ctx = &s, .write = to_summary };
    struct stat st;

    if (s.fd < 0 || fstat(s.fd, &st) < 0) {
        ww_err_errno(err, errno, "cannot open the step's summary '%s'", path);
        if (s.fd >= 0)
            close(s.fd);
        return err->code;
    }
    s.room = st.st_size < SUMMARY_MAX ? (size_t)(SUMMARY_MAX - st.st_size) : 0;
    int code = ww_report_write(ww_report_format_find(WW_STR("markdown")), r, &sink, err);
    close(s.fd);
    return code;
}

static void complain(const struct ww_err *err)
{
    struct ww_buf b;

    ww_buf_init(&b, 4096);
    ww_buf_add_c(&b, "whichworker: ");
    ww_buf_add_printable(&b, ww_str_c(err->text));
    ww_buf_add_char(&b, '\n');
    write_all(STDERR_FILENO, ww_buf_str(&b));
    ww_buf_release(&b);
}

void github_tell(const struct ww_report *r)
{
    const char *actions = getenv("GITHUB_ACTIONS");
    const char *path = getenv("GITHUB_STEP_SUMMARY");
    const struct ww_report_sink sink = { .write = to_stderr };
    struct ww_err err = { 0 };

    if (actions == NULL || strcmp(actions, "true") != 0)
        return;
    if (ww_report_write(ww_report_format_find(WW_STR("github")), r, &sink, &err) < 0)
        complain(&err);
    if (path != NULL && path[0] != '\0' && append_summary(r, path, &err) < 0)
        complain(&err);
}
