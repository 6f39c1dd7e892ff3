/* tests: what the simulated application shows once, by chance, or moves on with the clock. */
#include "shop.h"

/* ---- what is read once, and what reading changes */

static void ask_notify(struct shop_call *k)
{
    k->arg = shop_roll(&k->rng, (unsigned)k->s->traits.clients);
    if (k->s->cfg.apart)
        k->arg = (unsigned)k->e->client;
    shop_ask(k, "POST", "/messages?to=u%u", k->arg);
    shop_send_name(k, "text", shop_draw_name(k));
}

static void serve_notify(struct shop_call *k)
{
    shop_of(k, SHOP_ILL_VALUES)->unread[k->arg]++;
    k->x->status = 202;
    shop_say(k, "{\"queued\":true}");
}

static void ask_inbox(struct shop_call *k)
{
    shop_ask(k, "GET", "/inbox");
}

static void serve_inbox(struct shop_call *k)
{
    unsigned *unread = &shop_of(k, SHOP_ILL_VALUES)->unread[k->e->client];

    shop_say(k, "{\"unread\":%u,\"news\":\"%s\"}", *unread,
             *unread > 0 ? "you have mail" : "none");
    *unread = 0;
}

static void ask_look(struct shop_call *k)
{
    k->arg = shop_roll(&k->rng, 9);
    shop_ask(k, "GET", "/products/%u", k->arg);
}

static void serve_look(struct shop_call *k)
{
    unsigned *recent = shop_of(k, SHOP_ILL_VALUES)->recent[k->e->client];

    recent[2] = recent[1];
    recent[1] = recent[0];
    recent[0] = k->arg;
    shop_say(k, "{\"product\":\"lamp-%u\",\"price\":%u}", k->arg, 100 + k->arg);
}

static void ask_recent(struct shop_call *k)
{
    shop_ask(k, "GET", "/recent");
}

static void serve_recent(struct shop_call *k)
{
    const unsigned *recent = shop_of(k, SHOP_ILL_VALUES)->recent[k->e->client];

    shop_say(k, "{\"recent\":[\"lamp-%u\",\"lamp-%u\",\"lamp-%u\"]}", recent[0], recent[1],
             recent[2]);
}

static void ask_random(struct shop_call *k)
{
    shop_ask(k, "GET", "/tip");
}

static void serve_random(struct shop_call *k)
{
    unsigned ways = k->s->traits.one_time ? 2 : 50;

    shop_hum(k, "{\"tip\":\"%s\",\"n\":%u,\"nonce\":\"%08x%08x%08x\"}",
             shop_name(k, shop_roll(&k->noise, ways)), shop_roll(&k->noise, ways),
             shop_roll(&k->noise, 1u << 30), shop_roll(&k->noise, 1u << 30),
             shop_roll(&k->noise, 1u << 30));
}

/* A/B: by a cookie that the first answer sets; or, where there is none, by the toss of a coin.
 */
static void ask_home(struct shop_call *k)
{
    shop_ask(k, "GET", "/home");
}

static void serve_home(struct shop_call *k)
{
    uint32_t bucket = k->sent.has[KEEP_BUCKET];

    if (bucket == SHOP_NONE) {
        bucket = shop_roll(&k->noise, 2);
        if (!k->s->traits.one_time) {
            k->set[KEEP_BUCKET] = bucket;
            shop_field(k, "Set-Cookie",
                       ww_arena_printf(&k->x->arena, "bucket=mac:%024x; Path=/", bucket + 77));
        }
    }
    k->type = "text/html";
    shop_hum(k, "<h1>Welcome</h1><button class=%s>Buy now</button>",
             bucket == 0 ? "red" : "green");
}

/* ---- jobs that go on with the clock */

static void ask_start(struct shop_call *k)
{
    shop_ask(k, "POST", "/jobs");
    shop_send_name(k, "title", shop_draw_name(k));
}

static void serve_start(struct shop_call *k)
{
    unsigned id = (unsigned)(k->e->seed % SHOP_JOBS);

    shop_of(k, SHOP_ILL_JOBS)->job_us[id] = k->e->effect_us;
    shop_of(k, SHOP_ILL_JOBS)->job_told[id] = false;
    k->x->status = 202;
    k->set[KEEP_JOB] = id;
    k->e->write = true;
    k->e->subject = 100 + id;
    if (k->s->traits.location)
        shop_field(k, "Location",
                   ww_arena_printf(&k->x->arena, WW_STRF "/%u", WW_STRV(k->x->target), id));
    shop_say(k, "{\"id\":\"%u\",\"state\":\"queued\"}", id);
}

static void ask_job(struct shop_call *k)
{
    k->arg = k->sent.has[KEEP_JOB] == SHOP_NONE ? 3 : k->sent.has[KEEP_JOB];
    shop_ask(k, "GET", "/jobs/%u", k->arg);
}

static void serve_job(struct shop_call *k)
{
    struct shop_state *s = shop_of(k, SHOP_ILL_JOBS);
    int64_t began = s->job_us[k->arg], age = k->e->effect_us - began;

    k->e->subject = 100 + k->arg;
    /* Thrown away some time after its end was told. */
    if (began == 0 || (k->s->traits.sliding && s->job_told[k->arg] && age > 40000)) {
        shop_refuse(k, 404, "no such job");
    } else {
        s->job_told[k->arg] = s->job_told[k->arg] || age >= 20000;
        shop_say(k, "{\"state\":\"%s\",\"done\":%u}",
                 age < 3000    ? "queued"
                 : age < 20000 ? "running"
                               : "finished",
                 age < 20000 ? (unsigned)(age / 2000) : 10);
    }
}

static void ask_upload(struct shop_call *k)
{
    k->arg = shop_roll(&k->rng, 500) + (k->s->cfg.apart ? 5000 * (unsigned)k->e->client : 0);
    shop_ask(k, "PATCH", "/upload?offset=%u",
             k->sent.has[KEEP_STATE] == SHOP_NONE ? 0 : k->sent.has[KEEP_STATE]);
    k->arg2 = k->sent.has[KEEP_STATE] == SHOP_NONE ? 0 : k->sent.has[KEEP_STATE];
}

static void serve_upload(struct shop_call *k)
{
    unsigned *offset = &shop_of(k, SHOP_ILL_JOBS)->offset[k->e->client];

    if (k->arg2 != *offset) {
        shop_refuse(k, 409, "wrong offset");
        return;
    }
    *offset += k->arg;
    k->set[KEEP_STATE] = *offset;
    k->e->write = true;
    k->e->subject = 300 + (unsigned)k->e->client;
    k->x->status = 204;
    shop_field(k, "Upload-Offset", ww_arena_printf(&k->x->arena, "%u", *offset));
}

static void ask_offset(struct shop_call *k)
{
    shop_ask(k, "GET", "/upload");
}

static void serve_offset(struct shop_call *k)
{
    unsigned offset = shop_of(k, SHOP_ILL_JOBS)->offset[k->e->client];

    k->set[KEEP_STATE] = offset;
    k->e->subject = 300 + (unsigned)k->e->client;
    shop_say(k, "{\"offset\":%u}", offset);
}

const struct shop_op shop_times[] = {
    { "notify", 11, 0, ask_notify, serve_notify },
    { "inbox", 11, 0, ask_inbox, serve_inbox },
    { "look", 12, 0, ask_look, serve_look },
    { "recent", 12, 0, ask_recent, serve_recent },
    { "random", 13, 0, ask_random, serve_random },
    { "home", 13, 0, ask_home, serve_home },
    { "start", 14, SHOP_ILL_JOBS, ask_start, serve_start },
    { "job", 14, SHOP_ILL_JOBS, ask_job, serve_job },
    { "upload", 15, 0, ask_upload, serve_upload },
    { "offset", 15, 0, ask_offset, serve_offset },
};

const size_t shop_times_count = sizeof shop_times / sizeof shop_times[0];
