/* judge: exchanges to client sessions: by the first carrier that a request has, in the order of
 * enum rank; and what its response gives out belongs to the same session. */
#include "session.h"

#include "carriers.h"
#include "readable.h"

#include <assert.h>
#include <stdlib.h>

#define HOLDERS_SEEN 64
#define CLIENT_MAX   (64u << 10)

struct ww_sessions {
    struct ww_sessions_config cfg;
    struct ww_smell smell;
    struct readable readable;
    struct holders holders;
    struct ww_buf client; /* scratch: "address agent" */
    uint64_t exchanges;
};

/* ---- life */

struct ww_sessions *ww_sessions_new(const struct ww_sessions_config *cfg)
{
    struct ww_sessions *s = ww_xcalloc(1, sizeof *s);

    if (cfg != NULL)
        s->cfg = *cfg;
    ww_smell_init(&s->smell);
    ww_readable_init(&s->readable, &s->cfg);
    ww_holders_init(&s->holders, s->cfg.max_sessions);
    ww_buf_init(&s->client, CLIENT_MAX);
    return s;
}

void ww_sessions_free(struct ww_sessions *s)
{
    if (s == NULL)
        return;
    ww_holders_release(&s->holders);
    ww_readable_release(&s->readable);
    ww_smell_release(&s->smell);
    ww_buf_release(&s->client);
    free(s);
}

size_t ww_sessions_count(const struct ww_sessions *s)
{
    return s->holders.sessions;
}

const struct ww_smell *ww_sessions_smell(const struct ww_sessions *s)
{
    return &s->smell;
}

const struct ww_session_key *ww_sessions_key(const struct ww_sessions *s, size_t session)
{
    assert(session < s->holders.sessions);
    return &s->holders.session[session].key;
}

void ww_sessions_payload(struct ww_sessions *s, const struct ww_payload *p)
{
    ww_readable_add(&s->readable, p);
}

enum ww_cookie_kind ww_sessions_cookie(const struct ww_sessions *s, ww_str name, ww_str value)
{
    enum ww_cookie_kind kind = ww_smell_cookie(&s->smell, name);

    if ((kind == WW_COOKIE_OTHER || kind == WW_COOKIE_WHO) &&
        ww_readable_has(&s->readable, value))
        kind = WW_COOKIE_SESSION;
    for (size_t i = 0; i < s->cfg.carriers && kind < WW_COOKIE_SESSION; i++) {
        if (s->cfg.carrier[i].kind == WW_KEY_COOKIE && ww_str_eq(s->cfg.carrier[i].name, name))
            kind = WW_COOKIE_SESSION;
    }
    return kind;
}

/* ---- the exchange at hand */

static enum ww_cookie_kind cookie(const void *ctx, ww_str name, ww_str value)
{
    return ww_sessions_cookie(ctx, name, value);
}

static ww_str captured(const void *ctx, size_t carrier, ww_str value)
{
    const struct ww_sessions *s = ctx;

    return ww_readable_capture(&s->readable, carrier, value);
}

/* Borrows x. */
struct assigning {
    struct ww_sessions *s;
    const struct ww_exchange *x;
    uint64_t connection; /* 0: a proxy in front of us may share it between clients */
    struct identities carried, given;
    enum rank rank; /* of the session that the request has */
    uint32_t slot;  /* that session, or NO_SLOT */
};

static struct session *session_at(const struct assigning *a, uint32_t slot)
{
    return &a->s->holders.session[slot];
}

static ww_str forwarded_for(const struct ww_exchange *x)
{
    ww_str value = ww_fields_get(&x->request_fields, WW_STR("x-forwarded-for"));

    return value.len > 0 ? value : ww_fields_get(&x->request_fields, WW_STR("forwarded"));
}

static uint64_t own_connection(const struct ww_exchange *x)
{
    bool shared =
        forwarded_for(x).len > 0 || ww_fields_get(&x->request_fields, WW_STR("via")).len > 0;

    return shared ? 0 : x->connection;
}

static bool same_connection(const struct assigning *a, uint32_t slot)
{
    return a->connection != 0 && session_at(a, slot)->connection == a->connection;
}

/* ---- whose identity is it? */

/*
 * The live holder on the same client connection, else the only live one. Where several fit, the
 * newest is taken and all of them become weak: what follows may have been mixed up. An old
 * value still belongs to whoever had it: a lineage is a tree.
 */
static uint32_t pick(const struct assigning *a, struct holder *newest)
{
    const struct holder *live = NULL;
    size_t lives = 0, seen = 0;

    for (const struct holder *h = newest; h != NULL && seen < HOLDERS_SEEN; h = h->older) {
        if (h->live && same_connection(a, h->slot))
            return h->slot;
        if (h->live && lives++ == 0)
            live = h;
        seen++;
    }
    if (lives == 1 || (lives == 0 && seen == 1))
        return lives == 1 ? live->slot : newest->slot;
    seen = 0;
    for (const struct holder *h = newest; h != NULL && seen < HOLDERS_SEEN; h = h->older) {
        session_at(a, h->slot)->key.weak = true;
        seen++;
    }
    return lives > 0 ? live->slot : newest->slot;
}

static bool is_basic(ww_str authorization)
{
    return ww_str_starts_nocase(authorization, WW_STR("basic "));
}

/* Somebody who had only an address or a password until now, and did all that he did on the
 * connection at hand: nobody else can stand behind it. */
static bool is_newcomer(const struct assigning *a, uint32_t slot)
{
    const struct session *one = session_at(a, slot);

    return one->one_connection && same_connection(a, slot) &&
           (one->key.kind == WW_KEY_CLIENT ||
            (one->key.kind == WW_KEY_AUTHORIZATION && is_basic(one->key.value)));
}

/*
 * What an answer's body gave out may have been for somebody else: an invitation, another user's
 * key. It is the session's where it comes on the connection that it was given out on, but not
 * that of another token, nor of many clients. Never where two fit.
 */
static struct holder *pick_gift(const struct assigning *a, struct holder *newest)
{
    struct holder *found = NULL;
    size_t seen = 0;

    for (struct holder *h = newest; h != NULL && seen < HOLDERS_SEEN; h = h->older) {
        enum ww_key_kind kind = session_at(a, h->slot)->key.kind;
        bool other = kind != WW_KEY_CLIENT && kind != WW_KEY_AUTHORIZATION;
        seen++;
        if (!h->certain && !is_newcomer(a, h->slot) && !(other && same_connection(a, h->slot)))
            continue;
        if (found != NULL)
            return NULL;
        found = h;
    }
    return found;
}

static struct holder *gift_of(const struct assigning *a, const struct identity *id)
{
    struct identity gift = { .space = SPACE_GIFT, .value = id->value };

    if (id->space == SPACE_AUTHORIZATION)
        gift.value = ww_credential(id->value);
    else if (id->space != SPACE_HEADER && id->space != SPACE_QUERY)
        return NULL;
    return pick_gift(a, ww_holders_find(&a->s->holders, &gift));
}

static uint32_t known_as(const struct assigning *a, const struct identity *id)
{
    struct holder *newest = ww_holders_find(&a->s->holders, id);

    return newest == NULL ? NO_SLOT : pick(a, newest);
}

/* A query field that an answer gave out as a session's is there for nothing else. */
static void promote(const struct assigning *a, struct ranked_identity *one)
{
    const struct holder *newest;

    if (one->rank != RANK_QUERY || one->id.space != SPACE_QUERY)
        return;
    newest = ww_holders_find(&a->s->holders, &one->id);
    if (newest != NULL && newest->given)
        one->rank = RANK_FIELD;
}

/* ---- who speaks, if nothing says so */

static bool is_local(ww_str client)
{
    return ww_str_starts(client, WW_STR("127.")) || ww_str_eq(client, WW_STR("::1")) ||
           ww_str_eq(client, WW_STR("::ffff:127.0.0.1")) ||
           ww_str_starts(client, WW_STR("unix"));
}

/* A client on this machine is a test; anybody else may be many people behind one address, and
 * so is whoever a proxy in front of us speaks for. */
static bool is_test(const struct ww_exchange *x)
{
    return is_local(x->client) && forwarded_for(x).len == 0;
}

static struct identity client_of(const struct assigning *a)
{
    struct ww_buf *b = &a->s->client;
    ww_str from = forwarded_for(a->x);

    ww_buf_clear(b);
    ww_buf_add(b, from.len > 0 ? from : a->x->client);
    ww_buf_add_char(b, ' ');
    ww_buf_add(b, ww_fields_get(&a->x->request_fields, WW_STR("user-agent")));
    return (struct identity){ SPACE_CLIENT, WW_KEY_CLIENT, WW_STR("client"), ww_buf_str(b) };
}

/* ---- the request's session */

static void begin(struct assigning *a, const struct identity *id, bool weak)
{
    a->slot = ww_holders_begin(&a->s->holders, id, weak);
    snprintf(session_at(a, a->slot)->origin, sizeof session_at(a, a->slot)->origin, WW_STRF,
             WW_STRV(a->x->client));
    ww_holders_hold(&a->s->holders, a->slot, id);
}

/* One answer's gifts are held one behind the other. */
static void accept_beside(struct holder *h, uint64_t answer, bool newer)
{
    for (size_t seen = 0; h != NULL && seen < HOLDERS_SEEN; seen++) {
        if (h->answer == answer && h->key[0] == SPACE_GIFT)
            h->certain = true;
        h = newer ? h->newer_mine : h->older_mine;
    }
}

/* The session had no better name until now. What came with this gift is its own as well. */
static void accept_gift(struct assigning *a, struct holder *gift, const struct identity *id)
{
    struct session *one = session_at(a, gift->slot);

    gift->certain = true;
    accept_beside(gift->older_mine, gift->answer, false);
    accept_beside(gift->newer_mine, gift->answer, true);
    if (is_newcomer(a, gift->slot)) {
        ww_holders_rename(&a->s->holders, gift->slot, id, false);
        one->by_gift = true;
    }
    a->slot = gift->slot;
    ww_holders_hold(&a->s->holders, gift->slot, id);
}

static bool by_rank(struct assigning *a, enum rank rank)
{
    const struct identity *unknown = NULL;

    a->rank = rank;
    for (size_t i = 0; i < a->carried.n; i++) {
        const struct identity *id = &a->carried.v[i].id;
        if (a->carried.v[i].rank != rank)
            continue;
        a->slot = known_as(a, id);
        if (a->slot != NO_SLOT)
            return true;
        struct holder *gift = gift_of(a, id);
        if (gift != NULL) {
            accept_gift(a, gift, id);
            return true;
        }
        if (unknown == NULL)
            unknown = id;
    }
    if (unknown != NULL)
        begin(a, unknown, false);
    return unknown != NULL;
}

/* By what the request carries: one that is known before one that is not. False if nothing. */
static bool by_request(struct assigning *a)
{
    for (enum rank rank = RANK_CONFIGURED; rank < RANK_CLIENT; rank++) {
        if (by_rank(a, rank))
            return true;
    }
    return false;
}

/* The session of this client that has no better name; or which has one by now, but on this
 * connection: it does not send its name with everything. Or NO_SLOT. */
static uint32_t client_session(const struct assigning *a)
{
    struct identity client = client_of(a);
    uint32_t found = NO_SLOT;
    size_t seen = 0;

    for (const struct holder *h = ww_holders_find(&a->s->holders, &client);
         h != NULL && seen < HOLDERS_SEEN; h = h->older) {
        bool nameless = session_at(a, h->slot)->key.kind == WW_KEY_CLIENT;
        if (!nameless && same_connection(a, h->slot))
            return h->slot;
        if (nameless && found == NO_SLOT)
            found = h->slot;
        seen++;
    }
    return found;
}

/* Which of the given identities a session would begin with: the first of the lowest rank below
 * `rank`, or NULL. */
static const struct ranked_identity *beginning(const struct assigning *a, enum rank rank)
{
    const struct ranked_identity *best = NULL;

    for (size_t i = 0; i < a->given.n; i++) {
        const struct ranked_identity *one = &a->given.v[i];
        if (one->rank < (best == NULL ? rank : best->rank))
            best = one;
    }
    return best;
}

/* What the request has: ids that are not known yet count as well. */
static enum rank rank_of_request(const struct assigning *a)
{
    enum rank rank = RANK_CLIENT;

    for (size_t i = 0; i < a->carried.n; i++) {
        if (a->carried.v[i].rank < rank)
            rank = a->carried.v[i].rank;
    }
    return rank;
}

/*
 * A newcomer gets an identity: what he did before belongs to it. From now on whoever comes
 * without it is somebody else: a browser sends its cookies.
 */
static bool take_over(struct assigning *a, enum rank own, const struct identity *id)
{
    uint32_t slot = own == RANK_CLIENT ? client_session(a) : NO_SLOT;

    for (size_t i = 0; i < a->carried.n && own == RANK_AUTHORIZATION && slot == NO_SLOT; i++) {
        slot = known_as(a, &a->carried.v[i].id);
    }
    if (slot == NO_SLOT || !is_newcomer(a, slot))
        return false;
    ww_holders_drop(&a->s->holders, slot, SPACE_AUTHORIZATION);
    ww_holders_drop(&a->s->holders, slot, SPACE_CLIENT);
    ww_holders_rename(&a->s->holders, slot, id, false);
    a->slot = slot;
    return true;
}

/* The session whose identity of the same kind the request carries: a login changes it (session
 * fixation), a payload changes with its content. Else the exchange's. */
static uint32_t owner_of(const struct assigning *a, const struct ranked_identity *given)
{
    for (size_t i = 0; i < a->carried.n; i++) {
        const struct ranked_identity *one = &a->carried.v[i];
        if (one->id.space != given->id.space)
            continue;
        uint32_t slot = known_as(a, &one->id);
        if (slot != NO_SLOT)
            return slot;
    }
    return a->slot;
}

/* The exchange whose response gives out a better identity than the request has belongs to it.
 */
static bool by_response(struct assigning *a)
{
    enum rank own = rank_of_request(a);
    const struct ranked_identity *one = beginning(a, own);

    if (one == NULL)
        return false;
    a->rank = one->rank;
    a->slot = owner_of(a, one);
    if (a->slot != NO_SLOT)
        ww_holders_rename(&a->s->holders, a->slot, &one->id, session_at(a, a->slot)->key.weak);
    else if (!take_over(a, own, &one->id))
        begin(a, &one->id, false);
    return true;
}

/* A token that renews the token which asked for it: the same carrier, the same session. */
static bool is_renewal(const struct assigning *a)
{
    ww_str path = ww_exchange_path(a->x);

    return session_at(a, a->slot)->key.kind == WW_KEY_AUTHORIZATION &&
           (ww_str_find_nocase(path, WW_STR("refresh")) >= 0 ||
            ww_str_find_nocase(path, WW_STR("renew")) >= 0 ||
            ww_str_find_nocase(path, WW_STR("rotate")) >= 0);
}

/* A client that got a token before logs in again: as somebody else, for all we know. */
static bool is_second_login(const struct assigning *a)
{
    bool token = false;

    for (size_t i = 0; i < a->given.n; i++) {
        token = token || (a->given.v[i].id.space == SPACE_GIFT &&
                          a->given.v[i].id.kind == WW_KEY_AUTHORIZATION);
    }
    return token && session_at(a, a->slot)->got_token && !is_renewal(a) &&
           ww_smell_login(&a->s->smell, ww_exchange_path(a->x));
}

static void by_client(struct assigning *a)
{
    struct identity client = client_of(a);

    a->rank = RANK_CLIENT;
    a->slot = client_session(a);
    if (a->slot == NO_SLOT || is_second_login(a))
        begin(a, &client, !is_test(a->x));
}

/* ---- what the response gives out */

static void hold_given(struct assigning *a)
{
    for (size_t i = 0; i < a->given.n; i++) {
        const struct ranked_identity *one = &a->given.v[i];
        struct holder *h = ww_holders_hold(&a->s->holders, owner_of(a, one), &one->id);
        h->given = true;
        h->answer = a->s->exchanges;
        h->certain = one->id.space == SPACE_GIFT && is_renewal(a);
        if (one->id.space == SPACE_GIFT && one->id.kind == WW_KEY_AUTHORIZATION)
            session_at(a, h->slot)->got_token = true;
    }
}

/* ---- afterwards */

/* One password or key, several addresses: maybe several people. */
static bool is_shared(const struct assigning *a, const struct session *one)
{
    return a->rank == RANK_AUTHORIZATION && !one->by_gift && !is_local(a->x->client) &&
           !ww_str_eq(ww_str_upto(a->x->client, sizeof one->origin - 1), ww_str_c(one->origin));
}

static void note(struct assigning *a)
{
    struct session *one = session_at(a, a->slot);

    one->key.weak = one->key.weak || is_shared(a, one);
    if (one->connection != a->connection)
        one->one_connection = one->one_connection && one->connection == 0;
    one->connection = a->connection;
    ww_holders_touch(&a->s->holders, a->slot);
}

size_t ww_sessions_assign(struct ww_sessions *s, const struct ww_exchange *x)
{
    struct finder f = { &s->cfg, &s->smell, cookie, captured, s };
    struct assigning a = { .s = s, .x = x, .connection = own_connection(x), .slot = NO_SLOT };

    for (size_t i = 0; i < x->payloads; i++) {
        ww_sessions_payload(s, &x->payload[i]);
    }
    s->exchanges++;
    ww_carried(&f, x, &a.carried);
    ww_given(&f, x, &a.given);
    for (size_t i = 0; i < a.carried.n; i++) {
        promote(&a, &a.carried.v[i]);
    }
    if (!by_response(&a) && !by_request(&a))
        by_client(&a);
    hold_given(&a);
    note(&a);
    return a.slot;
}
