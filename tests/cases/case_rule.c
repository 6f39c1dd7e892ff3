/* The user's rules as a case writes them. */
#include "case_rule.h"

#include <stdlib.h>

void case_rules_init(struct case_rules *c)
{
    *c = (struct case_rules){ 0 };
    ww_arena_init(&c->arena, 1 << 20);
}

void case_rules_release(struct case_rules *c)
{
    ww_arena_release(&c->arena);
}

/* A value may stand in quotes. */
static ww_str unquoted(struct case_rules *c, const char *text)
{
    ww_str s = ww_str_c(text);

    if (s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"')
        s = ww_str_n(s.ptr + 1, s.len - 2);
    return ww_arena_dup(&c->arena, s);
}

static bool set_grade(struct ww_user_rule *r, ww_str name, ww_str value)
{
    enum ww_fail_on fail_on;

    if (ww_str_eq(name, WW_STR("fail-on"))) {
        if (ww_fail_on_find(value, &fail_on))
            r->fail_on = (int)fail_on;
        return r->fail_on >= 0;
    }
    for (int g = 0; g < WW_GRADES && ww_str_eq(name, WW_STR("cap")); g++) {
        if (ww_str_eq(value, ww_str_c(ww_grade_token((enum ww_grade)g))))
            r->cap = g;
    }
    for (int g = 0; g < WW_GUARANTEES && ww_str_eq(name, WW_STR("guarantee")); g++) {
        if (ww_str_eq(value, ww_str_c(ww_guarantee_token((enum ww_guarantee)g))))
            r->guarantee = g;
    }
    return r->cap >= 0 || r->guarantee >= 0;
}

static bool set(struct case_rules *c, struct ww_user_rule *r, char *word)
{
    ww_str rest = ww_str_c(word), name;
    const struct {
        const char *name;
        ww_str *at;
    } field[] = { { "route", &r->route },   { "pointer", &r->pointer },
                  { "member", &r->member }, { "pattern", &r->pattern },
                  { "name", &r->name },     { "reason", &r->reason } };

    if (!ww_str_cut(&rest, '=', &name) || rest.ptr == NULL)
        return false;
    ww_str value = unquoted(c, rest.ptr);
    for (size_t i = 0; i < sizeof field / sizeof *field; i++) {
        if (ww_str_eq(name, ww_str_c(field[i].name))) {
            *field[i].at = value;
            return true;
        }
    }
    if (ww_str_eq(name, WW_STR("until"))) {
        r->until_us = strtoll(value.ptr, NULL, 10) * 1000000;
        return true;
    }
    return set_grade(r, name, value);
}

bool case_rules_add(struct case_rules *c, char **word, size_t words, size_t line,
                    struct ww_err *err)
{
    struct ww_user_rule *r = &c->rule[c->rules];
    int kind = 0;

    while (words > 0 && kind < WW_RULE_KINDS &&
           strcmp(word[0], ww_user_rule_token((enum ww_user_rule_kind)kind)) != 0) {
        kind++;
    }
    if (words == 0 || kind == WW_RULE_KINDS || c->rules == CASE_RULES_MAX)
        return ww_err_set(err, WW_EUSAGE, "no such rule") == WW_OK;
    *r = (struct ww_user_rule){ .kind = (enum ww_user_rule_kind)kind,
                                .guarantee = -1,
                                .cap = -1,
                                .fail_on = -1,
                                .where = ww_arena_printf(&c->arena, "line %zu", line) };
    for (size_t i = 1; i < words; i++) {
        if (!set(c, r, word[i]))
            return ww_err_set(err, WW_EUSAGE, "'%s' is no part of a rule", word[i]) == WW_OK;
    }
    if (ww_user_rule_check(r, err) < 0)
        return false;
    c->rules++;
    return true;
}
