/* All that holds, as a configuration file that gives the same again. */
#include "opts.h"

#include <whichworker/json.h>

#include <stdio.h>
#include <time.h>

#define ORIGIN_COLUMN 40

/* Words that YAML reads as they stand. */
static bool is_plain(ww_str s)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "._/:+=-";

    for (size_t i = 0; i < s.len; i++)
        if (strchr(safe, s.ptr[i]) == NULL || s.ptr[i] == '\0')
            return false;
    return s.len > 0 && strchr(":+=-.", s.ptr[0]) == NULL && s.ptr[s.len - 1] != ':';
}

static void put_value(struct ww_buf *out, ww_str s)
{
    struct ww_json j;

    if (is_plain(s)) {
        ww_buf_add(out, s);
        return;
    }
    /* A string of JSON is one of YAML. */
    ww_json_init(&j, out, false);
    ww_json_str(&j, NULL, s);
}

static void put_origin(struct ww_buf *out, size_t line_from, const char *from)
{
    while (out->len < line_from + ORIGIN_COLUMN && ww_buf_add_char(out, ' ')) {
    }
    ww_buf_add_c(out, " # ");
    ww_buf_add_printable(out, ww_str_c(from));
    ww_buf_add_char(out, '\n');
}

static void origin_words(const struct config *c, const struct option_row *o, char *out,
                         size_t size)
{
    const struct option_origin *from = &c->origin[o - options_table];
    char name[64];

    switch (from->from) {
    case FROM_DEFAULT:
        snprintf(out, size, "default");
        return;
    case FROM_FILE:
        snprintf(out, size, "%s:%u", c->conf->path, from->line);
        return;
    case FROM_ENVIRONMENT:
        snprintf(out, size, "environment: %s", option_variable(o, name));
        return;
    case FROM_ARGUMENTS:
        snprintf(out, size, "command line");
        return;
    }
}

static void put_option(const struct config *c, const struct option_row *o, struct ww_buf *out)
{
    struct ww_buf value;
    char from[1024];

    ww_buf_init(&value, 1 << 16);
    origin_words(c, o, from, sizeof(from));
    for (size_t i = 0;; i++) {
        size_t line = out->len;

        ww_buf_clear(&value);
        if (!option_text(c, o, i, &value) && i > 0)
            break;
        if (value.len == 0) {
            ww_buf_printf(out, "# %s:", o->name); /* nothing is said of it */
        } else if (!option_is_list(o)) {
            ww_buf_printf(out, "%s: ", o->name);
            put_value(out, ww_buf_str(&value));
        } else {
            if (i == 0)
                ww_buf_printf(out, "%s:\n", o->name);
            line = out->len;
            ww_buf_add_c(out, "  - ");
            put_value(out, ww_buf_str(&value));
        }
        put_origin(out, line, from);
    }
    ww_buf_release(&value);
}

/* ---- rules */

struct item {
    struct ww_buf *out;
    const char *where;
    bool begun;
};

static void put_key(struct item *it, const char *key, ww_str value)
{
    size_t line = it->out->len;

    if (value.ptr == NULL)
        return;
    ww_buf_printf(it->out, "%s%s: ", it->begun ? "    " : "  - ", key);
    put_value(it->out, value);
    if (it->begun)
        ww_buf_add_char(it->out, '\n');
    else
        put_origin(it->out, line, it->where);
    it->begun = true;
}

static void put_rule(const struct ww_user_rule *r, struct ww_buf *out)
{
    char where[1024], day[16];
    time_t last = (time_t)(r->until_us / 1000000 - 1);
    struct tm tm;
    struct item it = { .out = out, .where = where };

    snprintf(where, sizeof(where), WW_STRF, WW_STRV(r->where));
    put_key(&it, "name", r->name);
    put_key(&it, "route", r->route);
    put_key(&it, "pointer", r->pointer);
    put_key(&it, "member", r->member);
    put_key(&it, "pattern", r->pattern);
    if (r->guarantee >= 0)
        put_key(&it, "guarantee",
                ww_str_c(ww_guarantee_token((enum ww_guarantee)r->guarantee)));
    if (r->cap >= 0)
        put_key(&it, "cap", ww_str_c(ww_grade_token((enum ww_grade)r->cap)));
    if (r->fail_on >= 0)
        put_key(&it, "fail-on", ww_str_c(ww_fail_on_token((enum ww_fail_on)r->fail_on)));
    put_key(&it, "reason", r->reason);
    if (r->until_us != 0 && gmtime_r(&last, &tm) != NULL &&
        strftime(day, sizeof(day), "%Y-%m-%d", &tm) > 0)
        put_key(&it, "until", ww_str_c(day));
}

static void put_carrier(const struct ww_carrier *k, const struct conf *conf, size_t i,
                        struct ww_buf *out)
{
    bool alone = k->pattern != NULL && k->of == WW_OF_TARGET;
    const char *key = alone                                               ? "name"
                      : k->kind == WW_KEY_COOKIE || k->of == WW_OF_COOKIE ? "cookie"
                      : k->kind == WW_KEY_QUERY                           ? "query"
                      : k->kind == WW_KEY_PATH                            ? "path"
                                                                          : "header";
    char where[1024];
    struct item it = { .out = out, .where = where };

    if (k->kind == WW_KEY_HEADER || (k->pattern != NULL && k->of == WW_OF_HEADER))
        key = "header";
    snprintf(where, sizeof(where), "%s:%u", conf->path, conf->carrier_at[i].line);
    put_key(&it, key, k->name);
    put_key(&it, "pattern", ww_str_c(conf->carrier_at[i].pattern));
}

static void put_rules(const struct conf *conf, struct ww_buf *out)
{
    for (size_t i = 0; i < conf->carriers; i++) {
        if (i == 0)
            ww_buf_add_c(out, "\nsessions:\n");
        put_carrier(&conf->carrier[i], conf, i, out);
    }
    for (size_t i = 0; i < conf->rules; i++) {
        const struct ww_user_rule *r = &conf->rule[i];

        if (i == 0 || r->kind != conf->rule[i - 1].kind)
            ww_buf_printf(out, "\n%s:\n", ww_user_rule_token(r->kind));
        put_rule(r, out);
    }
}

void options_print(unsigned command, const struct config *c, struct ww_buf *out)
{
    for (const struct option_row *o = options_table; o->name != NULL; o++)
        if ((o->commands & command) != 0 && !o->ask)
            put_option(c, o, out);
    if (c->conf != NULL)
        put_rules(c->conf, out);
}
