/* Our end of a keeper: orders out, events in, and the end of everything below it. */
#include "child.h"

#include <whichworker/attrib.h>
#include <whichworker/units.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_EVERY_MS 50

/* Beyond the time to drain: for the kernel to end what was killed. */
#define KILL_MARGIN_MS 5000

void child_order(const struct child *c, enum keeper_order what, int32_t value)
{
    const struct keeper_message m = { .what = (int32_t)what, .value = value };

    if (c->fd >= 0)
        (void)send(c->fd, &m, sizeof(m), MSG_NOSIGNAL);
}

static void lose(struct child *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->ended = true;
}

static bool hear(struct child *c, int32_t *out_start_error)
{
    struct keeper_message m;
    ssize_t n = c->fd < 0 ? 0 : recv(c->fd, &m, sizeof(m), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n != (ssize_t)sizeof(m)) {
        lose(c);
        return false;
    }
    switch ((enum keeper_event)m.what) {
    case KEEPER_STARTED:
        *out_start_error = m.value;
        break;
    case KEEPER_ENDED:
        c->ended = true;
        c->own = m.value;
        c->status = m.value;
        break;
    case KEEPER_ALONE:
        c->ended = true;
        c->alone = true;
        if (c->own == 0)
            c->status = m.value;
        break;
    }
    return true;
}

bool child_hear(struct child *c)
{
    int32_t ignored;

    return hear(c, &ignored);
}

static void wait_for_event(const struct child *c, int ms)
{
    struct pollfd p = { .fd = c->fd, .events = POLLIN };

    (void)poll(&p, 1, ms);
}

int child_fork(struct child *c, const struct keeper_job *job, struct ww_err *err)
{
    int pair[2];

    *c = (struct child){ .fd = -1 };
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return ww_err_errno(err, errno, "cannot start '%s'", job->argv[0]);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    c->keeper = fork();
    if (c->keeper == 0)
        keeper_run(pair[1], job);
    close(pair[1]);
    c->fd = pair[0];
    if (c->keeper >= 0)
        return WW_OK;

    int error = errno;

    lose(c);
    return ww_err_errno(err, error, "cannot start '%s'", job->argv[0]);
}

int child_go(struct child *c, const char *name, const char *url, struct ww_err *err)
{
    char go[sizeof(struct keeper_message) + KEEPER_URL_MAX];
    const struct keeper_message m = { .what = KEEPER_GO };
    size_t len = strlen(url);
    int32_t error = 0;

    if (len >= KEEPER_URL_MAX)
        return ww_err_set(err, WW_ELIMIT, "cannot start '%s': the URL is too long", name);
    memcpy(go, &m, sizeof(m));
    memcpy(go + sizeof(m), url, len + 1);
    if (send(c->fd, go, sizeof(m) + len + 1, MSG_NOSIGNAL) < 0)
        error = errno;
    while (error == 0 && c->fd >= 0) {
        wait_for_event(c, -1);
        if (hear(c, &error))
            break;
    }
    if (error == 0 && c->fd >= 0)
        return WW_OK;
    return ww_err_errno(err, error == 0 ? ECHILD : error, "cannot run '%s'", name);
}

bool child_is_over(const struct child *c)
{
    return c->fd < 0 || c->alone || (c->ended && c->status != 0);
}

int child_exit_status(const struct child *c)
{
    return WIFSIGNALED(c->status) ? 128 + WTERMSIG(c->status) : WEXITSTATUS(c->status);
}

void child_describe(const struct child *c, struct ww_buf *out)
{
    if (WIFSIGNALED(c->status))
        ww_buf_printf(out, "was killed by signal %d (%s)", WTERMSIG(c->status),
                      strsignal(WTERMSIG(c->status)));
    else
        ww_buf_printf(out, "ended with status %d", WEXITSTATUS(c->status));
}

/* The keeper has been killed: its children are ours now. */
static void kill_orphans(void)
{
    int32_t pid[WW_TREE_MAX];
    struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };

    for (int round = 0; round < KILL_MARGIN_MS / 20; round++) {
        size_t n = ww_tree_below("/proc", getpid(), pid, WW_TREE_MAX);

        for (size_t i = 0; i < n; i++)
            kill(pid[i], SIGKILL);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
            return;
        nanosleep(&pause, NULL);
    }
}

void child_stop(struct child *c, uint32_t grace_ms)
{
    int64_t until_us = ww_clock_mono_us() + ((int64_t)grace_ms + KILL_MARGIN_MS) * 1000;

    if (c->keeper <= 0)
        return;
    child_order(c, KEEPER_STOP, (int32_t)grace_ms);
    while (c->fd >= 0 && !c->alone && ww_clock_mono_us() < until_us) {
        wait_for_event(c, LOOK_EVERY_MS);
        while (child_hear(c))
            ;
    }
    lose(c);
    if (c->alone)
        (void)waitpid(c->keeper, NULL, 0);
    else
        kill_orphans();
    c->keeper = 0;
}
