/* Plays the tests: who is started when, what ends what, and how all of it is taken down. */
#include "command.h"
#include "gate.h"

#include <whichworker/units.h>

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* What tests leave running has this long after their end. */
#define LEFTOVERS_MS 2000

/* ---- events while the proxy is open */

/* The tests have to go: then on_test ends the rest. */
static void stop_tests(struct gate *g, enum gate_end end, uint32_t grace_ms)
{
    if (g->end == GATE_DONE)
        g->end = end;
    child_order(&g->test, KEEPER_STOP, (int32_t)grace_ms);
}

static void on_test(void *ctx)
{
    struct gate *g = ctx;

    while (child_hear(&g->test))
        ;
    if (g->test.fd < 0) {
        ww_ready_free(g->test_events);
        g->test_events = NULL;
    }
    if (g->test_over || !g->test.ended)
        return;
    g->test_over = true;
    g->test_us = ww_clock_mono_us() - g->test_us;
    ww_timer_stop(g->limit);
    ww_timer_stop(g->patience);
    child_order(&g->test, KEEPER_STOP, LEFTOVERS_MS);
    serve_stop(g->server);
}

static void on_backend(void *ctx)
{
    struct gate *g = ctx;

    while (child_hear(&g->backend.child))
        ;
    if (g->backend.child.fd < 0) {
        ww_ready_free(g->backend_events);
        g->backend_events = NULL;
    }
    if (!g->test_over && child_is_over(&g->backend.child))
        stop_tests(g, GATE_BACKEND_DIED, g->config->proxy.drain_timeout_ms);
}

static void on_limit(void *ctx)
{
    struct gate *g = ctx;

    stop_tests(g, GATE_TIMED_OUT, g->config->proxy.drain_timeout_ms);
}

static void on_patience(void *ctx)
{
    struct gate *g = ctx;

    child_order(&g->test, KEEPER_STOP, LEFTOVERS_MS);
}

/* The first is the tests' to obey, which may want to clean up; the second means now. */
static void on_signal(void *ctx, int signum)
{
    struct gate *g = ctx;

    if (g->end == GATE_SIGNALLED) {
        child_order(&g->test, KEEPER_STOP, 0);
        serve_stop(g->server);
        return;
    }
    g->end = GATE_SIGNALLED;
    g->signum = signum;
    /* Ctrl-C has reached tests in our own group already; twice would disturb their clean-up. */
    if (!g->test_is_ours || signum != SIGINT)
        child_order(&g->test, KEEPER_SIGNAL, signum);
    ww_timer_start(g->patience, g->config->proxy.drain_timeout_ms);
}

static void on_hangup(void *ctx)
{
    on_signal(ctx, SIGHUP);
}

/* ---- the proxy's beginning and end */

/* Where a client can go: a wildcard address is no place to connect to. */
static void write_url(const struct server *s, char out[GATE_URL])
{
    const char *text = server_addr(s)->text;

    if (strncmp(text, "0.0.0.0:", 8) == 0)
        snprintf(out, GATE_URL, "http://127.0.0.1:%s", text + 8);
    else if (strncmp(text, "[::]:", 5) == 0)
        snprintf(out, GATE_URL, "http://[::1]:%s", text + 5);
    else
        snprintf(out, GATE_URL, "http://%.100s", text);
}

static void announce(const struct gate *g)
{
    const struct backend_roll *r = &g->roll;
    struct ww_buf out;

    if (g->config->quiet)
        return;
    ww_buf_init(&out, 1024);
    ww_buf_printf(&out, "whichworker: %s is ready", g->upstream.text);
    if (r->accepted > 0)
        ww_buf_printf(&out, ", %zu worker%s", r->accepted, r->accepted == 1 ? "" : "s");
    ww_buf_printf(&out, "; the tests go through %s\n", g->url);
    if (r->silent > 0)
        ww_buf_printf(&out,
                      "whichworker: note: %zu more process%s could accept connections, and did "
                      "not\n",
                      r->silent, r->silent == 1 ? "" : "es");
    write_all(STDERR_FILENO, ww_buf_str(&out));
    ww_buf_release(&out);
}

static int open_gate(void *ctx, struct ww_loop *loop, struct server *s, struct ww_err *err)
{
    struct gate *g = ctx;

    g->server = s;
    g->is_recorded = true;
    write_url(s, g->url);
    g->limit = ww_timer_new(loop, on_limit, g);
    g->patience = ww_timer_new(loop, on_patience, g);
    g->test_events = ww_ready_new(loop, g->test.fd, on_test, g, err);
    g->hangup = ww_signal_new(loop, SIGHUP, on_hangup, g, err);
    if (g->test_events == NULL || g->hangup == NULL)
        return err->code;
    if (g->backend.child.fd >= 0) {
        g->backend_events = ww_ready_new(loop, g->backend.child.fd, on_backend, g, err);
        if (g->backend_events == NULL)
            return err->code;
    }
    announce(g);
    g->test_us = ww_clock_mono_us();
    if (child_go(&g->test, g->config->command[0], g->url, err) < 0)
        return err->code;
    g->test_ran = true;
    if (g->config->test_timeout_ms > 0)
        ww_timer_start(g->limit, g->config->test_timeout_ms);
    /* Those that came meanwhile are heard now. */
    sigprocmask(SIG_SETMASK, &g->backend.mask, NULL);
    return WW_OK;
}

static void close_gate(void *ctx)
{
    struct gate *g = ctx;
    sigset_t before = g->backend.mask;

    /* From here on a signal waits: what was seen is still to be told. */
    backend_block_signals(&g->backend);
    g->backend.mask = before;
    ww_ready_free(g->test_events);
    ww_ready_free(g->backend_events);
    ww_signal_free(g->hangup);
    ww_timer_free(g->limit);
    ww_timer_free(g->patience);
}

/* ---- the whole play */

static int start_backend(struct gate *g, struct ww_preload *preload, const char *shim,
                         struct ww_err *err)
{
    static const char shell[] = "/bin/sh";
    char *const argv[] = { (char *)shell, (char *)"-c", (char *)g->config->backend.ptr, NULL };
    const struct keeper_job job = { .argv = argv,
                                    .shim = shim,
                                    .token = preload == NULL ? "" : ww_preload_token(preload),
                                    .place = KEEPER_SESSION,
                                    .aside = true,
                                    .output_fd = g->scratch.log };

    return backend_start(&g->backend, &job, err);
}

/* A leftover of an earlier run would be tested in its place. */
static int refuse_taken(const struct backend_wanted *wanted, struct ww_err *err)
{
    for (size_t i = 0; i < wanted->n; i++)
        if (backend_answers(&wanted->addr[i]))
            return ww_err_set(err, WW_ESYSTEM,
                              "something listens on %s already, before the backend is started",
                              wanted->addr[i].text);
    return WW_OK;
}

/* BACKEND_READY, BACKEND_STOPPED, or < 0. */
static int get_ready(struct gate *g, struct ww_preload *preload, const char *shim,
                     struct ww_err *err)
{
    const struct config *c = g->config;
    int64_t until_us = ww_clock_mono_us() + (int64_t)c->ready_timeout_ms * 1000;
    bool has_backend = c->backend.ptr != NULL;
    struct backend_wanted wanted;

    if (backend_want(c->upstream, &wanted, err) < 0 ||
        (has_backend && refuse_taken(&wanted, err) < 0))
        return err->code;
    if (!has_backend)
        backend_block_signals(&g->backend);
    else if (start_backend(g, preload, shim, err) < 0)
        return err->code;

    int r = backend_wait(&g->backend, &wanted, c->ready_timeout_ms, &g->upstream, err);

    return r == BACKEND_READY
               ? backend_call_roll(&g->backend, &g->upstream, until_us, &g->roll, err)
               : r;
}

/* With the terminal's standard input the tests are part of our own job, so that Ctrl-C, Ctrl-Z
 * and a debugger's prompt work as they do without us. */
static int fork_test_keeper(struct gate *g, struct ww_err *err)
{
    const struct keeper_job job = { .argv = g->config->command,
                                    .place = g->test_is_ours ? KEEPER_OURS : KEEPER_GROUP,
                                    .group = getpgrp(),
                                    .told_url = true };

    return child_fork(&g->test, &job, err);
}

static void fail(struct gate *g, const struct ww_err *err)
{
    if (g->end != GATE_DONE)
        return;
    g->end = GATE_COULD_NOT;
    g->why = *err;
}

static void play(struct gate *g, struct ww_preload *preload, const char *shim)
{
    struct ww_err err = { 0 };
    struct serve_extra extra = { .preload = preload,
                                 .open = open_gate,
                                 .close = close_gate,
                                 .on_signal = on_signal,
                                 .reticent = !g->config->verbose,
                                 .ctx = g };
    int r = get_ready(g, preload, shim, &err);

    g->unready = r < 0;
    if (r == BACKEND_STOPPED) {
        g->end = GATE_SIGNALLED;
        g->signum = g->backend.stopped_by;
        return;
    }
    extra.upstream = g->upstream;
    if (r == BACKEND_READY)
        r = serve(&g->served, &extra, &err);
    if (r < 0)
        fail(g, &err);
    else if (r == EXIT_CANNOT)
        fail(g, &(struct ww_err){ .code = WW_ESYSTEM, .text = "not all could be recorded" });
}

void gate_play(struct gate *g, struct ww_preload *preload, const char *shim)
{
    struct ww_err err = { 0 };

    g->test.fd = g->backend.child.fd = -1;
    g->backend.hangup_ends = true;
    g->test_is_ours = isatty(STDIN_FILENO) != 0;
    if (fork_test_keeper(g, &err) < 0)
        fail(g, &err);
    else
        play(g, preload, shim);
    child_stop(&g->test, LEFTOVERS_MS);
    g->test.status = g->test.own; /* not that of something it had left running */
    child_stop(&g->backend.child, g->config->proxy.drain_timeout_ms);
}
