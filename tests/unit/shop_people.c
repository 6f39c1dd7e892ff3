/* tests: the simulated application's sessions: signed cookies, log-ins, forms, tokens, rights.
 */
#include "shop.h"

#include <whichworker/mac.h>

/* ---- a cart in a signed cookie */

/* What the request's cookie says, if this worker's key reads it. */
static struct shop_cookie read_cookie(const struct shop_call *k)
{
    uint32_t at = k->sent.has[KEEP_SIGNED];
    const struct shop *s = k->s;
    bool own = s->cfg.ill & SHOP_ILL_KEY;

    if (at == SHOP_NONE || (own && s->cookie[at].slot != k->e->slot))
        return (struct shop_cookie){ 0 };
    return s->cookie[at];
}

static ww_str payload_of(struct shop_call *k, const struct shop_cookie *c)
{
    struct ww_buf b;

    ww_buf_init(&b, 1 << 12);
    ww_buf_add_c(&b, "{\"cart\":[");
    for (size_t i = 0; i < c->carts; i++) {
        ww_buf_printf(&b, "%s\"%s\"", i > 0 ? "," : "", shop_name(k, c->cart[i]));
    }
    ww_buf_printf(&b, "]%s}", c->flash ? ",\"_flashes\":[\"saved\"]" : "");
    ww_str text = ww_arena_dup(&k->x->arena, ww_buf_str(&b));
    ww_buf_release(&b);
    return text;
}

/* As Flask does it: the value follows from payload, second and key. */
static void sign_cookie(struct shop_call *k, struct shop_cookie c)
{
    struct shop *s = k->s;
    struct ww_exchange *x = k->x;
    ww_str json = payload_of(k, &c);
    ww_str content = ww_arena_printf(&x->arena, WW_STRF " %u", WW_STRV(json),
                                     (unsigned)(k->e->effect_us / SHOP_SECOND_US));
    struct ww_mac_key key = {
        .byte = { s->cfg.ill & SHOP_ILL_KEY ? (unsigned char)(k->e->slot + 2) : 1 }
    };
    char mac[WW_MAC_TEXT];

    ww_mac(&key, content, mac);
    snprintf(c.text, sizeof c.text, "mac:%s", mac);
    c.slot = k->e->slot;
    s->cookie[s->cookies] = c;
    k->set[KEEP_SIGNED] = (uint32_t)s->cookies++;
    x->payload = ww_arena_alloc(&x->arena, sizeof *x->payload);
    x->payloads = 1;
    x->payload[0] = (struct ww_payload){ .value = ww_arena_dup(&x->arena, ww_str_c(c.text)),
                                         .form = "itsdangerous",
                                         .json = json,
                                         .content = content };
    shop_field(k, "Set-Cookie",
               ww_arena_printf(&x->arena, "session=%s; HttpOnly; Path=/", c.text));
}

static void ask_cart(struct shop_call *k)
{
    k->arg = shop_draw_name(k);
    shop_ask(k, "POST", "/cart");
    shop_send_name(k, "thing", k->arg);
}

static void serve_cart(struct shop_call *k)
{
    struct shop_cookie c = read_cookie(k);

    if (c.carts == 12) {
        shop_refuse(k, 409, "it is full");
        return;
    }
    c.cart[c.carts++] = k->arg;
    c.flash = true;
    k->e->write = true;
    k->e->subject = 20 + (unsigned)k->e->client;
    shop_say(k, "{\"ok\":true}");
    sign_cookie(k, c);
}

static void ask_uncart(struct shop_call *k)
{
    shop_ask(k, "POST", "/cart/remove");
}

static void serve_uncart(struct shop_call *k)
{
    struct shop_cookie c = read_cookie(k);

    if (c.carts == 0) {
        shop_refuse(k, 400, "it is empty");
        return;
    }
    c.carts--;
    k->e->write = true;
    k->e->subject = 20 + (unsigned)k->e->client;
    shop_say(k, "{\"ok\":true}");
    sign_cookie(k, c);
}

static void ask_carts(struct shop_call *k)
{
    shop_ask(k, "GET", "/cart");
}

static void serve_carts(struct shop_call *k)
{
    struct shop_cookie c = read_cookie(k);

    k->e->subject = 20 + (unsigned)k->e->client;
    shop_say(k, "{\"cart\":[");
    for (size_t i = 0; i < c.carts; i++) {
        shop_say(k, "%s\"%s\"", i > 0 ? "," : "", shop_shown_name(k, c.cart[i]));
    }
    shop_say(k, "]}");
    if (k->s->traits.sliding)
        sign_cookie(k, c);
}

/* A page shows a message once, and then takes it out of the cookie. */
static void ask_flash(struct shop_call *k)
{
    shop_ask(k, "GET", "/shop");
}

static void serve_flash(struct shop_call *k)
{
    struct shop_cookie c = read_cookie(k);

    k->type = "text/html";
    shop_say(k, "<p>%s</p><p>%zu things</p>", c.flash ? "Your cart was saved" : "Hello",
             c.carts);
    shop_hum(k, "<p>at 10:%02u:%02u</p>", shop_roll(&k->noise, 60), shop_roll(&k->noise, 60));
    if (c.flash) {
        c.flash = false;
        sign_cookie(k, c);
    }
}

/* ---- log-in, with the session on the server */

static struct shop_session *session_of(const struct shop_call *k)
{
    struct shop_state *s = shop_of(k, SHOP_ILL_SESSIONS);
    uint32_t sid = k->sent.has[KEEP_SID];

    if (sid == SHOP_NONE)
        return NULL;
    struct shop_session *one = &s->session[sid % SHOP_SESSIONS];
    bool alive = one->on && k->e->effect_us - one->used_us < k->s->traits.ttl_us &&
                 one->epoch == s->epoch[one->user];
    if (!alive)
        return NULL;
    one->used_us = k->e->effect_us;
    return one;
}

static void set_sid(struct shop_call *k, uint32_t sid)
{
    k->set[KEEP_SID] = sid;
    shop_field(k, "Set-Cookie",
               sid == SHOP_CLEARED
                   ? WW_STR("sessionid=; Max-Age=0; Path=/")
                   : ww_arena_printf(&k->x->arena, "sessionid=mac:%024x; HttpOnly; Path=/",
                                     sid * 2654435761u));
}

static void ask_login(struct shop_call *k)
{
    k->arg = shop_roll(&k->rng, 6);
    shop_ask(k, "POST", "/login");
    shop_send_name(k, "username", (unsigned)k->e->client / 2);
}

static void serve_login(struct shop_call *k)
{
    struct shop_state *s = shop_of(k, SHOP_ILL_SESSIONS);
    unsigned user = (unsigned)k->e->client / 2;

    if (k->arg == 0) {
        shop_refuse(k, k->s->traits.html ? 200 : 401, "wrong password");
        return;
    }
    uint32_t sid = (uint32_t)(k->e - k->s->event) + 1;
    s->session[sid % SHOP_SESSIONS] = (struct shop_session){
        .on = true, .user = user, .epoch = s->epoch[user], .used_us = k->e->effect_us
    };
    set_sid(k, sid);
    k->e->write = true;
    k->e->subject = 30 + (unsigned)k->e->client;
    if (k->s->traits.redirects) {
        k->x->status = 302;
        shop_field(k, "Location", WW_STR("/account"));
    }
    shop_say(k, "{\"ok\":true}");
}

static void deny(struct shop_call *k)
{
    if (k->s->traits.redirects) {
        k->x->status = 302;
        shop_field(k, "Location", WW_STR("/login?next=/account"));
    } else {
        shop_refuse(k, 401, "log in first");
    }
}

static void ask_account(struct shop_call *k)
{
    k->arg = shop_roll(&k->rng, 2);
    shop_ask(k, "GET", k->arg == 0 ? "/account" : "/account/orders");
}

static void serve_account(struct shop_call *k)
{
    struct shop_session *one = session_of(k);

    k->e->subject = 30 + (unsigned)k->e->client;
    if (one == NULL) {
        deny(k);
        return;
    }
    shop_say(k, "{\"user\":\"user%u\",\"page\":%u}", one->user, k->arg);
    if (k->s->traits.sliding)
        set_sid(k, k->sent.has[KEEP_SID]);
}

/* An empty session for whoever has none: as many frameworks do on a first visit. */
static void ask_visit(struct shop_call *k)
{
    shop_ask(k, "GET", "/");
}

static void serve_visit(struct shop_call *k)
{
    struct shop_session *one = session_of(k);

    k->type = "text/html";
    shop_say(k, one == NULL ? "<a href=/login>Log in</a>" : "<p>Hello user%u</p>",
             one == NULL ? 0 : one->user);
    if (one == NULL && k->sent.has[KEEP_SID] != SHOP_NONE && k->s->traits.one_time)
        set_sid(k, SHOP_CLEARED); /* what has expired is taken away */
}

static void ask_logout(struct shop_call *k)
{
    shop_ask(k, "POST", "/logout");
}

static void serve_logout(struct shop_call *k)
{
    struct shop_session *one = session_of(k);

    if (one != NULL)
        one->on = false;
    k->e->write = true;
    k->e->subject = 30 + (unsigned)k->e->client;
    set_sid(k, SHOP_CLEARED);
    k->x->status = k->s->traits.redirects ? 302 : 204;
    if (k->s->traits.redirects)
        shop_field(k, "Location", WW_STR("/"));
}

/* It ends the user's sessions on all other devices. */
static void ask_password(struct shop_call *k)
{
    shop_ask(k, "POST", "/account/password");
    shop_send_name(k, "password", 7);
}

static void serve_password(struct shop_call *k)
{
    struct shop_session *one = session_of(k);

    if (one == NULL) {
        deny(k);
        return;
    }
    one->epoch = ++shop_of(k, SHOP_ILL_SESSIONS)->epoch[one->user];
    shop_say(k, "{\"ok\":true}");
}

/* ---- rights that somebody else gives and takes */

static void ask_grant(struct shop_call *k)
{
    k->arg = shop_roll(&k->rng, (unsigned)k->s->traits.clients);
    k->arg2 = shop_roll(&k->rng, 2);
    if (k->s->cfg.apart)
        k->arg = (unsigned)k->e->client;
    shop_ask(k, "POST", "/members/u%u/%s", k->arg, k->arg2 ? "allow" : "ban");
}

static void serve_grant(struct shop_call *k)
{
    shop_of(k, SHOP_ILL_SESSIONS)->granted[k->arg] = k->arg2;
    shop_say(k, "{\"ok\":true}");
}

static void ask_club(struct shop_call *k)
{
    k->arg = shop_roll(&k->rng, 2);
    shop_ask(k, "GET", k->arg ? "/club/news" : "/club");
}

static void serve_club(struct shop_call *k)
{
    if (!shop_of(k, SHOP_ILL_SESSIONS)->granted[k->e->client])
        shop_refuse(k, 403, "members only");
    else
        shop_say(k, "{\"page\":%u,\"welcome\":\"member\"}", k->arg);
}

/* ---- a form with a token: every token that was given out is good, or good once */

static void ask_form(struct shop_call *k)
{
    shop_ask(k, "GET", "/comments/new");
}

static void serve_form(struct shop_call *k)
{
    uint32_t token = (uint32_t)(k->e - k->s->event);

    shop_of(k, SHOP_ILL_SESSIONS)->used[token] = true;
    k->set[KEEP_CSRF] = token;
    k->type = "text/html";
    shop_say(k, "<form>");
    shop_hum(k, "<input type=hidden name=csrf_token value=%08x%08xab>", token * 2654435761u,
             token);
    shop_say(k, "<textarea name=text></textarea></form>");
}

static void ask_comment(struct shop_call *k)
{
    k->arg = k->sent.has[KEEP_CSRF];
    shop_ask(k, "POST", "/comments");
    shop_send_name(k, "text", shop_draw_name(k));
}

static void serve_comment(struct shop_call *k)
{
    bool *known = shop_of(k, SHOP_ILL_SESSIONS)->used;

    if (k->arg == SHOP_NONE || !known[k->arg]) {
        shop_refuse(k, 400, "the form has expired");
        return;
    }
    if (k->s->traits.one_time)
        known[k->arg] = false;
    k->x->status = 201;
    shop_say(k, "{\"ok\":true}");
}

/* ---- a sign-in that goes round by another site: its state is good once */

static void ask_go(struct shop_call *k)
{
    shop_ask(k, "GET", "/connect");
}

static void serve_go(struct shop_call *k)
{
    uint32_t state = (uint32_t)(k->e - k->s->event);

    shop_of(k, SHOP_ILL_SESSIONS)->used[state] = true;
    k->set[KEEP_STATE] = state;
    k->x->status = 302;
    shop_field(k, "Location",
               ww_arena_printf(&k->x->arena, "/back?code=%u&state=%08x%04x", state,
                               state * 2654435761u, state));
}

static void ask_back(struct shop_call *k)
{
    uint32_t state = k->sent.has[KEEP_STATE];

    k->arg = state < SHOP_EVENTS ? state : 0;
    shop_ask(k, "GET", "/back?code=%u&state=%08x%04x", k->arg, k->arg * 2654435761u, k->arg);
}

static void serve_back(struct shop_call *k)
{
    bool *known = shop_of(k, SHOP_ILL_SESSIONS)->used;

    if (!known[k->arg]) {
        shop_refuse(k, 400, "state mismatch");
        return;
    }
    known[k->arg] = false;
    k->x->status = 302;
    shop_field(k, "Location", WW_STR("/"));
}

/* ---- bearer tokens that expire */

static void ask_token(struct shop_call *k)
{
    shop_ask(k, "POST", "/token");
    shop_send_name(k, "user", (unsigned)k->e->client);
}

static void serve_token(struct shop_call *k)
{
    uint32_t token = (uint32_t)(k->e - k->s->event);

    shop_of(k, SHOP_ILL_SESSIONS)->token_us[token] = k->e->effect_us;
    k->set[KEEP_TOKEN] = token;
    shop_say(k, "{\"access_token\":\"%08x%08x%08x\",\"token_type\":\"Bearer\"}",
             token * 2654435761u, token * 40503u, token);
}

static void ask_me(struct shop_call *k)
{
    k->arg = shop_roll(&k->rng, 2);
    shop_ask(k, "GET", k->arg ? "/me" : "/api/orders");
}

static void serve_me(struct shop_call *k)
{
    const int64_t *since = shop_of(k, SHOP_ILL_SESSIONS)->token_us;
    uint32_t token = k->sent.has[KEEP_TOKEN];
    bool good = token != SHOP_NONE && since[token] > 0 &&
                k->e->effect_us - since[token] < k->s->traits.ttl_us;

    if (!good)
        shop_refuse(k, 401, "invalid_token");
    else
        shop_say(k, "{\"page\":%u,\"user\":\"user%zu\"}", k->arg, k->e->client);
}

const struct shop_op shop_people[] = {
    { "cart", 16, SHOP_ILL_KEY, ask_cart, serve_cart },
    { "uncart", 16, 0, ask_uncart, serve_uncart },
    { "carts", 16, SHOP_ILL_KEY, ask_carts, serve_carts },
    { "flash", 16, 0, ask_flash, serve_flash },
    { "login", 17, SHOP_ILL_SESSIONS, ask_login, serve_login },
    { "account", 17, SHOP_ILL_SESSIONS, ask_account, serve_account },
    { "visit", 17, 0, ask_visit, serve_visit },
    { "logout", 17, 0, ask_logout, serve_logout },
    { "password", 17, 0, ask_password, serve_password },
    { "grant", 18, 0, ask_grant, serve_grant },
    { "club", 18, 0, ask_club, serve_club },
    { "form", 19, 0, ask_form, serve_form },
    { "comment", 19, 0, ask_comment, serve_comment },
    { "go", 19, 0, ask_go, serve_go },
    { "back", 19, 0, ask_back, serve_back },
    { "token", 18, 0, ask_token, serve_token },
    { "me", 18, 0, ask_me, serve_me },
};

const size_t shop_people_count = sizeof shop_people / sizeof shop_people[0];
