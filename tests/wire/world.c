/* Sets the proxy up, pumps its streams, and gives all of it back. */
#include "world.h"

#include <whichworker/arena.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define OF_MEMBER(ptr, member) ((struct world *)((char *)(ptr)-offsetof(struct world, member)))

static struct ww_worker worker_of(int32_t pid)
{
    return (struct ww_worker){ .id = { .pid = pid, .start_ticks = 1 }, .command = "worker" };
}

static enum ww_owner look(void *ctx, struct ww_flow *flow, struct ww_worker *out_worker)
{
    const struct world *w = ctx;

    (void)flow;
    if (w->owner == WW_OWNER_KNOWN)
        *out_worker = worker_of(w->pid);
    return w->owner;
}

/* Without a word in the script it confirms what the look said. */
static enum ww_owner confirm(void *ctx, struct ww_flow *flow, struct ww_worker *worker)
{
    const struct world *w = ctx;
    enum ww_owner owner = w->confirm_set ? w->confirmed : w->owner;

    (void)flow;
    if (owner == WW_OWNER_KNOWN)
        *worker = worker_of(w->confirm_set ? w->confirmed_pid : w->pid);
    return owner == WW_OWNER_KNOWN || owner == WW_OWNER_AMBIGUOUS ? owner : WW_OWNER_UNKNOWN;
}

static struct ww_stream *dial(struct ww_dialer *d)
{
    struct world *w = OF_MEMBER(d, dialer);

    assert(w->upstreams < MAX_UPSTREAMS);
    return w->upstream[w->upstreams++].stream = ww_memory_new();
}

static void take_exchange(struct ww_sink *s, struct ww_exchange *x)
{
    struct world *w = OF_MEMBER(s, sink);

    assert(w->exchanges < MAX_EXCHANGES);
    w->exchange[w->exchanges++] = x;
}

static void take_worker(struct ww_sink *s, const struct ww_worker *worker)
{
    (void)s;
    assert(worker->id.pid != 0);
}

static void take_connection(struct ww_sink *s, const struct ww_connection *c)
{
    struct world *w = OF_MEMBER(s, sink);

    if (c->closed_us == 0)
        w->connections_open++;
    else
        w->connections_open--;
}

static bool may_begin(void *ctx)
{
    const struct world *w = ctx;

    return !w->recorder_full;
}

static void on_wake(void *ctx)
{
    (void)ctx;
}

/* Always running, as a turn waits for something that will happen. */
static void on_ticker(void *ctx)
{
    const struct world *w = ctx;

    ww_timer_start(w->ticker, 1);
}

static void on_idle(void *ctx)
{
    struct world *w = ctx;

    assert(!w->idle);
    w->idle = true;
}

void world_config(struct ww_proxy_config *cfg)
{
    *cfg = (struct ww_proxy_config){
        .header_timeout_ms = 60000,
        .idle_timeout_ms = 60000,
        .connect_timeout_ms = 60000,
        .response_timeout_ms = 60000,
        .tunnel_timeout_ms = 60000,
        .attrib_timeout_ms = 60000,
        .handover_timeout_ms = 60000,
        .drain_timeout_ms = 60000,
        .max_head_bytes = 4096,
        .max_body_bytes = 65536,
        .capture_body_bytes = 4096,
    };
}

struct world *world_new(const struct ww_proxy_config *cfg)
{
    struct world *w = ww_xcalloc(1, sizeof(*w));
    struct ww_err err = { 0 };

    w->loop = ww_loop_new(&err);
    assert(w->loop != NULL);
    w->ticker = ww_timer_new(w->loop, on_ticker, w);
    ww_timer_start(w->ticker, 1);
    w->wake = ww_wake_new(w->loop, on_wake, NULL);
    w->dialer.dial = dial;
    w->sink = (struct ww_sink){ .exchange = take_exchange,
                                .worker = take_worker,
                                .connection = take_connection };
    w->owner = WW_OWNER_KNOWN;
    w->pid = 11;

    struct ww_proxy_parts parts = { .loop = w->loop,
                                    .dialer = &w->dialer,
                                    .looker = { .look = look, .confirm = confirm, .ctx = w },
                                    .sink = &w->sink,
                                    .may_begin = may_begin,
                                    .ctx = w };

    if (ww_addr_parse(WW_STR("127.0.0.1:8000"), "upstream", &parts.upstream, &err) < 0)
        abort();
    w->proxy = ww_proxy_new(cfg, &parts, &err);
    assert(w->proxy != NULL);
    return w;
}

void world_connect(struct world *w, size_t client)
{
    struct ww_addr peer = { 0 };
    struct ww_err err = { 0 };

    if (ww_addr_parse(WW_STR("192.0.2.1:40000"), "client", &peer, &err) < 0)
        abort();
    w->client[client].stream = ww_memory_new();
    w->client[client].connected = true;
    ww_proxy_take(w->proxy, w->client[client].stream, &peer);
}

static void connect_upstream(struct world *w, struct end *e)
{
    if (e->connected || w->dial == DIAL_HANG || ww_memory_is_closed(e->stream, NULL))
        return;
    e->connected = true;
    if (w->dial == DIAL_CONNECT)
        ww_memory_connect(e->stream);
    else
        ww_memory_fail(e->stream, ECONNREFUSED);
}

void world_turn(struct world *w, bool wait)
{
    for (size_t i = 0; i < w->upstreams; i++) {
        connect_upstream(w, &w->upstream[i]);
        if (w->upstream[i].connected)
            ww_memory_poll(w->upstream[i].stream);
    }
    for (size_t i = 0; i < MAX_CLIENTS; i++)
        if (w->client[i].stream != NULL)
            ww_memory_poll(w->client[i].stream);
    if (!wait)
        ww_wake_send(w->wake);
    ww_loop_turn(w->loop);
}

void world_drain(struct world *w)
{
    ww_proxy_drain(w->proxy, on_idle, w);
}

void world_free(struct world *w)
{
    assert(w->idle && ww_proxy_stats(w->proxy)->clients == 0 && w->connections_open == 0);
    for (size_t i = 0; i < w->upstreams; i++) {
        assert(ww_memory_is_closed(w->upstream[i].stream, NULL));
        ww_memory_free(w->upstream[i].stream);
    }
    for (size_t i = 0; i < MAX_CLIENTS; i++) {
        if (w->client[i].stream == NULL)
            continue;
        assert(ww_memory_is_closed(w->client[i].stream, NULL));
        ww_memory_free(w->client[i].stream);
    }
    for (size_t i = 0; i < w->exchanges; i++)
        ww_exchange_free(w->exchange[i]);
    ww_proxy_free(w->proxy);
    ww_timer_free(w->ticker);
    ww_wake_free(w->wake);
    ww_loop_free(w->loop);
    free(w);
}
