/* Wires a running proxy: who is made from what, in which order, and back. */
#include "serve.h"

#include "command.h"
#include "judging.h"
#include "live.h"
#include "selecting.h"

#include <whichworker/log.h>
#include <whichworker/shim.h>
#include <whichworker/store.h>
#include <whichworker/units.h>

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/* What may wait for the recorder before no new request is read. */
#define QUEUE_MAX_EVENTS 16384
#define QUEUE_MAX_BYTES  (64u << 20)
#define QUEUE_LINGER_MS  25

/* Descriptors that are not for connections: the trace, the loop, the looks into /proc. */
#define DESCRIPTORS_KEPT 64

/*
 * proxy ─▶ queue ─▶ (recorder's thread) recorder ─▶ redact ─▶ live lines
 *                                                          ├▶ writer
 *                                                          └▶ judging (a thread) ─▶ live lines
 */
struct recorder {
    struct ww_sink sink; /* first: a sink pointer is a recorder pointer */
    struct ww_mac_key key;
    bool keep_secrets;
    bool told_error;
    struct live *live;
    struct ww_writer *writer; /* NULL: no trace */
    struct judging *judging;  /* NULL: --no-judge */
};

/* One of the sockets on which reports of the shim come. */
struct report_watch {
    struct ww_preload *preload;
    size_t i;
    struct ww_ready *ready;
};

struct server {
    struct recorder recorder;
    const struct serve_extra *extra; /* NULL: a proxy by itself */
    struct ww_filter *filter;        /* of the lines; NULL: none */
    struct report_watch watch[WW_SHIM_SOCKETS];
    struct ww_queue *queue;
    struct ww_loop *loop;
    struct ww_wake *wake; /* the recorder has room again */
    struct ww_attrib *attrib;
    struct ww_dialer *dialer;
    struct ww_listener *listener;
    struct ww_proxy *proxy;
    struct ww_signal *sigint;
    struct ww_signal *sigterm;
    int64_t started_us;
    bool stopping;
};

static void record_exchange(struct ww_sink *s, struct ww_exchange *x)
{
    struct recorder *r = (struct recorder *)s;

    ww_exchange_redact(x, r->keep_secrets ? NULL : &r->key);

    uint64_t session = live_exchange(r->live, x);

    if (r->writer != NULL)
        ww_writer_exchange(r->writer, x);
    if (r->judging != NULL)
        judging_take(r->judging, x, session);
    else
        ww_exchange_free(x);
}

static void record_worker(struct ww_sink *s, const struct ww_worker *w)
{
    struct recorder *r = (struct recorder *)s;

    live_worker(r->live, w);
    if (r->judging != NULL)
        judging_worker(r->judging, w);
    if (r->writer != NULL) {
        struct ww_sink *out = ww_writer_sink(r->writer);

        out->worker(out, w);
    }
}

static void record_connection(struct ww_sink *s, const struct ww_connection *c)
{
    struct recorder *r = (struct recorder *)s;

    if (r->writer != NULL) {
        struct ww_sink *out = ww_writer_sink(r->writer);

        out->connection(out, c);
    }
}

static void on_drained(void *ctx)
{
    struct server *s = ctx;
    struct recorder *r = &s->recorder;

    live_flush(r->live);
    if (r->writer == NULL)
        return;
    ww_writer_commit(r->writer);

    const struct ww_err *e = ww_writer_error(r->writer);

    if (e != NULL && !r->told_error) {
        r->told_error = true;
        ww_log(WW_LOG_ERROR, "recording stopped, forwarding goes on", "%s", e->text);
    }
}

static void on_room(void *ctx)
{
    struct server *s = ctx;

    ww_wake_send(s->wake);
}

static void on_wake(void *ctx)
{
    struct server *s = ctx;

    ww_proxy_resume(s->proxy);
}

static bool may_begin(void *ctx)
{
    const struct server *s = ctx;

    return ww_queue_has_room(s->queue);
}

static void on_accept(void *ctx, struct ww_stream *stream, const struct ww_addr *peer)
{
    struct server *s = ctx;

    ww_proxy_take(s->proxy, stream, peer);
}

static enum ww_owner look(void *ctx, struct ww_flow *flow, struct ww_worker *out_worker)
{
    return ww_attrib_look(ctx, flow, out_worker);
}

static enum ww_owner confirm(void *ctx, struct ww_flow *flow, struct ww_worker *worker)
{
    return ww_attrib_confirm(ctx, flow, worker);
}

static enum ww_obstacle why(void *ctx)
{
    return ww_attrib_why(ctx);
}

static enum ww_owner look_preload(void *ctx, struct ww_flow *flow, struct ww_worker *out_worker)
{
    return ww_preload_look(ctx, flow, out_worker);
}

static enum ww_owner confirm_preload(void *ctx, struct ww_flow *flow, struct ww_worker *worker)
{
    return ww_preload_confirm(ctx, flow, worker);
}

static enum ww_obstacle why_preload(void *ctx)
{
    return ww_preload_why(ctx);
}

static void on_reports(void *ctx)
{
    const struct report_watch *w = ctx;

    ww_preload_drain(w->preload, w->i);
}

static void gate(void *ctx, bool open)
{
    struct server *s = ctx;

    if (s->listener != NULL)
        ww_listener_pause(s->listener, !open);
}

static void on_idle(void *ctx)
{
    struct server *s = ctx;

    ww_loop_stop(s->loop);
}

static void on_stop_signal(struct server *s, int signum)
{
    if (s->extra != NULL && s->extra->on_signal != NULL)
        s->extra->on_signal(s->extra->ctx, signum);
    else
        serve_stop(s);
}

static void on_sigint(void *ctx)
{
    on_stop_signal(ctx, SIGINT);
}

static void on_sigterm(void *ctx)
{
    on_stop_signal(ctx, SIGTERM);
}

const struct ww_addr *server_addr(const struct server *s)
{
    return ww_listener_addr(s->listener);
}

void serve_stop(struct server *s)
{
    if (s->stopping) {
        ww_proxy_cut(s->proxy);
        return;
    }
    s->stopping = true;
    ww_listener_free(s->listener);
    s->listener = NULL;
    if (ww_proxy_stats(s->proxy)->clients > 0)
        ww_log(WW_LOG_INFO, "draining", "clients=%zu", ww_proxy_stats(s->proxy)->clients);
    ww_proxy_drain(s->proxy, on_idle, s);
}

/* Every connection needs two descriptors; the soft limit of a shell is often just 1024. */
static void raise_descriptor_limit(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
        l.rlim_cur = l.rlim_max;
        setrlimit(RLIMIT_NOFILE, &l);
    }
}

static void on_finding(void *ctx, enum live_tone tone, ww_str line)
{
    const struct server *s = ctx;

    live_tell(s->recorder.live, tone, line);
}

static int open_judging(struct server *s, const struct config *c, const struct ww_run *run,
                        struct ww_err *err)
{
    const struct judging_config judging = {
        .judge = c->judge,
        .run = *run,
        .max_exchanges = (size_t)c->live_window,
        .max_bytes = (size_t)c->live_memory,
        .tell = on_finding,
        .ctx = s,
    };

    if (c->no_judge)
        return WW_OK;
    s->recorder.judging = judging_new(&judging, err);
    return s->recorder.judging == NULL ? err->code : WW_OK;
}

static int open_recorder(struct server *s, const struct config *c,
                         const struct ww_addr *upstream, struct ww_err *err)
{
    struct recorder *r = &s->recorder;
    const struct ww_queue_config queue = {
        .max_events = QUEUE_MAX_EVENTS,
        .max_bytes = QUEUE_MAX_BYTES,
        .linger_ms = QUEUE_LINGER_MS,
        .out = &r->sink,
        .on_drained = on_drained,
        .on_room = on_room,
        .ctx = s,
    };

    r->sink = (struct ww_sink){ record_exchange, record_worker, record_connection };
    r->keep_secrets = c->keep_secrets;
    ww_mac_key_random(&r->key);
    r->live = live_new(STDERR_FILENO, !c->quiet, wants_colour(c, STDERR_FILENO),
                       &c->live_sessions, s->filter);

    struct ww_run run = { .started_us = s->started_us };

    snprintf(run.version, sizeof(run.version), "%s", WW_VERSION);
    snprintf(run.upstream, sizeof(run.upstream), "%s", upstream->text);
    snprintf(run.upstream_connections, sizeof(run.upstream_connections), "fresh");
    snprintf(run.schedule, sizeof(run.schedule), "natural");
    if (c->trace.len > 0) {
        /* Slices of the command line end where the argument ends. */
        r->writer = ww_writer_new(c->trace.ptr, &run, err);
        if (r->writer == NULL)
            return err->code;
    }
    if (open_judging(s, c, &run, err) < 0)
        return err->code;
    s->queue = ww_queue_new(&queue, err);
    return s->queue == NULL ? err->code : WW_OK;
}

static int open_preload(struct server *s, struct ww_looker *out, struct ww_err *err)
{
    struct ww_preload *p = s->extra->preload;

    ww_preload_attach(p, s->attrib);
    ww_dialer_name(s->dialer, ww_preload_client_name(p));
    *out = (struct ww_looker){
        .look = look_preload, .confirm = confirm_preload, .why = why_preload, .ctx = p
    };
    for (size_t i = 0; i < WW_SHIM_SOCKETS; i++) {
        struct report_watch *w = &s->watch[i];

        w->preload = p;
        w->i = i;
        w->ready = ww_ready_new(s->loop, ww_preload_fd(p, i), on_reports, w, err);
        if (w->ready == NULL)
            return err->code;
    }
    return WW_OK;
}

/* Where none is set: so many that the descriptors suffice for each client and its upstream. */
static uint64_t connections_that_fit(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur == RLIM_INFINITY)
        return 0;
    return l.rlim_cur > 2 * DESCRIPTORS_KEPT ? (l.rlim_cur - DESCRIPTORS_KEPT) / 2 : 1;
}

static int open_proxy(struct server *s, const struct config *c, const struct ww_addr *upstream,
                      struct ww_err *err)
{
    s->attrib = ww_attrib_new(upstream, "/proc", err);
    if (s->attrib == NULL)
        return err->code;
    s->dialer = ww_dialer_new(s->loop, upstream);

    struct ww_looker looker = {
        .look = look, .confirm = confirm, .why = why, .ctx = s->attrib
    };

    if (s->extra != NULL && s->extra->preload != NULL && open_preload(s, &looker, err) < 0)
        return err->code;

    const struct ww_proxy_parts parts = {
        .loop = s->loop,
        .dialer = s->dialer,
        .upstream = *upstream,
        .looker = looker,
        .sink = ww_queue_sink(s->queue),
        .may_begin = may_begin,
        .gate = gate,
        .ctx = s,
    };
    struct ww_proxy_config cfg = c->proxy;

    if (cfg.max_connections == 0)
        cfg.max_connections = connections_that_fit();
    s->proxy = ww_proxy_new(&cfg, &parts, err);
    return s->proxy == NULL ? err->code : WW_OK;
}

static int start(struct server *s, const struct config *c, const struct ww_addr *upstream,
                 const struct ww_addr *listen, struct ww_err *err)
{
    s->loop = ww_loop_new(err);
    if (s->loop == NULL)
        return err->code;
    s->wake = ww_wake_new(s->loop, on_wake, s);
    s->sigint = ww_signal_new(s->loop, SIGINT, on_sigint, s, err);
    s->sigterm = ww_signal_new(s->loop, SIGTERM, on_sigterm, s, err);
    if (s->sigint == NULL || s->sigterm == NULL)
        return err->code;
    /* The port before the file: a port that is taken leaves no empty trace behind. */
    s->listener = ww_listener_new(s->loop, listen, on_accept, s, err);
    if (s->listener == NULL)
        return err->code;
    if (open_recorder(s, c, upstream, err) < 0 || open_proxy(s, c, upstream, err) < 0)
        return err->code;
    return s->extra == NULL ? WW_OK : s->extra->open(s->extra->ctx, s->loop, s, err);
}

static void announce(const struct server *s, const struct config *c,
                     const struct ww_addr *upstream)
{
    const struct ww_addr *at = ww_listener_addr(s->listener);
    bool is_unix = at->sa.ss_family == AF_UNIX;
    struct ww_buf out;

    ww_buf_init(&out, 4096);
    ww_buf_printf(&out, "listening on %s%s, forwarding to %s", is_unix ? "" : "http://",
                  at->text, upstream->text);
    if (c->trace.len > 0) {
        ww_buf_add_c(&out, ", recording to ");
        ww_buf_add_printable(&out, c->trace);
    }
    ww_buf_add_char(&out, '\n');
    if (!ww_addr_is_loopback(at))
        ww_buf_printf(&out, "note: %s can be reached from other machines\n", at->text);
    write_all(STDERR_FILENO, ww_buf_str(&out));
    ww_buf_release(&out);
}

static bool is_reticent(const struct server *s)
{
    return s->extra != NULL && s->extra->reticent;
}

/* A worker that stayed unknown has a reason, and a remedy. */
static bool has_obstacles(const struct ww_proxy_stats *p)
{
    for (int o = WW_OBSTACLE_NONE + 1; o < WW_OBSTACLES; o++)
        if (p->obstacle[o] > 0)
            return true;
    return false;
}

/* Takes everything down in the order in which the data flows; says what was seen. */
static int stop(struct server *s, const struct config *c, bool served, struct ww_err *err)
{
    uint64_t stalls = s->queue == NULL ? 0 : ww_queue_stalls(s->queue);
    struct live_ending ending = { .stalls = stalls, .trace = c->trace };
    int status = WW_OK;
    int64_t now = ww_clock_wall_us();

    if (s->proxy != NULL)
        ending.proxy = *ww_proxy_stats(s->proxy);
    if (s->extra != NULL)
        s->extra->close(s->extra->ctx);
    for (size_t i = 0; i < WW_SHIM_SOCKETS; i++)
        ww_ready_free(s->watch[i].ready);
    ww_listener_free(s->listener);
    ww_proxy_free(s->proxy);
    ww_attrib_free(s->attrib);
    ww_dialer_free(s->dialer);
    ww_queue_free(s->queue);
    ww_signal_free(s->sigint);
    ww_signal_free(s->sigterm);
    ww_wake_free(s->wake);
    ww_loop_free(s->loop);
    if (s->recorder.writer != NULL) {
        ending.lost = ww_writer_lost(s->recorder.writer);
        status = ww_writer_close(s->recorder.writer, now, stalls, err);
    }
    if (s->recorder.judging != NULL)
        judging_finish(s->recorder.judging);
    if (served && (!is_reticent(s) || has_obstacles(&ending.proxy))) {
        struct ww_buf out;

        ending.seconds = (double)(now - s->started_us) / 1e6;
        ww_buf_init(&out, 1 << 20);
        live_flush(s->recorder.live);
        live_summary(s->recorder.live, &ending, s->recorder.judging, &out);
        write_all(STDERR_FILENO, ww_buf_str(&out));
        ww_buf_release(&out);
    }
    judging_free(s->recorder.judging);
    live_free(s->recorder.live);
    ww_filter_free(s->filter);
    if (status == WW_OK && ending.lost > 0)
        return EXIT_CANNOT;
    return status;
}

int serve(const struct config *c, const struct serve_extra *extra, struct ww_err *err)
{
    struct server s = { .started_us = ww_clock_wall_us(), .extra = extra };
    struct ww_addr upstream;
    struct ww_addr listen;
    struct ww_err ignored = { 0 };

    if (extra != NULL)
        upstream = extra->upstream;
    else if (ww_addr_parse(c->upstream, "--upstream", &upstream, err) < 0)
        return err->code;
    if (ww_addr_parse(c->listen, "--listen", &listen, err) < 0)
        return err->code;
    if (c->verbose)
        ww_log_set_level(WW_LOG_INFO);
    raise_descriptor_limit();

    if (selecting_filter(c, &s.filter, err) < 0)
        return err->code;

    int status = start(&s, c, &upstream, &listen, err);

    if (status < 0) {
        stop(&s, c, false, &ignored);
        return status;
    }
    if (!is_reticent(&s))
        announce(&s, c, &upstream);
    ww_loop_run(s.loop);
    return stop(&s, c, true, err);
}
