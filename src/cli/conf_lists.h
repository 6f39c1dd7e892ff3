/* cli: the lists of the configuration file: their keys, what these mean, and what becomes of
 * them. */
#ifndef WW_CONF_LISTS_H
#define WW_CONF_LISTS_H

#include "conf.h"

#include <whichworker/arena.h>

/* One element of any list, as text; NULL: the key is not there. */
struct conf_item {
    char *cookie;
    char *header;
    char *query;
    char *path;
    char *pattern;
    char *name;
    char *route;
    char *pointer;
    char *member;
    char *guarantee;
    char *cap;
    char *fail_on;
    char *reason;
    char *until;
};

struct conf_key {
    const char *name;
    size_t offset; /* in struct conf_item */
    const char *help;
};

#define CONF_KEYS_MAX 8

struct conf_list {
    const char *name;
    int kind; /* enum ww_user_rule_kind, or -1: sessions */
    const char *help;
    const char *example;                /* lines of YAML */
    struct conf_key key[CONF_KEYS_MAX]; /* ended by a NULL name */
};

#define CONF_LISTS 6

extern const struct conf_list conf_lists[CONF_LISTS];

/* One element as a rule, or as a carrier of sessions (whose pattern is the caller's to free,
 * also on failure where it is not NULL). The errors do not say where: the caller knows. Slices
 * are in the arena or borrow the item. */
int conf_rule(const struct conf_list *list, const struct conf_item *item,
              struct ww_user_rule *out, struct ww_err *err);
int conf_carrier(const struct conf_item *item, struct ww_carrier *out, struct ww_err *err);

#endif
