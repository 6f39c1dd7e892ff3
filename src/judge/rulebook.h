/* judge: the user's rules, compiled, and what they do to an exchange before it is looked at. */
#ifndef WW_JUDGE_RULEBOOK_H
#define WW_JUDGE_RULEBOOK_H

#include <whichworker/exchange.h>
#include <whichworker/judge.h>
#include <whichworker/map.h>
#include <whichworker/re.h>

/* A pointer has at most this many segments. */
#define WW_POINTER_MAX 32
#define WW_NAME_MAX    256 /* bytes of a member's or a probe's name, with its end */

/* One rule, ready to use. */
struct user {
    const struct ww_user_rule *is;
    struct ww_re *route; /* NULL: every route; matched against "GET /path" */
    struct ww_re *pattern;
    char *segment[WW_POINTER_MAX]; /* of the pointer, unescaped; owned */
    size_t segments;
    bool pointed; /* there is a pointer; without segments it names the whole */
    uint64_t used;
};

/* Rules that go together: those of one route, or those that changed one answer. */
struct rule_set {
    uint32_t *rule; /* indices into user */
    size_t rules;
};

struct rulebook {
    struct ww_arena arena;
    struct user *user;
    size_t users;
    struct ww_map set_at; /* by the indices: a set */
    struct rule_set *set;
    size_t sets, set_cap;
    struct ww_map route_at; /* by "GET /path": its set */
    struct ww_buf route;    /* these are reused from exchange to exchange */
    struct ww_buf decoded;
    struct ww_buf body;
    struct ww_field *field;
    size_t field_cap;
    struct ww_exchange changed;
};

#define WW_NO_SET UINT32_MAX

/* Borrows the rules, which must have passed ww_user_rule_check. */
void ww_rulebook_init(struct rulebook *b, const struct ww_user_rule *rule, size_t rules);
void ww_rulebook_release(struct rulebook *b);

/*
 * The exchange as the judge may see it: x itself, or a copy whose answer has what the user's
 * rules leave of it, borrowed until the next call. Writes the set of ignore and probe rules
 * that changed it (or WW_NO_SET), and whether a skip rule takes it out.
 */
const struct ww_exchange *ww_rulebook_apply(struct rulebook *b, const struct ww_exchange *x,
                                            uint32_t *out_set, bool *out_skipped);

/* Caps grades, allows findings, sets what each of them fails on. */
void ww_rulebook_findings(struct rulebook *b, struct ww_verdict *v, enum ww_fail_on fail_on);

/* What the verdict says of the rules: each, and how often it was of use. */
void ww_rulebook_settle(struct rulebook *b, struct ww_verdict *v);

/* "/items/0/at: ignored by the configuration (whichworker.yaml:12)", borrowed from b. */
ww_str ww_rulebook_words(struct rulebook *b, uint32_t rule);

/* ---- rulebook_body.c */

/* The body of an answer after the rules of a set. What it has is written into b->body; every
 * rule that changed something is added to *touched. */
enum left { LEFT_AS_IS, LEFT_JSON, LEFT_TEXT, LEFT_NOTHING };
enum left ww_rulebook_body(struct rulebook *b, const struct rule_set *set, ww_str text,
                           bool cut, bool json_meant, struct rule_set *touched);

#endif
