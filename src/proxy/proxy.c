/* The proxy as a whole: its clients, its clock, its end. */
#include "proxy_private.h"

#include <whichworker/arena.h>
#include <whichworker/log.h>
#include <whichworker/units.h>

#include <stdlib.h>

static void on_drain_timer(void *ctx);

struct ww_proxy *ww_proxy_new(const struct ww_proxy_config *cfg,
                              const struct ww_proxy_parts *parts, struct ww_err *err)
{
    struct ww_proxy *p = ww_xcalloc(1, sizeof(*p));

    p->cfg = *cfg;
    p->parts = *parts;
    if (holds_init(&p->holds, parts->loop, &parts->looker, cfg, err) < 0) {
        free(p);
        return NULL;
    }
    p->wall_offset_us = ww_clock_wall_us() - ww_clock_mono_us();
    ww_random(&p->run, sizeof(p->run));
    ww_buf_init(&p->out, 4 * cfg->max_head_bytes + 65536);
    roster_init(&p->roster, parts->loop, parts->sink, p->wall_offset_us);
    p->drain_timer = ww_timer_new(parts->loop, on_drain_timer, p);
    return p;
}

void ww_proxy_free(struct ww_proxy *p)
{
    if (p == NULL)
        return;
    ww_timer_free(p->drain_timer);
    roster_release(&p->roster);
    holds_release(&p->holds);
    ww_buf_release(&p->out);
    free(p);
}

int64_t proxy_now_us(const struct ww_proxy *p)
{
    return ww_clock_mono_us() + p->wall_offset_us;
}

const struct ww_proxy_stats *ww_proxy_stats(const struct ww_proxy *p)
{
    return &p->stats;
}

static void set_gate(struct ww_proxy *p)
{
    bool full = p->cfg.max_connections > 0 && p->stats.clients >= p->cfg.max_connections;

    if (full == p->full || p->parts.gate == NULL || p->draining)
        return;
    p->full = full;
    if (full && p->stats.times_full++ == 0)
        ww_log(WW_LOG_WARN, "full", "clients=%zu; further ones wait until one leaves",
               p->stats.clients);
    p->parts.gate(p->parts.ctx, !full);
}

void ww_proxy_take(struct ww_proxy *p, struct ww_stream *s, const struct ww_addr *peer)
{
    if (p->draining) {
        ww_stream_close(s);
        return;
    }
    client_new(p, s, peer);
    set_gate(p);
}

void proxy_emit(struct ww_proxy *p, struct ww_exchange *x)
{
    p->stats.by[x->by]++;
    p->stats.end[x->end]++;
    p->parts.sink->exchange(p->parts.sink, x);
}

void proxy_note_obstacle(struct ww_proxy *p, enum ww_obstacle why)
{
    if (p->stats.obstacle[why]++ == 0 && why != WW_OBSTACLE_NONE)
        ww_log(WW_LOG_WARN, "worker unknown", "%s; remedy: %s", ww_obstacle_sentence(why),
               ww_obstacle_remedy(why));
}

void proxy_forget(struct client *c)
{
    struct ww_proxy *p = c->proxy;

    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        p->clients = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    p->stats.clients--;
    set_gate(p);
    if (p->draining && p->clients == NULL)
        ww_timer_start(p->drain_timer, 0);
}

void ww_proxy_resume(struct ww_proxy *p)
{
    for (struct client *c = p->clients, *next; c != NULL; c = next) {
        next = c->next;
        if (c->state == CLIENT_WAIT)
            client_step(c);
    }
}

void ww_proxy_cut(struct ww_proxy *p)
{
    for (struct client *c = p->clients, *next; c != NULL; c = next) {
        next = c->next;
        if (c->state == CLIENT_BUSY) {
            forward_stop(&c->forward, WW_END_PROXY_STOPPED);
            forward_settle(&c->forward);
        } else {
            client_close(c);
        }
    }
}

static void on_drain_timer(void *ctx)
{
    struct ww_proxy *p = ctx;

    if (p->clients != NULL) {
        /* Once for those in flight, and again for those that linger after their refusal. */
        ww_proxy_cut(p);
        if (p->clients != NULL)
            ww_timer_start(p->drain_timer, p->cfg.drain_timeout_ms);
        return;
    }
    if (p->on_idle != NULL) {
        ww_loop_cb *cb = p->on_idle;

        p->on_idle = NULL;
        cb(p->on_idle_ctx);
    }
}

void ww_proxy_drain(struct ww_proxy *p, ww_loop_cb *on_idle, void *ctx)
{
    p->draining = true;
    p->on_idle = on_idle;
    p->on_idle_ctx = ctx;
    for (struct client *c = p->clients, *next; c != NULL; c = next) {
        next = c->next;
        client_drain(c);
    }
    ww_timer_start(p->drain_timer, p->clients == NULL ? 0 : p->cfg.drain_timeout_ms);
}
