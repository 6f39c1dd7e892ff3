/* judge: what the user's rules leave of an answer: JSON by pointer and name, text by pattern.
 */
#include "rulebook.h"

#include <whichworker/units.h>

#include <jansson.h>

#define BODY_MAX_US       2000000
#define LOOKS_FOR_A_CLOCK 4
#define MATCHES_MAX       65536 /* matches of a pattern that are taken out of one text */

/* ---- JSON */

/* Calls found for every value that the segments name, with its parent, where it has one. */
struct pointing {
    const struct user *user;
    json_t *taken; /* NULL: what is named is removed; else an array: it is collected */
    bool hit;
};

static void point(struct pointing *p, json_t *v, size_t at);

/* True if the member or element is to go. */
static bool reached(struct pointing *p, json_t *child, size_t at)
{
    if (at + 1 < p->user->segments) {
        point(p, child, at + 1);
        return false;
    }
    p->hit = true;
    if (p->taken == NULL)
        return true;
    json_array_append(p->taken, child);
    return false;
}

static void point_object(struct pointing *p, json_t *v, size_t at)
{
    const char *segment = p->user->segment[at], *key;
    bool all = strcmp(segment, "*") == 0;
    void *next;
    json_t *child;

    json_object_foreach_safe(v, next, key, child)
    {
        if ((all || strcmp(key, segment) == 0) && reached(p, child, at))
            json_object_del(v, key);
    }
}

static void point_array(struct pointing *p, json_t *v, size_t at)
{
    const char *segment = p->user->segment[at];
    bool all = strcmp(segment, "*") == 0;
    uint64_t index = 0;

    if (!all && !ww_str_u64(ww_str_c(segment), &index))
        return;
    size_t from = all ? 0 : (size_t)index, to = all ? json_array_size(v) : (size_t)index + 1;
    /* From behind, where something is removed: the rest need not move. */
    for (size_t k = from; k < to; k++) {
        size_t i = p->taken != NULL ? k : to - 1 - (k - from);
        json_t *child = json_array_get(v, i);
        if (child != NULL && reached(p, child, at))
            json_array_remove(v, i);
    }
}

static void point(struct pointing *p, json_t *v, size_t at)
{
    if (json_is_object(v)) {
        point_object(p, v, at);
    } else if (json_is_array(v)) {
        point_array(p, v, at);
    }
}

/* Every member of that name, at any depth (jansson reads at most 2048 levels). */
static bool drop_member(json_t *v, const char *name)
{
    bool hit = false;
    const char *key;
    void *next;
    size_t i;
    json_t *child;

    if (json_is_object(v)) {
        json_object_foreach_safe(v, next, key, child)
        {
            if (strcmp(key, name) == 0) {
                json_object_del(v, key);
                hit = true;
            } else {
                hit |= drop_member(child, name);
            }
        }
    }
    json_array_foreach(v, i, child)
    {
        hit |= drop_member(child, name);
    }
    return hit;
}

/* ---- text */

/* What one body may cost: a pattern has limits for one match, and a body may have many. */
struct cutting {
    struct ww_re *re;
    struct ww_buf work; /* owned */
    int64_t deadline_us;
    size_t looks;
    bool late; /* what is left is not what the user meant: nothing is compared */
};

static void cutting_init(struct cutting *c, size_t max)
{
    *c = (struct cutting){ .deadline_us = ww_clock_mono_us() + BODY_MAX_US };
    ww_buf_init(&c->work, max);
}

static bool look(struct cutting *c, ww_str text, size_t from, ww_str *out)
{
    if (++c->looks % LOOKS_FOR_A_CLOCK == 0 && ww_clock_mono_us() > c->deadline_us)
        c->late = true;
    return !c->late && ww_re_match(c->re, text, from, out, NULL);
}

/* The text without what the pattern matches, into c->work. False if nothing does. */
static bool without(struct cutting *c, ww_str text)
{
    size_t from = 0, copied = 0, matches = 0;
    ww_str whole;

    ww_buf_clear(&c->work);
    while (from <= text.len && matches < MATCHES_MAX && look(c, text, from, &whole)) {
        size_t at = (size_t)(whole.ptr - text.ptr);
        ww_buf_add(&c->work, ww_str_n(text.ptr + copied, at - copied));
        copied = at + whole.len;
        from = whole.len > 0 ? copied : at + 1;
        matches += whole.len > 0;
    }
    ww_buf_add(&c->work, ww_str_from(text, copied));
    return matches > 0;
}

static bool drop_number(json_t *v, struct cutting *c)
{
    char text[40];
    int len = json_is_integer(v)
                  ? snprintf(text, sizeof text, "%lld", (long long)json_integer_value(v))
                  : snprintf(text, sizeof text, "%.15g", json_real_value(v));

    if (!without(c, ww_str_n(text, (size_t)len)))
        return false;
    if (json_is_integer(v)) {
        json_integer_set(v, 0);
    } else {
        json_real_set(v, 0);
    }
    return true;
}

/* The scalars of a value without what matches; a number of which something matches is 0. */
static bool drop_matches(json_t *v, struct cutting *c)
{
    bool hit = false;
    const char *key;
    size_t i;
    json_t *child;

    if (json_is_string(v)) {
        hit = without(c, ww_str_n(json_string_value(v), json_string_length(v)));
        if (hit)
            json_string_setn_nocheck(v, c->work.len > 0 ? c->work.ptr : "", c->work.len);
    } else if (json_is_number(v)) {
        hit = drop_number(v, c);
    }
    json_object_foreach(v, key, child)
    {
        hit |= drop_matches(child, c);
    }
    json_array_foreach(v, i, child)
    {
        hit |= drop_matches(child, c);
    }
    return hit;
}

/* ---- both */

static void touch(struct rule_set *touched, uint32_t rule)
{
    touched->rule[touched->rules++] = rule;
}

static bool ignore_in(struct user *u, json_t *v, struct cutting *c)
{
    struct pointing p = { .user = u };
    char name[WW_NAME_MAX];

    if (u->pattern != NULL) {
        c->re = u->pattern;
        return drop_matches(v, c);
    }
    if (u->pointed) {
        point(&p, v, 0);
        return p.hit;
    }
    memcpy(name, u->is->member.ptr, u->is->member.len);
    name[u->is->member.len] = '\0';
    return drop_member(v, name);
}

static int add_to_buf(const char *bytes, size_t len, void *data)
{
    return ww_buf_add(data, ww_str_n(bytes, len)) ? 0 : -1;
}

static enum left write_json(struct rulebook *b, const json_t *v)
{
    ww_buf_clear(&b->body);
    return json_dump_callback(v, add_to_buf, &b->body, JSON_ENCODE_ANY | JSON_COMPACT) == 0
               ? LEFT_JSON
               : LEFT_NOTHING;
}

/* What the probe names, or NULL: owned. */
static json_t *probed(const struct user *u, json_t *v, ww_str text, bool cut)
{
    struct pointing p = { .user = u };
    ww_str whole, capture;

    if (u->pattern != NULL) {
        if (!ww_re_match(u->pattern, text, 0, &whole, &capture) || capture.ptr == NULL ||
            (cut && whole.ptr + whole.len == text.ptr + text.len))
            return NULL;
        return json_stringn_nocheck(capture.ptr, capture.len);
    }
    if (v == NULL || u->segments == 0)
        return json_incref(v);
    p.taken = json_array();
    point(&p, v, 0);
    bool many = ww_str_find(u->is->pointer, WW_STR("/*")) >= 0;
    json_t *found = many ? json_incref(p.taken) : json_incref(json_array_get(p.taken, 0));
    json_decref(p.taken);
    return found;
}

/* All that the route's probes name, each under its name; nothing where one cannot be told. */
static enum left probe(struct rulebook *b, const struct rule_set *set, json_t *v, ww_str text,
                       bool cut, struct rule_set *touched)
{
    json_t *all = json_object();
    bool told = true;

    for (size_t i = 0; i < set->rules; i++) {
        const struct user *u = &b->user[set->rule[i]];
        if (u->is->kind != WW_RULE_PROBE)
            continue;
        json_t *value = probed(u, v, text, cut);
        char name[WW_NAME_MAX + 8];
        snprintf(name, sizeof name, "probe " WW_STRF, WW_STRV(u->is->name));
        touch(touched, set->rule[i]);
        told = told && (value != NULL || (!cut && (u->pattern != NULL || v != NULL)));
        if (value != NULL)
            json_object_set_new_nocheck(all, name, value);
    }
    enum left left = told ? write_json(b, all) : LEFT_NOTHING;
    json_decref(all);
    return left;
}

static enum left ignore_text(struct rulebook *b, const struct rule_set *set, ww_str text,
                             struct rule_set *touched)
{
    struct cutting c;
    enum left left = LEFT_AS_IS;

    cutting_init(&c, b->body.max);
    for (size_t i = 0; i < set->rules; i++) {
        c.re = b->user[set->rule[i]].pattern;
        if (c.re == NULL || !without(&c, text))
            continue;
        touch(touched, set->rule[i]);
        ww_buf_clear(&b->body);
        ww_buf_add(&b->body, ww_buf_str(&c.work));
        text = ww_buf_str(&b->body);
        left = LEFT_TEXT;
    }
    ww_buf_release(&c.work);
    return c.late ? LEFT_NOTHING : left;
}

static enum left ignore_json(struct rulebook *b, const struct rule_set *set, json_t *v,
                             struct rule_set *touched)
{
    struct cutting c;

    cutting_init(&c, b->body.max);
    for (size_t i = 0; i < set->rules; i++) {
        if (ignore_in(&b->user[set->rule[i]], v, &c))
            touch(touched, set->rule[i]);
    }
    ww_buf_release(&c.work);
    if (c.late)
        return LEFT_NOTHING;
    return touched->rules > 0 ? write_json(b, v) : LEFT_AS_IS;
}

enum left ww_rulebook_body(struct rulebook *b, const struct rule_set *set, ww_str text,
                           bool cut, bool json_meant, struct rule_set *touched)
{
    bool probing = false, by_place = false;
    json_error_t error;
    json_t *v = cut || !json_meant
                    ? NULL
                    : json_loadb(text.ptr, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);

    for (size_t i = 0; i < set->rules; i++) {
        const struct user *u = &b->user[set->rule[i]];
        probing |= u->is->kind == WW_RULE_PROBE;
        by_place |= u->pattern == NULL;
    }
    enum left left;
    if (probing) {
        left = probe(b, set, v, text, cut, touched);
    } else if (v != NULL) {
        left = ignore_json(b, set, v, touched);
    } else if (json_meant && by_place) {
        left = LEFT_NOTHING; /* JSON that cannot be read: what is ignored may be in it */
    } else {
        left = ignore_text(b, set, text, touched);
    }
    json_decref(v);
    return left;
}
